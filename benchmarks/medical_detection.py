"""All detectors on polyps and glaucoma: rates chosen on held-out normals, five seeds each, tested once, compared.

    python benchmarks/medical_detection.py {polyp,fundus} --data-dir DIR [--out results/detection] [--workers 2]

1. Rates. Each GAN at each rate, with one seed of its own, its test images never read, judged by held-out *normals*
   alone: of f-AnoGAN by the kernel distance of what its generator makes from them (before there is an encoder, so that
   no discriminator's features have a say), of GANomaly by the mean residual of their pixels. A rate that is best at an
   edge is followed, up to two steps; ``rates.json`` holds all of them.
2. Runs. Each GAN at its rate with five seeds (GANomaly: three), and the detectors that need none or one; ``evaluate``
   looks at the labelled test images once.
3. Comparisons, paired over the same test images, against the detector's original loss, and of all against neighbours.

Killed and started again it goes on where it was (after kill -9 once its commands, which go on, have ended). A training
that does not stay finite is a result: ``failures.json`` names it, and its row has a seed less. What is fitted and where
images lie stays in WORK (default: build/detection), which is not published; tables, scores and pages without pictures
of test images go to OUT.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from commands import Command, carry_out, need

from ganetics._random import numpy_generator, torch_generator
from ganetics.anomaly.detectors import FAnoGAN
from ganetics.anomaly.fit import fitted_detector, prepared_again
from ganetics.execution.process import prepare
from ganetics.features import load_extractor
from ganetics.metrics import kernel_distance
from ganetics.records import write_json
from ganetics.training.sampling import decode, latents

RATES = (0.3, 1.0, 3.0)
"""Factors of the detector's default."""
WIDEN = 2
"""Most further rates of a GAN that is best at an edge."""
SAMPLES = 1000
"""Generated images that held-out normals are compared with."""
RATE_SEED = 100
"""No other run has it."""


@dataclass(frozen=True)
class Domain:
    """A disease, and how its images are split."""

    folder: str
    abnormal: str
    groups: str
    evaluate: tuple[str, ...] = ()


DOMAINS = {
    # every sequence has both kinds of patches: those of sequences that were seen are left out of the test
    "polyp": Domain("polyp-patches", "polyp", r"seq\d+", ("--leave-out-seen",)),
    "fundus": Domain("fundus", "glaucoma", r"patient\d+"),
}


@dataclass(frozen=True)
class Gan:
    """A detector whose loss is compared."""

    label: str
    options: tuple[str, ...]
    rate: float
    seeds: int


def fanogan(loss: str, *penalties: str) -> Gan:
    given = [word for penalty in penalties or ("none",) for word in ("--penalty", penalty)]
    return Gan(f"fanogan-{loss}", ("--detector", "fanogan", "--loss", loss, *given), 2e-4, 5)


def ganomaly(loss: str) -> Gan:
    return Gan(f"ganomaly-{loss}", ("--detector", "ganomaly", "--loss", loss), 2e-4, 3)


GANS = (
    fanogan("wasserstein", "gradient:10"),  # the original of f-AnoGAN
    fanogan("non-saturating"),
    fanogan("ganetic"),
    fanogan("least-squares"),
    ganomaly("non-saturating"),  # the original of GANomaly
    ganomaly("least-squares"),
    ganomaly("ganetic"),
)
OTHERS = {"autoencoder": 3, "padim": 1, "neighbours": 1, "pixels": 1, "colour": 1, "brightness": 1}
"""Detector → seeds."""
COMPARISONS = (
    ("fanogan", "fanogan", "fanogan, wasserstein+gradient:10"),
    ("ganomaly", "ganomaly", "ganomaly, non-saturating"),
    ("all", "", "neighbours"),
)
"""Name, how its runs' labels begin, and the row that the others are compared with."""


@dataclass(frozen=True)
class Study:
    """One domain's runs."""

    name: str
    data: Path
    out: Path
    work: Path
    steps: tuple[str, ...]

    @property
    def domain(self) -> Domain:
        return DOMAINS[self.name]

    def fit(self, label: str, options: Sequence[str], seed: int, *further: str) -> Command:
        """Return the command that fits a run in WORK."""
        run, one = self.work / label, self.domain
        where = ("--normal", str(self.data / one.folder / "normal"), "--groups", one.groups)
        # its groups are kept for the test only where there are normal images of others
        kept = () if one.evaluate else ("--abnormal", str(self.data / one.folder / one.abnormal))
        line = ("detect", "fit", str(run), *where, *kept, *options, "--seed", str(seed), *further)
        return Command(line, run / "fit.json", run / "config.json")

    def evaluate(self, label: str, headline: bool) -> Command:
        """Return the command that tests it and writes to OUT."""
        one, out = self.domain, self.out / label
        abnormal = ("--abnormal", str(self.data / one.folder / one.abnormal))
        options = ("--no-pictures", "--out", str(out), *(("--headline",) if headline else ()), *one.evaluate)
        return Command(("detect", "evaluate", str(self.work / label), *abnormal, *options), out / "run.json")


def chosen_rates(study: Study, gans: Sequence[Gan], workers: int) -> dict[str, float]:
    """Fit each GAN at each rate; return label → the rate, chosen on held-out normals.

    Raises:
        SystemExit: a fit has not ended, or every rate of a GAN fails.
    """
    tried = {gan.label: list(RATES) for gan in gans}
    values: dict[str, dict[float, float | None]] = {gan.label: {} for gan in gans}
    for _ in range(1 + WIDEN):
        missing = [(gan, rate) for gan in gans for rate in tried[gan.label] if rate not in values[gan.label]]
        commands = [study.fit(rate_run(gan, rate), rate_options(gan, rate), RATE_SEED, *study.steps)
                    for gan, rate in missing]  # fmt: skip
        carry_out(commands, workers=workers, title="rates")
        need(commands)
        for gan, rate in missing:
            values[gan.label][rate] = judged(study.work / rate_run(gan, rate), gan)
        for gan in gans:
            best, rates = best_of(gan.label, values[gan.label]), sorted(tried[gan.label])
            further = rates[0] / 3 if best == rates[0] else rates[-1] * 3 if best == rates[-1] else None
            if further is not None:
                tried[gan.label].append(further)
    chosen = {gan.label: gan.rate * best_of(gan.label, values[gan.label]) for gan in gans}
    found = {
        gan.label: {
            "rate": chosen[gan.label],
            "judged": {f"{gan.rate * rate:.3g}": value for rate, value in sorted(values[gan.label].items())},
        }
        for gan in gans
    }
    write_json(study.out / "rates.json", found)
    return chosen


def rate_run(gan: Gan, factor: float) -> str:
    return f"rates/{gan.label}-x{factor:.3g}"


def rate_options(gan: Gan, factor: float) -> tuple[str, ...]:
    """Return the options of a fit that shows how good a rate is; no encoder is needed for that."""
    short = ("--set", "encoder_steps=1") if gan.label.startswith("fanogan") else ()
    return (*gan.options, "--rate", f"{gan.rate * factor:g}", *short)


def best_of(label: str, values: dict[float, float | None]) -> float:
    ended = {rate: value for rate, value in values.items() if value is not None}
    if not ended:
        raise SystemExit(f"{label}: its training fails at every rate")
    return min(ended, key=lambda rate: ended[rate])


def judged(run: Path, gan: Gan) -> float | None:
    """Return what a rate is judged by, smaller is better; None if training failed."""
    if json.loads((run / "fit.json").read_text(encoding="utf-8"))["failure"] is not None:
        return None
    if not gan.label.startswith("fanogan"):
        frozen = json.loads((run / "checkpoint" / "detector.json").read_text(encoding="utf-8"))["frozen"]
        return float(frozen["means"]["image"])
    config, detector, _ = fitted_detector(run)
    held_out = prepared_again(run).part(config.parts.held_out).images
    assert isinstance(detector, FAnoGAN)
    z = latents(SAMPLES, detector.settings.latent_dim, generator=torch_generator(RATE_SEED, "rates"))
    extractor = load_extractor("efficientnet-lite0")
    made, real = extractor(decode(detector.generator, z)), extractor(held_out)
    return float(kernel_distance(real, made, generator=numpy_generator(RATE_SEED, "rates")).mean)


def failures(study: Study, labels: Sequence[str]) -> dict[str, str]:
    """Return the runs whose training failed, with what it said, and write them down."""
    found = {}
    for label in labels:
        failure = json.loads((study.work / label / "fit.json").read_text(encoding="utf-8"))["failure"]
        if failure is not None:
            found[label] = str(failure["message"])
    write_json(study.out / "failures.json", found)
    return found


def runs(study: Study, gans: Sequence[Gan], rates: dict[str, float]) -> Iterator[tuple[str, Command, bool]]:
    """Yield label, fitting command and whether it is a headline of every run, seed after seed."""
    for seed in range(max(gan.seeds for gan in gans)):
        for gan in (one for one in gans if seed < one.seeds):
            label = f"{gan.label}-seed{seed}"
            rate = ("--rate", f"{rates[gan.label]:g}", *study.steps)
            yield label, study.fit(label, gan.options, seed, *rate), True
        for name in (one for one, seeds in OTHERS.items() if seed < seeds):
            yield f"{name}-seed{seed}", study.fit(f"{name}-seed{seed}", ("--detector", name), seed), False


def main() -> None:
    """Carry a domain out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domain", choices=sorted(DOMAINS))
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--out", type=Path, default=Path("results/detection"))
    parser.add_argument("--work", type=Path, default=Path("build/detection"))
    parser.add_argument("--steps", type=int, help="updates of each GAN [default: the detector's]")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    # a trial of few updates lies apart: nothing of it is taken for the real one
    name = given.domain if given.steps is None else f"{given.domain}-{given.steps}-steps"
    steps = () if given.steps is None else ("--steps", str(given.steps))
    study = Study(given.domain, given.data_dir, given.out / name, given.work / name, steps)
    study.out.mkdir(parents=True, exist_ok=True)
    prepare()
    every = list(runs(study, GANS, chosen_rates(study, GANS, given.workers)))
    fits = [fit for _, fit, _ in every]
    carry_out(fits, workers=given.workers, title="fits")
    need(fits)
    failed = failures(study, [label for label, *_ in every])
    tests = [study.evaluate(label, headline) for label, _, headline in every if label not in failed]
    carry_out(tests, workers=given.workers, title="tests")
    need(tests)
    for label in (one for one, *_ in every if one not in failed):
        shutil.copy(study.work / label / "config.json", study.out / label / "config.json")
    for family, prefix, reference in COMPARISONS:
        folders = [str(study.out / label) for label, *_ in every if label.startswith(prefix) and label not in failed]
        out = study.out / f"compared-{family}"
        (out / "comparison.json").unlink(missing_ok=True)  # of what there is now
        command = Command(
            ("detect", "compare", *folders, "--reference", reference, "--out", str(out)), out / "comparison.json"
        )
        carry_out([command], workers=1, title="comparison")
        need([command])


if __name__ == "__main__":
    main()
