"""Generators of tissue, polyp patches and fundus at 64 pixels: each loss at its best rate, three seeds, one page.

    python benchmarks/medical_generation.py {histology,polyp,fundus} --data-dir DIR [--evolved LABEL=LOSS] [--workers 2]

1. Rates: ``ganetics bench`` at fewer steps, judged on validation images (``OUT/rates``).
2. Runs: ``ganetics train`` of each loss at its rate, with three seeds and equal steps, and on one domain of the ResNet
   GAN with the loss it was published with and with GANetic.
3. ``ganetics evaluate --run`` against the test images, once.

Killed and started again it goes on where it was. Checkpoints and whatever shows real images (the sheet of the closest
pairs, pages with it) stay in WORK, which is not published; records, cards and sheets of *generated* images go to OUT.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from commands import Command, carry_out

from ganetics._files import write_atomically

PUBLISHED = ("config.json", "metrics.json", "history.jsonl", "evaluation.json", "audit.json", "card.md", "about.json")
LOSSES = {"ganetic": "ganetic", "non-saturating": "non-saturating", "least-squares": "least-squares"}
"""Label → loss; non-saturating is what the DCGAN was published with."""

PRECISION = "bfloat16"
"""A quarter less time here, a third for the ResNet; losses, penalties and weights stay float32."""


@dataclass(frozen=True)
class Domain:
    """A set of images, and how it is split."""

    folder: str
    groups: str | None
    licence: str
    accept_audit: bool = False
    resnet: bool = False


DOMAINS = {
    # made by rotation and flips of unknown originals: copies cross any split, which the audit finds
    "histology": Domain("histology-colon", None, "LC25000, free for research", accept_audit=True),
    "polyp": Domain("polyp-patches", r"seq\d+", "CVC-ClinicDB, research and education only", resnet=True),
    "fundus": Domain("fundus", r"patient\d+", "ODIR compilation, research"),
}


@dataclass(frozen=True)
class Study:
    """One domain's runs."""

    domain: Domain
    data: Path
    """Absolute, as ``work``: the records name them so."""
    out: Path
    work: Path
    losses: Mapping[str, str]

    def images(self) -> tuple[str, ...]:
        """Return the options that say which images, and that the audit is known."""
        groups = () if self.domain.groups is None else ("--groups", self.domain.groups)
        accept = ("--accept-audit",) if self.domain.accept_audit else ()
        return ("--dataset", str(self.data / self.domain.folder), *groups, *accept)

    def rates(self, steps: int, workers: int) -> Command:
        """Return the benchmark that chooses the rates."""
        losses = ",".join(f"{label}={loss}" if label != loss else label for label, loss in self.losses.items())
        few = ("--tuning-seeds", "1", "--seeds", "1", "--common-seeds", "0", "--score-at", "none", "--widen", "1")
        recipe = ("--recipe", "images-64", "--steps", str(steps), "--precision", PRECISION)
        line = ("bench", str(self.out / "rates"), *self.images(), *recipe)
        begun = self.out / "rates" / "config.json"
        arguments = (*line, "--losses", losses, "--rates", "0.3,1,3", *few, "--workers", str(workers))
        return Command(arguments, self.out / "rates" / "tables.json", begun)

    def chosen(self) -> dict[str, float]:
        """Return label → learning rate, as the benchmark has it."""
        lines = [json.loads(line) for line in (self.out / "rates" / "archive.jsonl").read_text().splitlines()]
        return {line["loss"]: line["lr"] for line in lines if line["phase"] == "final"}

    def train(self, name: str, loss: str, rate: float | None, recipe: str, steps: int, seed: int) -> Command:
        """Return the command that trains a generator in WORK."""
        run = self.work / name
        settings = ("--recipe", recipe, "--steps", str(steps), "--seed", str(seed), "--precision", PRECISION)
        own = () if rate is None else ("--rate", f"{rate:g}")
        licence = ("--licence", self.domain.licence)
        arguments = ("train", str(run), *self.images(), "--loss", loss, *own, *settings, *licence)
        return Command(arguments, run / "metrics.json", run / "config.json")

    def evaluate(self, name: str) -> Command:
        """Return the command that compares its images with the test images."""
        run = self.work / name
        return Command(("evaluate", "--run", str(run), "--split", "test"), run / "evaluation.json")

    def publish(self, name: str) -> None:
        """Copy what shows no real image, without the places of this machine."""
        run, out = self.work / name, self.out / name
        out.mkdir(parents=True, exist_ok=True)
        for one in (one for one in PUBLISHED if (run / one).exists()):
            text = (run / one).read_text(encoding="utf-8")
            for place, word in ((self.data, "DIR"), (self.work, "WORK")):
                text = text.replace(str(place), word)
            write_atomically(out / one, text.encode())
        for sheet in sorted((run / "samples").glob("*.png"))[-1:]:
            shutil.copy(sheet, out / "samples.png")


def runs(study: Study, given: argparse.Namespace, rates: Mapping[str, float]) -> Iterator[tuple[str, Command]]:
    """Yield name and command of every training run, seed after seed."""
    for seed in range(given.seeds):
        for label, loss in study.losses.items():
            name = f"{label}-seed{seed}"
            yield name, study.train(name, loss, rates[label], "images-64", given.steps, seed)
        if study.domain.resnet:
            for loss in ("baseline", "ganetic"):
                name = f"resnet-{loss}-seed{seed}"
                yield name, study.train(name, loss, None, "images-64-resnet", given.resnet_steps, seed)


def main() -> None:
    """Carry a domain out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domain", choices=sorted(DOMAINS))
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--evolved", help="LABEL=LOSS")
    parser.add_argument("--out", type=Path, default=Path("results/generation"))
    parser.add_argument("--work", type=Path, default=Path("build/generation"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rate-steps", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=3000, help="some 6 minutes on one core")
    parser.add_argument("--resnet-steps", type=int, default=1200)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    label, _, loss = (given.evolved or "").partition("=")
    losses = {**LOSSES, **({label: loss} if loss else {})}
    out, work = given.out / given.domain, (given.work / given.domain).resolve()
    study = Study(DOMAINS[given.domain], given.data_dir.resolve(), out, work, losses)
    if carry_out([study.rates(given.rate_steps, given.workers)], workers=1, title="rates"):
        raise SystemExit("the rates could not be chosen")
    every = list(runs(study, given, study.chosen()))
    carry_out([command for _, command in every], workers=given.workers, title="runs")
    carry_out([study.evaluate(name) for name, _ in every], workers=given.workers, title="evaluations")
    for name, _ in every:
        study.publish(name)


if __name__ == "__main__":
    main()
