"""``ganetics demo``, made much smaller than it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ganetics.cli import demo as module
from ganetics.training import RECIPES


def test_a_demo_is_a_search_that_a_second_start_goes_on_with(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = {"trials": 1, "population": 4, "finalists": 1, "final_seeds": 1, "rivals": [], "final_rates": [1.0]}
    monkeypatch.setattr(module, "SETTINGS", tiny)
    recipe = RECIPES["digits"].model_copy(update={"steps": 10})
    monkeypatch.setattr(module, "chosen_recipe", lambda name, dataset: recipe)
    run = tmp_path / "run"
    found = command("demo", run, "--workers", 1, "--json").json
    assert found["trials"] == 1
    assert found["best"]["name"] is None
    assert (run / "report.html").exists()
    archive = (run / "archive.jsonl").read_bytes()
    assert archive.count(b"\n") == 2
    assert command("demo", run, "--workers", 1, "--json").json == found
    assert (run / "archive.jsonl").read_bytes() == archive
