"""A small search whose trials are not trained."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from ganetics.records import Recipe, SearchConfig


@pytest.fixture(scope="session")
def fakes(jobs: ModuleType) -> ModuleType:
    """Return the module of jobs that stand for trials."""
    return importlib.import_module("search_jobs")


@pytest.fixture(scope="session")
def config(fakes: ModuleType) -> SearchConfig:
    return SearchConfig(
        dataset="fake",
        data=fakes.DATA,
        reference=fakes.REFERENCE,
        extractor=fakes.EXTRACTOR,
        recipe=Recipe(
            name="tiny", image_size=8, channels=1, steps=10, learning_rate=1e-3, extractor="fake", seconds=30
        ),
        seed=5,
        trials=13,
        population=5,
        elites=1,
        tournament=2,
        guesses=("ganetic", "(y - p)**2", "non-saturating", "exp(p) - 3*y*p"),
        finalists=2,
        final_seeds=2,
        final_rates=(0.5, 1.0),
        rivals=("ganetic", "hinge"),
    )
