"""A small benchmark whose trials are not trained."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ganetics.benchmark.config import BenchConfig
from ganetics.execution import InProcessExecutor


@pytest.fixture(scope="session")
def fakes(jobs: ModuleType) -> ModuleType:
    """Return the module of jobs that stand for trials."""
    return importlib.import_module("bench_jobs")


@pytest.fixture(scope="session")
def config(fakes: ModuleType) -> BenchConfig:
    """Return a benchmark of four contenders with all phases."""
    found: BenchConfig = fakes.config()
    return found


@pytest.fixture(scope="session")
def bench(config: BenchConfig, fakes: ModuleType) -> Callable[..., Any]:
    """Return what begins a benchmark in a folder, or goes on with the one in it."""

    def run(folder: Path, settings: BenchConfig = config, executor: Any = None, **options: Any) -> Any:
        if executor is not None:
            return fakes.bench(folder, executor, settings, **options)
        with InProcessExecutor() as here:
            return fakes.bench(folder, here, settings, **options)

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, bench: Callable[..., Any]) -> Path:
    """Return the folder of the benchmark that was never interrupted. No test may change it."""
    folder = tmp_path_factory.mktemp("bench") / "finished"
    bench(folder)
    return folder
