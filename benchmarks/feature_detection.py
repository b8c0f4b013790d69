"""GANs on frozen features instead of pixels, on polyps and glaucoma: rates, several seeds, tested once, compared.

    python benchmarks/feature_detection.py {polyp,fundus} --data-dir DIR [--out results/detection] [--workers 2]

What is tried beyond ``medical_detection.py``, by its rules and on its images: rates are chosen on held-out normals
(kernel distance of generated features), the score and the best loss by the calibration images, and test images are
looked at once for each run. Which features, and of which size of images, ``detection_attempts.py`` and
``fundus_attempts.py`` have chosen, which see no test image. ``protocol-features.json`` says all of it before anything
is fitted. Runs lie beside those on pixels; what needs no GAN is there at the same size of images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from commands import carry_out
from detection_study import Run, Study
from medical_detection import (
    CALIBRATION,
    COPIES,
    FROZEN,
    NO_ENCODER,
    RATE,
    RATE_SEED,
    RULES,
    SAMPLES,
    TO_BEAT,
    WIDEN,
    Gan,
    Variant,
    chosen_rates,
    chosen_scores,
    compared,
    declare,
    fitted_as,
    given_study,
    named,
    named_best,
    penalised,
    seedless,
    through,
    told,
    without_gan,
)

from ganetics.anomaly.settings import NAMED
from ganetics.execution.process import prepare
from ganetics.records import write_json

FAMILY = "features"


@dataclass(frozen=True)
class View:
    """How images of a domain are seen."""

    detector: str
    size: tuple[str, ...]
    """Options, of all detectors."""
    mark: str
    """In the labels of runs of that size."""
    why: str


VIEWS = {
    "polyp": View("fanogan-maps", (), "", "results/detection-attempts/polyp.json: better than the last layer"),
    "fundus": View(
        "fanogan-features", ("--image-size", "128"), "-128px",
        "results/detection-attempts/fundus.json: better than at 64 pixels, on the disc, or deviations of maps",
    ),
}  # fmt: skip
PENALTIES: Mapping[str, tuple[str, ...]] = {
    "wasserstein": ("gradient:10",),
    "non-saturating": ("r1:0.1",),
    "least-squares": ("r1:0.1",),
    "ganetic": ("r1:0.1",),
    "evolved-pairing": ("r1:0.1", "r2:0.1"),
}
"""Loss → its penalties; the first is f-AnoGAN's original."""
FOR_RATES = ("--steps", "2000", *NO_ENCODER)
"""Half of the steps, where a rate is looked for."""
BEGIN = (5 / 3, 5.0)
"""Factors of the rate that trials begin with: 3.3e-4 and 1e-3."""
SCORES = ("generated=1", "image=1", "residual=1")
SEEDS = 5


def gans(name: str) -> tuple[Gan, ...]:
    """Return a domain's GANs."""
    view = VIEWS[name]

    def variant(loss: str, penalties: Sequence[str]) -> Variant:
        options = (*penalised(view.detector, loss, *penalties), *view.size)
        return Variant(named(FAMILY, loss, *penalties), options, FOR_RATES)

    return tuple(Gan((variant(loss, penalties),), SEEDS) for loss, penalties in PENALTIES.items())


def protocol(name: str) -> dict[str, object]:
    """Return all that is decided before anything is fitted."""
    view = VIEWS[name]
    return {
        "rules": [
            "rate: the smallest kernel distance of generated features to those of held-out normals",
            "score, one for all losses: of the listed ones that with the highest AUROC of held-out normals and the "
            "calibration images, mean over one run of each loss",
            "best loss: the highest mean AUROC, over training seeds, of held-out normals and the calibration images",
            "questions: each loss against f-AnoGAN's original; the best loss against what needs no GAN, on images of "
            "that size; whether its score added to that of the best of the frozen features' detectors (by the "
            "calibration images, too) is better than the latter alone",
            RULES[-1],
            "known before of the test images: what detectors on pixels, and neighbours at 64 pixels, reach on them, as "
            "far as those runs were through; p is corrected within a table, not over both studies",
        ],
        "view": asdict(view),
        "settings": NAMED[view.detector].model_dump(mode="json"),
        "copies": COPIES[name],
        "calibration": CALIBRATION,
        "gans": told(gans(name)),
        "rates": [RATE * factor for factor in BEGIN],
        "widen": WIDEN,
        "rate_seed": RATE_SEED,
        "rate_samples": SAMPLES,
        "scores": list(SCORES),
        "to_beat": list(TO_BEAT),
    }  # fmt: skip


def runs(study: Study, rates: Mapping[Variant, float], scores: Mapping[Variant, str]) -> Iterator[Run]:
    """Yield every run: GANs, seed after seed, and what needs none."""
    view = VIEWS[study.name]
    for seed in range(SEEDS):
        for variant, rate in rates.items():
            label = f"{variant.name}-seed{seed}"
            options = (*variant.options, *fitted_as(study), "--score", scores[variant], "--rate", f"{rate:g}")
            yield Run(label, study.fit(label, options, seed, *study.steps))
    for name in TO_BEAT:
        yield without_gan(study, name, 0, view.mark, view.size)


def comparisons(study: Study, ended: Sequence[str]) -> dict[str, Callable[[], object]]:
    """Return what is compared with what."""
    learnt = [label for label in ended if label.startswith(FAMILY)]
    frozen = [f"{name}{VIEWS[study.name].mark}" for name in FROZEN]
    best = named_best(study, gans(study.name), ended, FAMILY, frozen)
    write_json(study.out / "chosen-features.json", asdict(best))
    made: dict[str, Callable[[], object]] = {}
    # where every training of it failed there is nothing to compare with: failures-features.json says it
    original = gans(study.name)[0].variants[0].name
    if original in map(seedless, learnt):
        made["features"] = partial(compared, study, "features", learnt, original)
    if best.loss is not None:
        asked = [label for label in ended if label not in learnt or seedless(label) == best.loss]
        made["features-chosen"] = partial(compared, study, "features-chosen", asked, best.loss)
        asked = [label for label in ended if seedless(label) in (best.loss, best.frozen)]
        made["features-added"] = partial(compared, study, "features-added", asked, best.frozen, "--added")
    return made


def main() -> None:
    """Carry a domain out."""
    study, workers = given_study(__doc__)
    declare(study, protocol(study.name), "protocol-features")
    prepare()
    study.lay_out()
    rates = chosen_rates(study, gans(study.name), BEGIN, workers)
    scores = chosen_scores(study, rates, SCORES, workers, together=True)
    ended = through(study, list(runs(study, rates, scores)), workers, "failures-features")
    if study.looks:
        carry_out(comparisons(study, ended), workers=1, title="comparisons")


if __name__ == "__main__":
    main()
