"""The script of the medical runs: how it chooses rates, and that it ends rather than compare fewer runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def script(benchmark: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, its commands not run: each leaves a file that says that its fit has ended."""
    found: Any = benchmark("medical_detection")

    def carry_out(commands: Sequence[Any], **_: object) -> list[Any]:
        for command in commands:
            command.done.parent.mkdir(parents=True, exist_ok=True)
            command.done.write_text(json.dumps({"failure": None}))
        return []

    monkeypatch.setattr(found, "carry_out", carry_out)
    return found


def study(script: Any, tmp_path: Path) -> Any:
    made = script.Study("polyp", tmp_path / "data", tmp_path / "out", tmp_path / "work", ("--steps", "7"))
    made.out.mkdir(exist_ok=True)
    return made


def test_a_rate_that_is_best_at_an_edge_is_followed(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def judged(run: Path, gan: Any) -> float | None:
        asked.append(run.name)
        factor = float(run.name.rsplit("-x", 1)[1])
        best = {"fanogan-ganetic": 9.0, "ganomaly-ganetic": 1.0}[gan.label]
        return None if factor > 5 * best else abs(factor - best)

    monkeypatch.setattr(script, "judged", judged)
    gans = (script.fanogan("ganetic"), script.ganomaly("ganetic"))
    rates = script.chosen_rates(study(script, tmp_path), gans, 2)
    assert rates == pytest.approx({"fanogan-ganetic": 9 * 2e-4, "ganomaly-ganetic": 2e-4})
    of_fanogan = [name for name in asked if name.startswith("fanogan")]
    assert of_fanogan == [f"fanogan-ganetic-x{factor}" for factor in ("0.3", "1", "3", "9", "27")]
    assert sum(name.startswith("ganomaly") for name in asked) == 3
    stored = json.loads((tmp_path / "out" / "rates.json").read_text())
    assert stored["fanogan-ganetic"]["judged"]["0.0018"] == pytest.approx(0.0)
    monkeypatch.setattr(script, "judged", lambda *_: None)
    with pytest.raises(SystemExit, match=r"^fanogan-ganetic: its training fails at every rate$"):
        script.chosen_rates(study(script, tmp_path), gans, 2)


def test_it_ends_where_a_command_has_not(script: Any, tmp_path: Path) -> None:
    made = study(script, tmp_path)
    command = made.fit("fanogan-ganetic-seed0", ("--detector", "fanogan"), 0)
    with pytest.raises(SystemExit, match=r"^1 of 1 commands have not ended: detect fit"):
        script.need([command])
    command.begun.parent.mkdir(parents=True)
    command.begun.write_text("{}")
    assert command.line()[-1] == "--resume"  # with all options: a changed one is refused


def test_failed_trainings_are_named(script: Any, tmp_path: Path) -> None:
    made = study(script, tmp_path)
    for label, failure in (("a-seed0", None), ("b-seed0", {"message": "the loss is nan after step 50"})):
        (made.work / label).mkdir(parents=True)
        (made.work / label / "fit.json").write_text(json.dumps({"failure": failure}))
    assert script.failures(made, ["a-seed0", "b-seed0"]) == {"b-seed0": "the loss is nan after step 50"}
    assert json.loads((made.out / "failures.json").read_text()) == {"b-seed0": "the loss is nan after step 50"}
