"""A real search on the digits, as small as can be."""

from __future__ import annotations

import sys
from pathlib import Path

from ganetics.execution import Executor, PoolExecutor, RunFolder
from ganetics.records import SearchConfig
from ganetics.search import run_search
from ganetics.training import RECIPES
from ganetics.trial import load_trial_data

LINES = 10 + 4 * 2 * 2
"""Of its archive."""


def config() -> SearchConfig:
    # a time limit that a crowded machine does not reach
    changes = {"steps": 12, "width": 4, "batch_size": 8, "eval_samples": 100, "seconds": 100.0}
    recipe = RECIPES["digits"].model_copy(update=changes)
    data = load_trial_data("digits", None, recipe)
    return SearchConfig(
        dataset="digits",
        data=data.train.identity,
        reference=data.validation.identity,
        extractor=data.extractor.identity,
        recipe=recipe,
        trials=10,
        population=4,
        elites=1,
        tournament=2,
        guesses=("ganetic", "(y - p)**2", "non-saturating"),
        finalists=2,
        final_seeds=2,
        final_rates=(0.3, 1.0),
        rivals=("ganetic", "hinge"),
    )


def search(folder: Path, executor: Executor) -> None:
    """Begin the search in a folder, or go on with it."""
    settings = config()
    with RunFolder(folder) as run:
        run.begin(settings.model_dump(mode="json"), resume=(folder / "config.json").exists())
        run_search(run, settings, executor)


if __name__ == "__main__":
    with PoolExecutor(2) as pool:
        search(Path(sys.argv[1]), pool)
