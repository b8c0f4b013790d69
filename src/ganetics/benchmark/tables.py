"""The benchmark's tables, from the lines of its archive alone.

A line is one training run. Of it are read: ``dataset``, ``phase``, ``loss`` (label), ``rate`` (factor), ``lr``,
``batch_size``, ``seed``, ``recipe`` (name), ``steps``, ``split``, ``extractor`` and ``extractor_digest``, ``n``,
``fid`` and the other metrics (None where it failed), ``best`` (``{step, fid}`` or None) and ``collapsed``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ganetics._check import InputError
from ganetics._random import numpy_generator
from ganetics.benchmark.estimate import Estimate, estimate
from ganetics.benchmark.statistics import (
    FEWEST,
    Comparison,
    Interval,
    Rank,
    Runs,
    Summary,
    as_family,
    compare,
    ranks,
    share,
    summarise,
)

Line = Mapping[str, Any]
Checkpoint = Literal["last", "best"]
METRICS = ("kid", "precision", "recall", "density", "coverage")
FEW = (
    f"No bootstrap intervals (of interquartile mean and probability) of losses with fewer than {FEWEST} seeds, nor of "
    f"places where all losses share fewer than {FEWEST}: they would be little more than the range; t intervals (of "
    "geometric means and ratios) hold from 2 seeds on."
)
SAME = ("dataset", "recipe", "steps", "split", "extractor", "extractor_digest", "n")
"""What all lines of a table agree in: figures that differ in them are not compared."""


@dataclass(frozen=True)
class Row:
    """A loss in a table.

    Attributes:
        loss: its label.
        rate: factor of the recipe's learning rate.
        lr: the learning rate.
        fid: its runs' distances.
        collapsed: share of runs that collapsed (:func:`ganetics.benchmark.collapse.collapsed`).
        rank: its place by the interquartile mean.
        metrics: mean over the runs that ended, of those that were measured.
        metrics_sd: standard deviation (n - 1) over the same runs; of what at least two have.
    """

    loss: str
    rate: float
    lr: float
    fid: Summary
    collapsed: Interval
    rank: Rank
    metrics: dict[str, float]
    metrics_sd: dict[str, float]


@dataclass(frozen=True)
class Table:
    """Losses on one dataset.

    Attributes:
        facts: what all runs have in common: dataset, recipe, steps, split, extractor, n.
        phase: which runs.
        checkpoint: whose distance: that after the last step, or the best of those scored on the way.
        reference: what the others are compared with.
        rows: best first.
        comparisons: of each other loss with the reference, one family; in the order of the rows.
        notes: what a reader must know beside the figures.
    """

    facts: dict[str, Any]
    phase: str
    checkpoint: Checkpoint
    reference: str
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Level:
    """A loss at one learning rate or batch size.

    Attributes:
        value: the rate's factor, or the batch size.
        lr: the learning rate there.
        fid: geometric mean over the seeds that ended.
        worst: the largest distance; None if a run failed.
        failed: runs that failed.
    """

    value: float
    lr: float
    fid: Estimate | None
    worst: float | None
    failed: int


@dataclass(frozen=True)
class Steadiness:
    """How a loss bears other settings: worst case over the levels that all losses were run at, and their seeds.

    Attributes:
        loss: its label.
        levels: by value, also those that only this loss was run at.
        worst: the largest distance over the common levels and all seeds; None if a run failed.
        factor: ``worst`` over the smallest geometric mean of a common level; None if a run failed.
        comparison: of the worst case at each seed with that of the reference; None for the reference itself.
    """

    loss: str
    levels: tuple[Level, ...]
    worst: float | None
    factor: float | None
    comparison: Comparison | None


@dataclass(frozen=True)
class Sweep:
    """What stands beside the :class:`Steadiness` of losses.

    Attributes:
        facts: what all runs have in common: dataset, recipe, steps, split, extractor, n.
        phase: which runs.
        reference: what the others are compared with.
        common: the levels that all losses were run at: the worst cases are over these alone.
        notes: what a reader must know beside the figures.
    """

    facts: dict[str, Any]
    phase: str
    reference: str
    common: tuple[float, ...]
    notes: tuple[str, ...]


def distance(line: Line, checkpoint: Checkpoint = "last") -> float:
    """Return a run's Fréchet distance; infinite if it failed, whatever it had reached before."""
    if line["fid"] is None:
        return math.inf
    return float(line["fid"] if checkpoint == "last" or line["best"] is None else line["best"]["fid"])


def table(
    lines: Iterable[Line], *, reference: str, phase: str = "final", checkpoint: Checkpoint = "last", seed: int = 0
) -> Table:
    """Make the table of one phase of one dataset.

    Args:
        lines: of an archive; other phases are passed over.
        reference: label of the loss that the others are compared with.
        phase: ``final``: each loss at its own best rate; ``common``: all at the recipe's.
        checkpoint: which of a run's distances.
        seed: of the bootstraps.

    Raises:
        InputError: there is no such run, a (loss, seed) is there twice or at two rates, or runs differ in what makes
            figures comparable; names it.
    """
    found = [line for line in lines if line["phase"] == phase]
    facts = _facts(found, phase)
    by_loss = {loss: _by_seed(own) for loss, own in _grouped(found, "loss").items()}
    fids = {loss: {s: distance(line, checkpoint) for s, line in own.items()} for loss, own in by_loss.items()}
    role = f"bootstrap/{facts['dataset']}/{phase}/{checkpoint}"
    places = ranks(fids, generator=numpy_generator(seed, f"{role}/ranks"))
    rows = [
        _row(loss, list(by_loss[loss].values()), fids[loss], places[loss], numpy_generator(seed, f"{role}/{loss}"))
        for loss in by_loss
    ]
    rows.sort(key=lambda row: (row.rank.value, row.loss))
    order = [row.loss for row in rows]
    comparisons = _compared({loss: fids[loss] for loss in order}, reference, seed=seed, role=role)
    return Table(facts, phase, checkpoint, reference, tuple(rows), comparisons, _notes(rows, comparisons, reference))


def steadiness(
    lines: Iterable[Line], *, reference: str, by: Literal["rate", "batch_size"] = "rate", seed: int = 0
) -> tuple[Sweep, tuple[Steadiness, ...]]:
    """Return how steady each loss is over learning rates (tuning runs) or batch sizes (batch runs), steadiest first.

    Only levels that every loss was run at are compared: a loss whose sweep was widened is not the worse for it.

    Raises:
        InputError: as :func:`table`.
    """
    phase = {"rate": "tuning", "batch_size": "batch"}[by]
    found = [line for line in lines if line["phase"] == phase]
    facts = _facts(found, phase)
    lines_of = {loss: _grouped(own, by) for loss, own in _grouped(found, "loss").items()}
    runs = {loss: {level: _distances(some) for level, some in levels.items()} for loss, levels in lines_of.items()}
    common = set.intersection(*(set(levels) for levels in runs.values()))
    if not common:
        raise InputError(f"{phase} runs: the losses must have a {by} in common, got none")
    worst = {loss: _worst_at_each_seed([levels[level] for level in common]) for loss, levels in runs.items()}
    comparisons = _compared(worst, reference, seed=seed, role=f"bootstrap/{facts['dataset']}/{phase}/worst")
    by_label = {one.loss: one for one in comparisons}
    rows = [_steady(loss, levels, common, by_label.get(loss)) for loss, levels in lines_of.items()]
    rows.sort(key=lambda row: (math.inf if row.worst is None else row.worst, row.loss))
    return Sweep(facts, phase, reference, tuple(sorted(common)), ()), tuple(rows)


def _facts(lines: Sequence[Line], phase: str) -> dict[str, Any]:
    if not lines:
        raise InputError(f"{phase} runs: there must be at least one, got none")
    for name in SAME:
        values = {line.get(name) for line in lines}
        if len(values) > 1:
            raise InputError(f"{phase} runs: all must have one {name}, got {sorted(map(str, values))}")
    return {name: lines[0].get(name) for name in SAME}


def _grouped(lines: Iterable[Line], key: str) -> dict[Any, list[Line]]:
    found: dict[Any, list[Line]] = defaultdict(list)
    for line in lines:
        found[line[key]].append(line)
    return dict(found)


def _by_seed(lines: Sequence[Line]) -> dict[int, Line]:
    found: dict[int, Line] = {}
    for line in sorted(lines, key=lambda line: line["seed"]):  # so that no bootstrap depends on the archive's order
        first = found.setdefault(line["seed"], line)
        if first is not line or line["rate"] != lines[0]["rate"]:
            what = f"loss {line['loss']!r}, phase {line['phase']!r}, seed {line['seed']}"
            rates = sorted({one["rate"] for one in lines})
            raise InputError(f"{what}: must be there once, as all seeds at one rate; got rates {rates}")
    return found


def _distances(lines: Sequence[Line], checkpoint: Checkpoint = "last") -> dict[int, float]:
    return {seed: distance(line, checkpoint) for seed, line in _by_seed(lines).items()}


def _row(loss: str, lines: Sequence[Line], runs: Runs, rank: Rank, generator: np.random.Generator) -> Row:
    ended = [line for line in lines if line["fid"] is not None]
    measured = {name: [line[name] for line in ended if line.get(name) is not None] for name in METRICS}
    return Row(
        loss=loss,
        rate=float(lines[0]["rate"]),
        lr=float(lines[0]["lr"]),
        fid=summarise(list(runs.values()), generator=generator),
        collapsed=share(sum(bool(line["collapsed"]) for line in lines), len(lines)),
        rank=rank,
        metrics={name: float(np.mean(values)) for name, values in measured.items() if values},
        metrics_sd={name: float(np.std(values, ddof=1)) for name, values in measured.items() if len(values) > 1},
    )


def _compared(losses: Mapping[str, Runs], reference: str, *, seed: int, role: str) -> tuple[Comparison, ...]:
    others = losses.get(reference)
    if not others:
        return ()
    return as_family([
        compare(
            runs, others, loss=loss, reference=reference,
            generator=numpy_generator(seed, f"{role}/{loss} against {reference}"),
        )
        for loss, runs in losses.items() if loss != reference and runs
    ])  # fmt: skip


def _worst_at_each_seed(levels: Sequence[Runs]) -> dict[int, float]:
    """Over the seeds that were run at every level."""
    shared = sorted(set.intersection(*(set(runs) for runs in levels)))
    return {seed: max(runs[seed] for runs in levels) for seed in shared}


def _steady(
    loss: str, lines: Mapping[float, Sequence[Line]], common: set[float], comparison: Comparison | None
) -> Steadiness:
    levels = tuple(_level(value, lines[value]) for value in sorted(lines))
    compared = [level for level in levels if level.value in common]
    ends = [level.worst for level in compared if level.worst is not None]
    worst = max(ends) if len(ends) == len(compared) else None
    means = [level.fid.mean for level in compared if level.fid is not None]
    return Steadiness(loss, levels, worst, None if worst is None else worst / min(means), comparison)


def _level(value: float, lines: Sequence[Line]) -> Level:
    fids = list(_distances(lines).values())
    ended = [fid for fid in fids if math.isfinite(fid)]
    failed = len(fids) - len(ended)
    return Level(float(value), float(lines[0]["lr"]), estimate(ended), None if failed else max(fids), failed)


def _notes(rows: Sequence[Row], comparisons: Sequence[Comparison], reference: str) -> tuple[str, ...]:
    notes = [
        f"{row.loss}: {row.fid.failed} of {row.fid.n} runs failed: ranked worst, and in no mean, SD or "
        "geometric mean."
        for row in rows if row.fid.failed
    ]  # fmt: skip
    if all(row.loss != reference for row in rows):
        notes.append(f"{reference}, the reference, has no runs here: nothing is compared.")
    for one in comparisons:
        if one.unshared:
            notes.append(
                f"{one.loss}: compared with {reference} over the {one.seeds} seeds that both have; "
                f"{one.unshared} runs of either have no partner."
            )
        if one.failed:
            told = f"a run failed in {one.failed} of {one.seeds} pairs, so its p is the rank test's."
            notes.append(f"{one.loss}: {told}")
    if any(row.rank.low is None for row in rows):  # of a loss with few seeds as well: all share no more than it has
        notes.append(FEW)
    return tuple(notes)
