"""A small search whose trials are not trained, and one whose trials are."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ganetics.execution import Executor, InProcessExecutor, RunFolder
from ganetics.records import Recipe
from ganetics.search import SearchResult, run_search
from ganetics.search.config import SearchConfig
from ganetics.search.ladder import parse_rungs


@pytest.fixture(scope="session")
def fakes(jobs: ModuleType) -> ModuleType:
    """Return the module of jobs that stand for trials."""
    return importlib.import_module("search_jobs")


@pytest.fixture(scope="session")
def config(fakes: ModuleType) -> SearchConfig:
    """Return a search of 40 trials; the runs of its third rung are of its last, too."""
    return SearchConfig(
        dataset="fake",
        data=fakes.DATA,
        reference=fakes.REFERENCE,
        extractor=fakes.EXTRACTOR,
        recipe=Recipe(
            name="tiny", image_size=8, channels=1, steps=40, learning_rate=1e-3, extractor="fake", seconds=30
        ),
        seed=5,
        trials=40,
        lag=4,
        rungs=parse_rungs("10x1:50,20x2,40x2,40x3@0.5/1"),
        promote=0.5,
        population=5,
        tournament=2,
        guesses=("ganetic", "(y - p)**2", "non-saturating", "exp(p) - 3*y*p"),
        finalists=2,
        final_seeds=2,
        final_rates=(0.5, 1.0),
        rivals=("ganetic", "hinge"),
    )


@pytest.fixture(scope="session")
def search(config: SearchConfig, fakes: ModuleType) -> Callable[..., SearchResult]:
    """Return what begins a search in a folder, or goes on with the one in it."""

    def run(
        folder: Path, settings: SearchConfig = config, executor: Executor | None = None, **options: Any
    ) -> SearchResult:
        with RunFolder(folder) as opened, ExitStack() as stack:
            opened.begin(settings.model_dump(mode="json"), resume=(folder / "config.json").exists())
            used = executor or stack.enter_context(InProcessExecutor())
            return run_search(opened, settings, used, **{"job": fakes.trial, **options})

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, search: Callable[..., SearchResult]) -> Path:
    """Return the folder of the search that was never interrupted. No test may change it."""
    folder = tmp_path_factory.mktemp("search") / "finished"
    search(folder)
    return folder


@pytest.fixture(scope="session")
def digits(jobs: ModuleType) -> ModuleType:
    """Return the module of the real search."""
    return importlib.import_module("digits_search")


@pytest.fixture(scope="session")
def real(digits: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the real search, never interrupted. No test may change it."""
    folder = tmp_path_factory.mktemp("digits") / "whole"
    with InProcessExecutor() as executor:
        digits.search(folder, executor, digits.config())
    return folder
