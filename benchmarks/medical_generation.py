"""Generators of tissue, polyp patches and fundus at 64 pixels: each loss at its best rate, several seeds, one page.

    python benchmarks/medical_generation.py {histology,polyp,fundus} --data-dir DIR [--workers 2]

1. Rates: ``ganetics bench`` at fewer steps, judged on validation images (``OUT/rates``, and on one domain
   ``OUT/rates-resnet``).
2. Runs: ``ganetics train`` of each loss at its rate with equal steps: of the question asked, GANetic against the loss
   that the model was published with, eight seeds; of the others three, which describe and decide nothing. The evolved
   loss is trained with the penalties that it was found with, and so is the baseline once more, to be compared with it.
   On one domain the ResNet GAN, with the loss it was published with and with GANetic.
   Each is then compared with the test images by ``ganetics evaluate --run``, once: nothing is chosen after that.
3. ``ganetics report`` over all domains there are.

Killed and started again it goes on where it was, on another machine from what OUT holds; other numbers of steps go to
other folders. A training that does not stay finite is a result: its record says so, and its loss has a seed less.
Checkpoints and whatever shows real images (the sheet of the closest pairs, pages with it) stay in WORK, which is not
published; records, cards and sheets of *generated* images go to OUT as each run ends.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from commands import Command, call, carry_out

from ganetics._files import write_atomically

PUBLISHED = (
    "config.json", "history.jsonl", "evaluation.json", "audit.json", "card.md", "about.json", "timings.jsonl",
    "environment.json",
)  # fmt: skip
RESULT = "metrics.json"
"""Published last: where it is, a run is through."""
PAIR = ("non-saturating", "ganetic")
"""What is asked about: the loss that the DCGAN was published with, and the paper's."""
FURTHER = ("least-squares", "non-saturating+r1:0.05+r2:0.05", "evolved-pairing+r1:0.05+r2:0.05")
RESNET = ("hinge", "ganetic")
"""The loss that the ResNet GAN was published with, and the paper's."""
DCGAN_RECIPE, RESNET_RECIPE = "images-64", "images-64-resnet"

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
class Steps:
    """Updates of the generator."""

    rates: int
    """Where rates are chosen."""
    run: int

    def of_resnet(self) -> Steps:
        """Return what takes about as long: an update of its generator comes with five of its discriminator."""
        return Steps(max(1, self.rates * 2 // 5), max(1, self.run * 2 // 5))


STEPS = Steps(rates=800, run=2500)


@dataclass(frozen=True)
class Study:
    """One domain's runs."""

    domain: Domain
    data: Path
    """Absolute, as ``work``: the records name them so."""
    out: Path
    work: Path

    def images(self) -> tuple[str, ...]:
        """Return the options that say which images, and that the audit is known."""
        groups = () if self.domain.groups is None else ("--groups", self.domain.groups)
        accept = ("--accept-audit",) if self.domain.accept_audit else ()
        return ("--dataset", str(self.data / self.domain.folder), *groups, *accept)

    def rates(self, name: str, recipe: str, losses: Sequence[str], steps: int, workers: int) -> Command:
        """Return the benchmark that chooses the rates of some losses."""
        few = ("--tuning-seeds", "1", "--seeds", "1", "--common-seeds", "0", "--score-at", "none", "--widen", "1")
        settings = ("--recipe", recipe, "--steps", str(steps), "--precision", PRECISION)
        line = ("bench", str(self.out / name), *self.images(), *settings, "--losses", ",".join(losses))
        arguments = (*line, "--rates", "0.3,1,3", *few, "--workers", str(workers))
        return Command(arguments, self.out / name / "tables.json", self.out / name / "config.json")

    def chosen(self, name: str) -> dict[str, float]:
        """Return loss → learning rate, as the benchmark has it; a loss that fails at every rate has none."""
        lines = [json.loads(line) for line in (self.out / name / "archive.jsonl").read_text().splitlines()]
        return {line["loss"]: line["lr"] for line in lines if line["phase"] == "final"}

    def train(self, name: str, loss: str, rate: float, recipe: str, steps: int, seed: int) -> Command:
        """Return the command that trains a generator in WORK."""
        run = self.work / name
        settings = ("--recipe", recipe, "--steps", str(steps), "--seed", str(seed), "--precision", PRECISION)
        line = ("train", str(run), *self.images(), "--loss", loss, "--rate", f"{rate:g}", *settings)
        return Command((*line, "--licence", self.domain.licence), run / RESULT, run / "config.json")

    def failed(self, name: str) -> bool:
        """Tell whether a run's training did not stay finite."""
        result = json.loads((self.work / name / RESULT).read_text(encoding="utf-8"))
        return result["outcome"]["failure"] is not None

    def evaluate(self, name: str) -> Command:
        """Return the command that compares its images with the test images."""
        run = self.work / name
        return Command(("evaluate", "--run", str(run), "--split", "test"), run / "evaluation.json")

    def publish(self, name: str) -> None:
        """Copy what shows no real image, without the places of this machine."""
        run, out = self.work / name, self.out / name
        out.mkdir(parents=True, exist_ok=True)
        for sheet in sorted((run / "samples").glob("*.png"))[-1:]:
            shutil.copy(sheet, out / "samples.png")
        for one in (one for one in (*PUBLISHED, RESULT) if (run / one).exists()):
            text = (run / one).read_text(encoding="utf-8")
            for place, word in ((self.data, "DIR"), (self.work, "WORK")):
                text = text.replace(str(place), word)
            write_atomically(out / one, text.encode())

    def carry_through(self, name: str, train: Command) -> None:
        """Train, compare with the test images and publish."""
        call(train)
        if not self.failed(name):
            call(self.evaluate(name))
        self.publish(name)


def folder_of(loss: str) -> str:
    """Return what a loss's folders are called.

    >>> folder_of("non-saturating+r1:0.05+r2:0.05")
    'non-saturating-r1-r2'
    """
    return re.sub(r":[^+]*", "", loss).replace("+", "-")


def runs(study: Study, given: argparse.Namespace, steps: Steps) -> Iterator[tuple[str, Command]]:
    """Yield name and command of every training run, seed after seed."""
    rates, of_resnet = study.chosen("rates"), study.chosen("rates-resnet") if study.domain.resnet else {}
    for seed in range(given.seeds):
        # what fails at every rate has none
        for loss in filter(rates.__contains__, (*PAIR, *(FURTHER if seed < given.further_seeds else ()))):
            name = f"{folder_of(loss)}-seed{seed}"
            yield name, study.train(name, loss, rates[loss], DCGAN_RECIPE, steps.run, seed)
        for loss in of_resnet if seed < given.further_seeds else ():
            name = f"resnet-{folder_of(loss)}-seed{seed}"
            yield name, study.train(name, loss, of_resnet[loss], RESNET_RECIPE, steps.of_resnet().run, seed)


def main() -> None:
    """Carry a domain out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domain", choices=sorted(DOMAINS))
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--out", type=Path, default=Path("results/generation"))
    parser.add_argument("--work", type=Path, default=Path("build/generation"))
    parser.add_argument("--seeds", type=int, default=8, help="of the two losses that are asked about")
    parser.add_argument("--further-seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS.run, help="some 4 minutes on one core, with penalties 8")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    # a trial of few updates lies apart: nothing of it is taken for the real one
    told = "" if given.steps == STEPS.run else f"-{given.steps}-steps"
    out, work = (Path(f"{place}{told}") / given.domain for place in (given.out, given.work))
    steps = Steps(max(1, STEPS.rates * given.steps // STEPS.run), given.steps)
    study = Study(DOMAINS[given.domain], given.data_dir.resolve(), out, work.resolve())
    rates = {"rates": study.rates("rates", DCGAN_RECIPE, (*PAIR, *FURTHER), steps.rates, given.workers)}
    if study.domain.resnet:
        short = steps.of_resnet().rates
        rates["rates-resnet"] = study.rates("rates-resnet", RESNET_RECIPE, RESNET, short, given.workers)
    carry_out({name: partial(call, bench) for name, bench in rates.items()}, workers=1, title="rates")
    missing = {
        name: partial(study.carry_through, name, train)
        for name, train in runs(study, given, steps)
        if not (study.out / name / RESULT).exists()
    }
    carry_out(missing, workers=given.workers, title="runs")
    page = out.parent / "report.html"
    page.unlink(missing_ok=True)  # of what there is now
    carry_out({"report": partial(call, Command(("report", str(out.parent)), page))}, workers=1, title="page")


if __name__ == "__main__":
    main()
