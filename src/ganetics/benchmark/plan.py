"""Which runs a benchmark consists of: decided from its configuration and from the lines of its archive alone."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ganetics._check import InputError
from ganetics._random import seed_of
from ganetics.benchmark.config import BenchConfig, Contender
from ganetics.benchmark.lines import RUNS
from ganetics.execution.lines import check_lines
from ganetics.records import Recipe, log_distance

Line = Mapping[str, Any]
Phase = Literal["tuning", "common", "final", "batch"]
PHASES: tuple[Phase, ...] = ("tuning", "common", "final", "batch")
FACTOR = math.sqrt(10)
"""From the rate at an edge to the next one beyond it."""
RATES_RULE = (
    "the rate with the fewest failed tuning runs, of such the lowest mean log FID; where that is at an edge of the "
    "rates tried, one rate more, half a decade beyond it, and so on up to so many times"
)
PLACE = ("phase", "loss", "rate", "batch_size", "seed")
"""What of a run is held to the archive."""


@dataclass(frozen=True)
class Run:
    """One training run."""

    index: int
    phase: Phase
    contender: Contender
    rate: float
    """Factor of the recipe's learning rate."""
    batch_size: int
    seed: int

    @property
    def place(self) -> tuple[object, ...]:
        """:data:`PLACE` of this run."""
        return self.phase, self.contender.label, self.rate, self.batch_size, self.seed


@dataclass(frozen=True)
class Tuned:
    """What tuning came to for one contender."""

    rate: float
    """Its own best."""
    rates: tuple[float, ...]
    """All that were tried, rising."""
    at_edge: bool
    """Whether the best is the lowest or the highest of several still."""


@dataclass(frozen=True)
class Plan:
    """Runs as far as they are decided."""

    runs: tuple[Run, ...]
    """In order; those of the archive first."""
    total: int
    """Of all phases; further rates that are not decided yet may come on top."""


def seeds(config: BenchConfig, phase: Phase) -> tuple[int, ...]:
    """Return the training seeds of a phase; no other phase has any of them."""
    counts = {
        "tuning": config.tuning_seeds,
        "common": config.common_seeds,
        "final": config.final_seeds,
        "batch": config.batch_seeds if config.batch_sizes else 0,
    }
    return tuple(seed_of(config.seed, f"benchmark/{phase}", number) for number in range(counts[phase]))


def split(config: BenchConfig, phase: Phase) -> str:
    """Return what the runs of a phase are scored on: what chooses sees the validation images alone."""
    return "validation" if phase == "tuning" else config.split


def recipe_of(config: BenchConfig, run: Run) -> Recipe:
    """Return the recipe of a run: at its rate and batch size, with its contender's penalties."""
    recipe = config.recipe
    share = run.batch_size / recipe.batch_size
    own = recipe.discriminator_batch
    return recipe.at_rate(run.rate).model_copy(
        update={
            "batch_size": run.batch_size,
            "discriminator_batch": None if own is None else max(1, round(own * share)),
            "penalties": (*recipe.penalties, *run.contender.penalties),
            "seconds": recipe.seconds * max(1.0, share),
        }
    )


def counts(config: BenchConfig) -> tuple[int, int]:
    """Return the number of runs without further rates, and with as many of them as there can be."""
    tuning, reported = _counted(config)
    return tuning * len(config.rates) + reported, tuning * (len(config.rates) + config.widen) + reported


def _counted(config: BenchConfig) -> tuple[int, int]:
    """Return the number of tuning runs at one rate, and that of all other runs."""
    losses = len(config.contenders)
    others = config.common_seeds + config.final_seeds + config.batch_seeds * len(config.batch_sizes)
    return losses * config.tuning_seeds, losses * others


def plan(config: BenchConfig, lines: Sequence[Line], *, where: Path) -> Plan:
    """Return the runs that are decided when these lines are there. More lines never change what was decided before.

    The lines of a phase, and of a round of further rates, decide the next one when they are complete. Seed after seed,
    so that what an interrupted benchmark has is complete comparisons.

    Args:
        config: the configuration.
        lines: of the archive, in its order.
        where: the archive, for messages.

    Raises:
        InputError: a line is not that of the run at its place: another release, or not this benchmark's archive; or it
            is damaged (names the line and the field).
    """
    check_lines(RUNS, lines, where=where)
    runs: list[Run] = []
    reported = _counted(config)[1]
    rates = {one.label: config.rates for one in config.contenders}
    while rates:
        runs += _tuning(config, rates, first=len(runs))
        _hold(runs, lines, where)
        if len(lines) < len(runs):
            return Plan(tuple(runs), len(runs) + reported)
        found = tuned(config, lines[: len(runs)])
        rates = {label: (further,) for label, one in found.items() if (further := _further(config, one)) is not None}
    runs += _reported(config, {label: one.rate for label, one in found.items()}, first=len(runs))
    _hold(runs, lines, where)
    if len(lines) > len(runs):
        raise InputError(f"{where}: must hold {len(runs)} runs by this release, got {len(lines)}")
    return Plan(tuple(runs), len(runs))


def expected_runs(config: BenchConfig, found: Plan) -> tuple[Run, ...]:
    """Return all runs of a plan: of contenders whose own rate is not decided yet, the recipe's stands for it."""
    if len(found.runs) == found.total:
        return found.runs
    rates = {one.label: 1.0 for one in config.contenders}
    return (*found.runs, *_reported(config, rates, first=len(found.runs)))


def tuned(config: BenchConfig, lines: Sequence[Line]) -> dict[str, Tuned]:
    """Return what the tuning runs among these lines say, for each contender by its label.

    A benchmark without tuning seeds has one rate, which is everyone's.
    """
    found = {}
    for contender in config.contenders:
        fids: dict[float, list[float | None]] = defaultdict(list)
        for line in lines:
            if line["phase"] == "tuning" and line["loss"] == contender.label:
                fids[line["rate"]].append(line["fid"])
        tried = tuple(sorted(fids)) or config.rates
        best = min(tried, key=lambda rate: (*_score(fids[rate]), rate))
        found[contender.label] = Tuned(best, tried, len(tried) > 1 and best in (tried[0], tried[-1]))
    return found


def _score(fids: Sequence[float | None]) -> tuple[int, float]:
    """Failures, then the mean log Fréchet distance of the runs that did not fail."""
    logs = [log_distance(fid) for fid in fids if fid is not None]
    return len(fids) - len(logs), statistics.fmean(logs) if logs else math.inf


def _further(config: BenchConfig, found: Tuned) -> float | None:
    """Return the next rate of a contender that is best at an edge; None if it is not, or has had its number of them."""
    edges = (found.rates[0], found.rates[-1])  # of one rate both are it
    if found.rate not in edges or len(found.rates) >= len(config.rates) + config.widen:
        return None
    beyond = found.rate / FACTOR if found.rate == found.rates[0] else found.rate * FACTOR
    return float(f"{beyond:.3g}")


def _tuning(config: BenchConfig, rates: Mapping[str, Sequence[float]], *, first: int) -> list[Run]:
    most = max(map(len, rates.values()))
    places = [
        (contender, rates[contender.label][number], seed)
        for seed in seeds(config, "tuning")
        for number in range(most)
        for contender in config.contenders
        if contender.label in rates
    ]
    size = config.recipe.batch_size
    return [Run(first + i, "tuning", one, rate, size, seed) for i, (one, rate, seed) in enumerate(places)]


def _reported(config: BenchConfig, best: Mapping[str, float], *, first: int) -> list[Run]:
    """Return the runs that figures are reported of: all at the recipe's rate, each at its own, at other batch sizes."""
    size = config.recipe.batch_size
    stages: list[tuple[Phase, tuple[int, ...], Mapping[str, float]]] = [
        ("common", (size,), dict.fromkeys(best, 1.0)),
        ("final", (size,), best),
        ("batch", config.batch_sizes, best),
    ]
    places = [
        (phase, contender, rates[contender.label], batch_size, seed)
        for phase, sizes, rates in stages
        for seed in seeds(config, phase)
        for batch_size in sizes
        for contender in config.contenders
    ]
    return [Run(first + i, *place) for i, place in enumerate(places)]


def _hold(runs: Sequence[Run], lines: Sequence[Line], where: Path) -> None:
    for run, line in zip(runs, lines, strict=False):
        got = tuple(line.get(name) for name in PLACE)
        if got != run.place:
            named, found = (dict(zip(PLACE, place, strict=True)) for place in (run.place, got))
            raise InputError(f"{where}: run {run.index} must be {named!r} by this release, got {found!r}")
