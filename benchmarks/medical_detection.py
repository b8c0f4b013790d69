"""All detectors on polyps and glaucoma: rates chosen on held-out normals, five seeds each, tested once, compared.

    python benchmarks/medical_detection.py {polyp,fundus} --data-dir DIR [--out results/detection] [--workers 2]

1. Rates. Each GAN at each rate, with one seed of its own, its test images never read. That rate is taken whose held-out
   *normals* are reconstructed best (mean residual of pixels); ``rates.json`` holds all of them.
2. Runs. Each GAN at its rate with five seeds (GANomaly: three), and the detectors that need none or one; ``evaluate``
   looks at the labelled test images once.
3. Comparisons, paired over the same test images, against the detector's original loss, and of all against neighbours.

Killed and started again it goes on where it was. What is fitted and where images lie stays in WORK (default: build/
detection), which is not published; tables, scores and pages without pictures of test images go to OUT.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import Command, carry_out

from ganetics._files import write_atomically
from ganetics.records import to_json

RATES = (0.3, 1.0, 3.0)
"""Factors of the detector's default."""
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
    ("fanogan", "fanogan", "fanogan, wasserstein"),
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
    """Fit each GAN at each rate; return label → the rate, chosen on held-out normals."""
    path = study.out / "rates.json"
    if path.exists():
        return {label: one["rate"] for label, one in json.loads(path.read_text(encoding="utf-8")).items()}
    named = {(gan.label, rate): f"rates/{gan.label}-x{rate:g}" for gan in gans for rate in RATES}
    commands = [
        study.fit(named[gan.label, rate], gan.options, RATE_SEED, "--rate", f"{gan.rate * rate:g}", *study.steps)
        for rate in RATES
        for gan in gans
    ]
    carry_out(commands, workers=workers, title="rates")
    found: dict[str, dict[str, Any]] = {}
    for gan in gans:
        residuals = {rate: residual(study.work / named[gan.label, rate]) for rate in RATES}
        ended = {rate: value for rate, value in residuals.items() if value is not None}
        best = min(ended, key=lambda rate: ended[rate], default=RATES[0])
        found[gan.label] = {
            "rate": gan.rate * best,
            "residual of held-out normals": {f"{gan.rate * rate:g}": residuals[rate] for rate in RATES},
        }
    write_atomically(path, (to_json(found, indent=1) + "\n").encode())
    return {label: float(one["rate"]) for label, one in found.items()}


def residual(run: Path) -> float | None:
    """Return the mean residual of pixels of a run's held-out normals; None if its training failed."""
    path = run / "checkpoint" / "detector.json"
    if not path.exists():
        return None
    return float(json.loads(path.read_text(encoding="utf-8"))["frozen"]["means"]["image"])


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
    parser.add_argument("--only", nargs="*", default=None, help="labels of GANs, all if not given")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    steps = () if given.steps is None else ("--steps", str(given.steps))
    study = Study(given.domain, given.data_dir, given.out / given.domain, given.work / given.domain, steps)
    study.out.mkdir(parents=True, exist_ok=True)
    gans = [gan for gan in GANS if given.only is None or gan.label in given.only]
    rates = chosen_rates(study, gans, given.workers)
    every = list(runs(study, gans, rates))
    carry_out([fit for _, fit, _ in every], workers=given.workers, title="fits")
    carry_out([study.evaluate(label, headline) for label, _, headline in every], workers=given.workers, title="tests")
    for label, _, _ in every:
        if (study.work / label / "fit.json").exists() and (study.out / label).exists():
            shutil.copy(study.work / label / "config.json", study.out / label / "config.json")
    for family, prefix, reference in COMPARISONS:
        folders = [str(study.out / label) for label, *_ in every if label.startswith(prefix)]
        if folders:
            out = study.out / f"compared-{family}"
            line = ("detect", "compare", *folders, "--reference", reference, "--out", str(out))
            carry_out([Command(line, out / "comparison.json")], workers=1, title="comparison")


if __name__ == "__main__":
    main()
