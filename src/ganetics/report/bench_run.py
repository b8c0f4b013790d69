"""A benchmark's folder as a report sees it: read only, so that a benchmark may be at work in it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ganetics.benchmark.config import BenchConfig
from ganetics.benchmark.labels import short_names
from ganetics.benchmark.plan import Line, Phase, plan, seeds, split
from ganetics.benchmark.results import Results, preview_name, results
from ganetics.benchmark.tables import Row, Table
from ganetics.benchmark.times import Times, numeric, times
from ganetics.execution.log import Log, read_config_as
from ganetics.records import optional_object


@dataclass(frozen=True)
class Sample:
    """A final run that has left a picture."""

    which: Literal["best", "worst"]
    seed: int
    fid: float
    file: str
    """Relative to the run's folder; it need not be there."""


@dataclass(frozen=True)
class BenchRun:
    """What a benchmark has recorded."""

    path: Path
    config: BenchConfig
    lines: tuple[Line, ...]
    """Of the archive."""
    results: Results
    total: int
    """Runs of all phases, as far as they are decided."""
    finished: bool
    timings: tuple[Mapping[str, Any], ...]
    environment: Mapping[str, Any]
    reference: Mapping[str, Any]
    """``reference.json``: split → ``n_real``, ``floor`` and ``floor_n``; empty where there is none."""

    @property
    def baseline(self) -> str:
        """Label of the loss that the others are compared with."""
        return self.config.baseline

    @property
    def final(self) -> Table | None:
        """Each loss at its own best rate, at the last step; None before the final runs."""
        return self.results.tables.get("final")

    @property
    def order(self) -> list[str]:
        """Labels of all losses, best first where that is known."""
        table = self.final or self.results.tables.get("common")
        ranked = [row.loss for row in table.rows] if table is not None else []
        return [*ranked, *(one.label for one in self.config.contenders if one.label not in ranked)]

    @property
    def names(self) -> dict[str, str]:
        """Label → what tables and figures call the loss."""
        return short_names(one.label for one in self.config.contenders)

    def name(self, label: str) -> str:
        """Return what tables and figures call a loss: its label, cut off if it is long."""
        return self.names.get(label, label)

    @property
    def elapsed(self) -> float | None:
        """Seconds, over all the times that the benchmark was gone on with; None: not recorded."""
        told = [float(line["elapsed_seconds"]) for line in self.timings if numeric(line, "elapsed_seconds")]
        return max(told, default=None)

    def times(self, phase: str) -> dict[str, Times]:
        """Return what the runs of a phase took, by label; without those of which nothing is recorded."""
        return {one.loss: one for one in times(self.lines, self.timings) if one.phase == phase}

    def row(self, label: str, table: str = "final") -> Row | None:
        """Return a loss's row in a table."""
        found = self.results.tables.get(table)
        return None if found is None else next((row for row in found.rows if row.loss == label), None)

    def runs(self, phase: Phase, label: str | None = None) -> list[Line]:
        """Return the lines of a phase, of one loss or of all."""
        return [line for line in self.lines if line["phase"] == phase and label in (None, line["loss"])]

    def floor(self, phase: Phase = "final") -> tuple[float, int] | None:
        """Return the Fréchet distance of two halves of the real images that a phase is scored on, and the images in
        each; None where not recorded.
        """
        found = self.reference.get(split(self.config, phase)) or {}
        return None if found.get("floor") is None else (float(found["floor"]), int(found["floor_n"]))

    def samples(self, label: str) -> list[Sample]:
        """Return the best and the worst final run that ended; one alone is both and is given once."""
        ended = [line for line in self.runs("final", label) if line["fid"] is not None]
        sides: tuple[tuple[Literal["best", "worst"], Callable[..., Line]], ...] = (("best", min), ("worst", max))
        found = []
        for which, extreme in sides[: len(ended)]:
            line = extreme(ended, key=lambda line: float(line["fid"]))  # the first of equal ones, as in the run
            file = preview_name(self.config, label, which)
            found.append(Sample(which, line["seed"], float(line["fid"]), file))
        return found

    def best_step(self, label: str) -> int | None:
        """Return the median step of the final runs' best checkpoints; None if no run ended."""
        steps = [line["best"]["step"] for line in self.runs("final", label) if line["fid"] is not None]
        return round(statistics.median(steps)) if steps else None

    def seeds(self, phase: Phase) -> tuple[int, ...]:
        """Return the training seeds of a phase."""
        return seeds(self.config, phase)


def read_bench(folder: Path, found: Results | None = None) -> BenchRun:
    """Read a benchmark's folder.

    Args:
        folder: of the run.
        found: its results, where the caller has just made them: bootstraps take seconds.

    Raises:
        InputError: there is no benchmark in it, a file is damaged, or its protocol was changed; names the file.
    """
    config = read_config_as(BenchConfig, folder)
    archive = Log(folder / "archive.jsonl")
    lines = archive.read()
    decided = plan(config, lines, where=archive.path)
    found = found or results(folder, config, lines)
    return BenchRun(
        path=folder,
        config=config,
        lines=tuple(lines),
        results=found,
        total=decided.total,
        finished=len(lines) == len(decided.runs),
        timings=tuple(Log(folder / "timings.jsonl", skip_damaged=True).read()),
        environment=optional_object(folder / "environment.json"),
        reference=optional_object(folder / "reference.json"),
    )


def ended(lines: Sequence[Line]) -> list[float]:
    """Return the distances of the runs that did not fail."""
    return [float(line["fid"]) for line in lines if line["fid"] is not None]
