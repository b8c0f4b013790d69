"""A real search on the digits, as small as can be."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

from ganetics.execution import Executor, PoolExecutor, RunFolder
from ganetics.search import run_search
from ganetics.search.config import SearchConfig
from ganetics.search.ladder import parse_rungs
from ganetics.training import RECIPES
from ganetics.trial import TrialData, load_trial_data

# a time limit that a crowded machine does not reach
RECIPE = RECIPES["digits"].model_copy(
    update={"steps": 30, "width": 4, "batch_size": 8, "eval_samples": 100, "seconds": 100.0}
)
TRIALS = 18
LINES = TRIALS + 3 * 2 * 2
"""Of its archive."""


@cache
def data() -> TrialData:
    return load_trial_data("digits", None, RECIPE)


def config(**changes: Any) -> SearchConfig:
    settings = {
        "dataset": "digits",
        "data": data().train.identity,
        "reference": data().held_out.identity,
        "extractor": data().extractor.identity,
        "recipe": RECIPE,
        "trials": TRIALS,
        "lag": 3,
        "rungs": parse_rungs("15x1:50,30x1,30x2@0.5/1"),
        "promote": 0.5,
        "population": 4,
        "tournament": 2,
        "guesses": ("ganetic", "(y - p)**2", "non-saturating"),
        "finalists": 2,
        "final_seeds": 2,
        "final_rates": (0.3, 1.0),
        "rivals": ("hinge",),
    }
    return SearchConfig.model_validate({**settings, **changes})


def search(folder: Path, executor: Executor, settings: SearchConfig, **options: Any) -> None:
    """Begin the search in a folder, or go on with it."""
    with RunFolder(folder) as run:
        run.begin(settings.model_dump(mode="json"), resume=(folder / "config.json").exists())
        run_search(run, settings, executor, data=data(), **options)


if __name__ == "__main__":
    with PoolExecutor(int(sys.argv[2])) as pool:
        search(Path(sys.argv[1]), pool, config())
