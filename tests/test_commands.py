"""Commands that the benchmarks of medical images are made of: each once, and nothing goes on without one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def commands(benchmark: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, its commands run by Python itself."""
    found: Any = benchmark("commands")
    monkeypatch.setattr(found, "GANETICS", (sys.executable, "-c"))
    return found


def leaving(commands: Any, path: Path, *, begun: Path | None = None) -> Any:
    """A command that leaves the arguments that it was given."""
    program = f"import sys; open({str(path)!r}, 'x').write(' '.join(sys.argv[1:]))"
    return commands.Command((program,), path, begun)


def test_each_is_done_once_and_what_was_begun_is_resumed(commands: Any, tmp_path: Path) -> None:
    fresh = leaving(commands, tmp_path / "fresh")
    begun = leaving(commands, tmp_path / "begun", begun=tmp_path)
    for _ in range(2):  # opened with "x", a second time would fail
        commands.carry_out(
            {"a": partial(commands.call, fresh), "b": partial(commands.call, begun)}, workers=2, title=""
        )
    assert ((tmp_path / "fresh").read_text(), (tmp_path / "begun").read_text()) == ("", "--resume")


def test_all_are_tried_before_it_ends(commands: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = commands.Command(("raise SystemExit('no such folder')",), tmp_path / "never")
    work = {"wrong": partial(commands.call, wrong), "right": partial(commands.call, leaving(commands, tmp_path / "x"))}
    with pytest.raises(SystemExit, match=r"^runs: 1 of 2 have not ended: .*\(exit code 1\): no such folder$"):
        commands.carry_out(work, workers=1, title="runs")
    assert (tmp_path / "x").exists()
    assert capsys.readouterr().err.splitlines()[-1] == "runs: 2/2, 0 min left: right"


def test_a_failure_that_is_written_down_is_an_end(commands: Any, tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    diverged = commands.Command((f"open({str(path)!r}, 'x'); raise SystemExit(1)",), path)
    commands.call(diverged)
    assert path.exists()
