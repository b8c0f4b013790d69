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


def test_of_a_benchmark_it_is_that_of_the_benchmark(command: Any, tmp_path: Path) -> None:
    small = ("--losses", "ganetic", "--steps", 2, "--samples", 40, "--seeds", 1, "--common-seeds", 0)
    one_rate = ("--tuning-seeds", 0, "--rates", 1, "--widen", 0, "--score-at", "none", "--workers", 1)
    run = tmp_path / "run"
    assert command("bench", run, *small, *one_rate).status == 0
    before = (run / "report.html").read_bytes()
    assert b"Benchmark of 1 GAN loss" in before
    (run / "report.html").unlink()
    assert command("report", run, "--json").json == {"run": str(run), "report": str(run / "report.html")}
    assert (run / "report.html").read_bytes() == before


def test_a_training_run_has_no_page(train_run: Any, command: Any) -> None:
    ended = command("report", train_run.path)
    assert ended.complaint == f"{train_run.path}: must hold a search, a benchmark or a detector, got a training run"
