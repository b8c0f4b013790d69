"""What all tests share: a cache of their own, and the place of the real data."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(autouse=True, scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep decoded images and features in a folder of this session, shared by its processes; never the user's."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANETICS_CACHE", str(shared / "cache"))
        yield shared / "cache"


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Return the folder that holds ``mnist/`` and the other real data sets; for tests marked ``realdata``."""
    chosen = os.environ.get("GANETICS_TEST_DATA")
    folder = Path(chosen) if chosen else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: GANETICS_TEST_DATA names their folder, there is none at {folder}")
    return folder


@pytest.fixture(scope="session")
def jobs() -> Iterator[ModuleType]:
    """Return the module of jobs that the workers of an executor can import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent / "jobs"))
        yield importlib.import_module("executor_jobs")
