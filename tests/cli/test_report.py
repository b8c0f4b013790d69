"""``ganetics report``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any


def test_the_page_is_written_again_and_nothing_else(search_run: Any, command: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(search_run.path, run)
    (run / "report.html").unlink()
    others = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert command("report", run, "--json").json == {"run": str(run), "report": str(run / "report.html")}
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert others == {path: path.read_bytes() for path in others}
    assert {path for path in run.rglob("*") if path.is_file()} == {*others, run / "report.html"}


def test_without_json_the_page_is_named(search_run: Any, command: Any, tmp_path: Path) -> None:
    shutil.copytree(search_run.path, tmp_path / "run")
    ended = command("report", tmp_path / "run")
    assert (ended.status, ended.err) == (0, "")
    assert "".join(ended.out.split()) == f"report:{tmp_path / 'run' / 'report.html'}"


def test_there_must_be_a_search(command: Any, tmp_path: Path) -> None:
    ended = command("report", tmp_path / "nothing")
    assert ended.status == 2
    assert str(tmp_path / "nothing" / "config.json") in ended.complaint
    assert not (tmp_path / "nothing").exists()
