"""A cache for each test: what one test decoded must not be there for the next."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANETICS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
