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


def test_of_a_training_run_it_is_written_by_training_and_again(train_run: Any, command: Any, tmp_path: Path) -> None:
    run = Path(shutil.copytree(train_run.path, tmp_path / "run"))
    before = (run / "report.html").read_bytes()
    assert b"Least squares on digits" in before
    (run / "report.html").unlink()
    assert command("report", run, "--json").json == {"run": str(run), "report": str(run / "report.html")}
    assert (run / "report.html").read_bytes() == before


def test_training_runs_are_compared_on_one_page(train_run: Any, command: Any, tmp_path: Path) -> None:
    runs = [Path(shutil.copytree(train_run.path, tmp_path / "runs" / name)) for name in ("a", "b")]
    config = (runs[1] / "config.json").read_text()
    (runs[1] / "config.json").write_text(config.replace('"seed": 3', '"seed": 4'))
    found = command("report", *runs, "--out", tmp_path / "page.html", "--json").json
    assert found == {"runs": 2, "report": str(tmp_path / "page.html")}
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2 training runs on digits, 8×8" in page
    assert "<code>ganetics report a b --out page.html</code>" in page
    assert str(tmp_path) not in page
    ended = command("report", tmp_path / "runs", "--baseline", "least-squares")
    assert ended.status == 0, ended.err
    assert "".join(ended.out.split()) == f"report:{tmp_path / 'runs' / 'report.html'}"
    page = (tmp_path / "runs" / "report.html").read_text(encoding="utf-8")
    assert "dcgan: least-squares" in page
    assert '<span class="badge given">baseline</span>' in page


def test_what_cannot_be_compared_is_told_in_one_line(
    train_run: Any, search_run: Any, command: Any, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    two = (train_run.path, train_run.path)
    for arguments, told in (
        (two, "--out: must name the page of the 2 runs, got none"),
        ((*two, "--out", tmp_path / "page.pdf"), f"--out: must be a .html file, got {tmp_path / 'page.pdf'}"),
        ((*two, "--out", train_run.path / "x.html"), "--out: must not be in a run's own folder, got "),
        ((train_run.path, "--out", tmp_path / "x.html"), "--out: belongs to a comparison of training runs, got "),
        ((train_run.path, "--baseline", "hinge"), "--baseline: belongs to a comparison of training runs, got hinge"),
        ((tmp_path / "empty",), f"{tmp_path / 'empty'}: must hold training runs, got none"),
        ((search_run.path, search_run.path, "--out", tmp_path / "x.html"), "must hold training runs, got none"),
    ):
        ended = command("report", *arguments)
        assert (ended.status, told in ended.complaint) == (2, True), ended.err
    assert not list(tmp_path.glob("*.*"))
