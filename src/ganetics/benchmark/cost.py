"""What a benchmark is expected to take: runs and seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganetics.benchmark.config import BenchConfig
from ganetics.benchmark.plan import Line, counts, expected_runs, plan, recipe_of
from ganetics.records import Recipe


def expected_seconds(recipe: Recipe) -> float:
    """Return the expected time of one run on one core, in seconds, by the recipe's own and the share of its steps.

    Scoring is counted in, in proportion to the steps: of a run that is much shorter it takes a larger part than this.

    >>> from ganetics.training import RECIPES
    >>> expected_seconds(RECIPES["mnist"]), expected_seconds(RECIPES["mnist"].model_copy(update={"steps": 150}))
    (12.0, 3.0)
    """
    from ganetics.training import RECIPES  # not above: reports come here and need no torch

    named = RECIPES.get(recipe.name, recipe)
    # a recipe of more steps expects more itself
    return recipe.seconds * min(1.0, recipe.steps / named.steps)


@dataclass(frozen=True)
class Left:
    """What is still to be made of a benchmark: without further rates, and with as many as there can be."""

    runs: int
    most_runs: int
    seconds: float
    """On one core."""
    most_seconds: float


def left(config: BenchConfig, lines: Sequence[Line], *, where: Path) -> Left:
    """Return what is still to be made; a run of a larger batch takes longer, by its own recipe.

    Args:
        config: the configuration.
        lines: of the archive.
        where: the archive, for messages.

    Raises:
        InputError: as :func:`ganetics.benchmark.plan.plan`.
    """
    found = plan(config, lines, where=where)
    most = found.total if len(found.runs) == found.total else counts(config)[1]
    runs = expected_runs(config, found)[len(lines) :]
    seconds = sum(expected_seconds(recipe_of(config, run)) for run in runs)
    further = (most - found.total) * expected_seconds(config.recipe)
    return Left(len(runs), most - len(lines), seconds, seconds + further)


def expected_in_all(config: BenchConfig, lines: Sequence[Line], *, where: Path) -> float:
    """Return the expected time of all runs on one core, made or not, in seconds; arguments as of :func:`left`.

    Raises:
        InputError: as :func:`ganetics.benchmark.plan.plan`.
    """
    runs = expected_runs(config, plan(config, lines, where=where))
    return sum(expected_seconds(recipe_of(config, run)) for run in runs)
