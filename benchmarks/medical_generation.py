"""Generators of tissue, polyp patches and fundus at 64 pixels: each loss at its best rate, several seeds, one page.

    python benchmarks/medical_generation.py {histology,polyp,fundus} --data-dir DIR [--workers 2]

1. Rates: ``ganetics bench`` at fewer steps and other seeds, judged on validation images: of the question asked, GANetic
   against the loss that the model was published with, by half the steps and two seeds (``OUT/rates``), as a rate chosen
   badly decides it whatever the number of runs; of the others by a third and one (``OUT/rates-further``, on one domain
   ``OUT/rates-resnet``).
2. Runs: ``ganetics train`` of each loss at its rate with equal steps: of the question asked, five seeds; of the others
   three, which describe and decide nothing. The evolved loss is trained with the penalties that it was found with, and
   so is the baseline once more, to be compared with it.
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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from commands import Command, call, carry_out

from ganetics._files import write_atomically
from ganetics.report.grids import top_rows

PUBLISHED = (
    "config.json", "history.jsonl", "evaluation.json", "audit.json", "card.md", "about.json", "timings.jsonl",
    "environment.json",
)  # fmt: skip
FIRST_ROWS, ROWS = 4, 1
"""Of the sheet of generated images, of the first seed and of the others: eight images each."""
RESULT = "metrics.json"
"""Published last: where it is, a run is through."""
PAIR = ("non-saturating", "ganetic")
"""What is asked about: the loss that the DCGAN was published with, and the paper's."""
FURTHER = ("least-squares", "non-saturating+r1:0.05+r2:0.05", "evolved-pairing+r1:0.05+r2:0.05")
RESNET = ("hinge", "ganetic")
"""The loss that the ResNet GAN was published with, and the paper's."""
DCGAN_RECIPE, RESNET_RECIPE = "images-64", "images-64-resnet"


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

    run: int
    rates: int
    """Where the rates of the question asked are chosen."""
    further: int
    """Where those of the others are."""

    def of_resnet(self) -> Steps:
        """Return what takes about as long: a step of it takes two and a half times that of the DCGAN."""
        return Steps(*(max(1, steps * 2 // 5) for steps in (self.run, self.rates, self.further)))


def steps_of(run: int) -> Steps:
    """Return the steps that go with those of a run."""
    return Steps(run, max(1, run // 2), max(1, run // 3))


STEPS = 2500


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

    def rates(
        self, name: str, recipe: str, losses: Sequence[str], steps: int, workers: int, *, seeds: int = 1
    ) -> Command:
        """Return the benchmark that chooses the rates of some losses."""
        alone = ("--seeds", "0", "--common-seeds", "0", "--tuning-seeds", str(seeds), "--widen", "1")
        settings = ("--recipe", recipe, "--steps", str(steps))
        line = ("bench", str(self.out / name), *self.images(), *settings, "--losses", ",".join(losses))
        arguments = (*line, "--rates", "0.3,1", *alone, "--workers", str(workers))
        return Command(arguments, self.out / name / "tables.json", self.out / name / "config.json")

    def chosen(self, name: str) -> dict[str, float]:
        """Return loss → learning rate, as the benchmark has it; a loss that fails at every rate has none."""
        lines = [json.loads(line) for line in (self.out / name / "archive.jsonl").read_text().splitlines()]
        best = json.loads((self.out / name / "tables.json").read_text())["tuned"]
        ended = [line for line in lines if line["fid"] is not None]
        return {line["loss"]: line["lr"] for line in ended if line["rate"] == best[line["loss"]]["rate"]}

    def train(self, name: str, loss: str, rate: float, recipe: str, steps: int, seed: int) -> Command:
        """Return the command that trains a generator in WORK."""
        run = self.work / name
        settings = ("--recipe", recipe, "--steps", str(steps), "--seed", str(seed))
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
            rows = FIRST_ROWS if name.endswith("seed0") else ROWS
            write_atomically(out / "samples.png", top_rows(sheet.read_bytes(), rows))
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
    rates = {**study.chosen("rates"), **study.chosen("rates-further")}
    of_resnet = study.chosen("rates-resnet") if study.domain.resnet else {}
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
    parser.add_argument("--seeds", type=int, default=5, help="of the two losses that are asked about")
    parser.add_argument("--further-seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS, help="some 4 minutes on one core, with penalties 9")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    # a trial of few updates lies apart: nothing of it is taken for the real one
    told = "" if given.steps == STEPS else f"-{given.steps}-steps"
    out, work = (Path(f"{place}{told}") / given.domain for place in (given.out, given.work))
    steps, workers = steps_of(given.steps), given.workers
    study = Study(DOMAINS[given.domain], given.data_dir.resolve(), out, work.resolve())
    rates = {
        "rates": study.rates("rates", DCGAN_RECIPE, PAIR, steps.rates, workers, seeds=2),
        "rates-further": study.rates("rates-further", DCGAN_RECIPE, FURTHER, steps.further, workers),
    }
    if study.domain.resnet:
        rates["rates-resnet"] = study.rates("rates-resnet", RESNET_RECIPE, RESNET, steps.of_resnet().further, workers)
    carry_out({name: partial(call, bench) for name, bench in rates.items()}, workers=1, title="rates")
    missing = {
        name: partial(study.carry_through, name, train)
        for name, train in runs(study, given, steps)
        if not (study.out / name / RESULT).exists()
    }
    carry_out(missing, workers=workers, title="runs")
    page = out.parent / "report.html"
    page.unlink(missing_ok=True)  # of what there is now
    carry_out({"report": partial(call, Command(("report", str(out.parent)), page))}, workers=1, title="page")


if __name__ == "__main__":
    main()
