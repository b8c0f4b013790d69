"""What a benchmark would cost, in words and as JSON."""

from __future__ import annotations

from ganetics.benchmark.plan import counts
from ganetics.cli.console import console, duration, print_json
from ganetics.cli.place import Place, default_workers
from ganetics.records import BenchConfig, Recipe
from ganetics.training import RECIPES


def expected_seconds(recipe: Recipe) -> float:
    """Return the expected time of one run on one core, in seconds, by the recipe's own and the share of its steps.

    Scoring is counted in, in proportion to the steps: of a run that is much shorter it takes a larger part than this.

    >>> expected_seconds(RECIPES["mnist"]), expected_seconds(RECIPES["mnist"].model_copy(update={"steps": 150}))
    (12.0, 3.0)
    """
    named = RECIPES.get(recipe.name, recipe)
    # a recipe of more steps expects more itself
    return recipe.seconds * min(1.0, recipe.steps / named.steps)


def cost(config: BenchConfig, workers: int, *, done: int = 0) -> str:
    """Return in words what is left to run and how long it will take, as the recipe expects."""
    fewest, most = (max(0, number - done) for number in counts(config))
    each = expected_seconds(config.recipe)
    further = f" and at most {most - fewest} for further rates" if most > fewest else ""
    until = f" to {duration(most * each / workers)}" if most > fewest else ""
    busy = "1 worker" if workers == 1 else f"{workers} workers"
    return (
        f"{fewest} runs{further}: about {duration(fewest * each / workers)}{until} with {busy}, at the {each:.3g} s a "
        f"run of {config.recipe.steps} steps that the recipe {config.recipe.name} expects"
    )


def show_cost(config: BenchConfig, place: Place, *, as_json: bool) -> None:
    """Print what a benchmark would cost, and what it would compare: files have been read by then."""
    workers = place.workers or default_workers()
    fewest, most = counts(config)
    labels = [contender.label for contender in config.contenders]
    if as_json:
        hours = [number * expected_seconds(config.recipe) / workers / 3600 for number in (fewest, most)]
        found = {"runs": fewest, "most_runs": most, "workers": workers, "hours": hours, "protocol": config.protocol}
        print_json({**found, "losses": labels})
        return
    console.print(cost(config, workers), markup=False)
    console.print(f"{len(labels)} losses, against {config.baseline}:", markup=False)
    for label in labels:
        console.print(f"  {label}", markup=False, soft_wrap=True)
