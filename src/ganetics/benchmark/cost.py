"""What a benchmark is expected to take: runs and seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganetics.benchmark.plan import Line, counts, plan
from ganetics.records import BenchConfig, Recipe


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


def left(config: BenchConfig, lines: Sequence[Line], *, where: Path) -> tuple[int, int]:
    """Return the number of runs that are still to be made, without further rates and with as many as there can be.

    Args:
        config: the configuration.
        lines: of the archive.
        where: the archive, for messages.

    Raises:
        InputError: as :func:`ganetics.benchmark.plan.plan`.
    """
    found = plan(config, lines, where=where)
    most = found.total if len(found.runs) == found.total else counts(config)[1]
    return found.total - len(lines), most - len(lines)
