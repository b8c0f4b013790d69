"""GANs on frozen features instead of pixels, on polyps and glaucoma: rates, several seeds, tested once, compared.

    python benchmarks/feature_detection.py {polyp,fundus} --data-dir DIR [--out results/detection] [--workers 2]

What is tried beyond ``medical_detection.py``, by its rules and on its images, with commands of its kind: rates are
chosen on held-out normals (kernel distance of generated features), the best loss by the calibration images, and test
images are looked at once for each run. Which features, and of which size of images, ``fundus_attempts.py`` and
``detection_attempts.py`` have chosen, which see no test image. ``protocol-features.json`` says all of it before
anything is fitted. Runs lie beside those on pixels; what needs no GAN is there at the same size of images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from commands import carry_out
from detection_study import Run, Study
from medical_detection import (
    RATE,
    RATE_SEED,
    SAMPLES,
    TO_BEAT,
    TRIVIAL,
    WIDEN,
    Gan,
    Variant,
    chosen_rates,
    compared,
    declare,
    fitted_as,
    given_study,
    named_best,
    seedless,
    through,
)

from ganetics.execution.process import prepare

NAME = "protocol-features"


@dataclass(frozen=True)
class View:
    """How images of a domain are seen."""

    detector: str
    size: tuple[str, ...] = ()
    """Options, of all detectors."""
    mark: str = ""
    """In the labels of runs of that size."""
    why: str = ""


VIEWS = {
    "fundus": View(
        "fanogan-features",
        ("--image-size", "128"),
        "-128px",
        "calibration images: neighbours in the last layer are best",
    ),
    "polyp": View("fanogan-maps", why="sequences that are never tested on: neighbours in deviations of maps are best"),
}
LOSSES: Mapping[str, tuple[str, ...]] = {
    "wasserstein": ("gradient:10",),
    "non-saturating": ("r1:0.1",),
    "least-squares": ("r1:0.1",),
    "ganetic": ("r1:0.1",),
    "evolved-pairing": ("r1:0.1", "r2:0.1"),
}
"""Loss → penalties; the first is f-AnoGAN's original."""
BEGIN = (5 / 3, 5.0)
"""Factors of the rate that trials begin with: 3.3e-4 and 1e-3."""
SEEDS = 5


def gans(name: str) -> tuple[Gan, ...]:
    """Return a domain's GANs."""
    view = VIEWS[name]

    def one(loss: str, penalties: Sequence[str]) -> Variant:
        given = [word for penalty in penalties for word in ("--penalty", penalty)]
        options = ("--detector", view.detector, "--loss", loss, *given, *view.size)
        return Variant(f"features-{loss}", options, for_rates=("--set", "encoder_steps=1"))

    return tuple(Gan((one(loss, penalties),), SEEDS) for loss, penalties in LOSSES.items())


def protocol(name: str) -> dict[str, object]:
    """Return all that is decided before anything is fitted."""
    view = VIEWS[name]
    return {
        "rules": [
            "rate: the smallest kernel distance of generated features to those of held-out normals",
            "score: distance to the nearest generated features, the detector's default",
            "best loss: the highest mean AUROC, over training seeds, of held-out normals and the calibration images",
            "questions: each loss against f-AnoGAN's original; the best loss against what needs no GAN on such images",
            "intervals and p as in protocol.json",
        ],
        "view": {"detector": view.detector, "size": view.size, "why": view.why},
        "losses": LOSSES,
        "rates": [RATE * factor for factor in BEGIN],
        "widen": WIDEN,
        "rate_seed": RATE_SEED,
        "rate_samples": SAMPLES,
        "seeds": SEEDS,
        "to_beat": TO_BEAT,
    }


def runs(study: Study, rates: Mapping[Variant, float]) -> Iterator[Run]:
    """Yield every run: GANs, seed after seed, and what needs none."""
    view = VIEWS[study.name]
    for seed in range(SEEDS):
        for variant, rate in rates.items():
            label = f"{variant.name}-seed{seed}"
            options = (*variant.options, *fitted_as(study), "--rate", f"{rate:g}")
            yield Run(label, study.fit(label, options, seed, *study.steps))
    for name in TO_BEAT:
        label, told = f"{name}{view.mark}-seed0", () if name in TRIVIAL else fitted_as(study)
        yield Run(label, study.fit(label, ("--detector", name, *told, *view.size), 0))


def comparisons(study: Study, ended: Sequence[str]) -> dict[str, Callable[[], object]]:
    """Return what is compared with what."""
    learnt = [label for label in ended if label.startswith("features-")]
    best = named_best(study, gans(study.name), learnt, name="chosen-features").gan
    asked = [label for label in ended if label not in learnt or seedless(label) == best]
    return {
        "features": partial(compared, study, "features", learnt, f"features-{next(iter(LOSSES))}"),
        "features-chosen": partial(compared, study, "features-chosen", asked, best),
    }


def main() -> None:
    """Carry a domain out."""
    study, workers = given_study(__doc__)
    declare(study, protocol(study.name), NAME)
    prepare()
    study.lay_out()
    rates = chosen_rates(study, gans(study.name), BEGIN, workers)
    ended = through(study, list(runs(study, rates)), workers, "failures-features")
    if study.looks:
        carry_out(comparisons(study, ended), workers=1, title="comparisons")


if __name__ == "__main__":
    main()
