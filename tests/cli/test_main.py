"""Exit statuses, and the one line that an error is."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ganetics
import ganetics.report.write
from ganetics._check import InputError
from ganetics.cli.main import COMMANDS

BAD = {
    "unknown dataset": ("train {run} --dataset nope", 2, "unknown dataset 'nope', known: "),
    "missing folder": ("search {run} --dataset {tmp}/missing", 2, "missing: no such folder or file"),
    "one image": ("train {run} --dataset {tmp}/one", 2, "one: must hold at least 2 images"),
    "unknown loss": ("train {run} --loss hinj", 2, "unknown loss 'hinj', nearest: hinge"),
    "malformed expression": ("train {run} --loss p+*y", 2, 'expression "p+*y": invalid syntax at character 3'),
    "malformed guess": ("search {run} --guess p+*y", 2, 'expression "p+*y": invalid syntax'),
    "guess not tied": (
        "search {run} --guess wasserstein",
        2,
        "--guess: must be tied losses (in y and p) in tied mode, got 'wasserstein'",
    ),
    "guess no expression": (
        "search {run} --mode separate --guess hinge --guess ra-hinge",
        2,
        "--guess: must be losses that are expressions, got 'ra-hinge'",
    ),
    "unknown mode": ("search {run} --mode both", 2, "--mode"),
    "no rungs": (
        "search {run} --rungs 30",
        2,
        "rungs: must be STEPSxSEEDS[@RATE/RATE…][:SAMPLES], separated by",
    ),
    "rungs that do not reach the end": ("search {run} --rungs 30x1", 2, "search: the last rung must have the recipe's"),
    "rungs without the recipe's rate": (
        "search {run} --steps 5 --rungs 5x1@3",
        2,
        "search: each rung's rates must",
    ),
    "no warm start": ("search {run} --warm-start {tmp}/none.json", 2, "warm start: no file at {tmp}/none.json"),
    "a warm start that is none": ("search {run} --warm-start {tmp}/file", 2, "unknown loss"),
    "an expression as rival": ("search {run} --rival p**2", 2, "--rival: must be a name of the catalogue, got 'p**2'"),
    "an address without Ray": (
        "search {run} --address auto",
        2,
        "--address: belongs to --executor ray, got 'auto' without it",
    ),
    "little memory": ("search {run} --memory-mib 99", 2, "--memory-mib"),
    "trials and minutes": ("search {run} --trials 4 --minutes 1", 2, "--trials and --minutes: one of the two"),
    "minutes not a number": ("search {run} --minutes nan", 2, "minutes"),
    "rate not a number": ("train {run} --rate nan", 2, "rate"),
    "rate below zero": ("train {run} --rate -1", 2, "learning_rate"),
    "no trials": ("search {run} --trials 0", 2, "--trials"),
    "unknown recipe": ("search {run} --recipe nope", 2, "unknown recipe 'nope', known: "),
    "unknown device": ("train {run} --device tpu", 2, "device must be cpu, cuda or auto, got 'tpu'"),
    "unknown option": ("train {run} --los hinge", 2, "--los"),
    "unknown command": ("serch {run}", 2, "serch"),
    "nothing to resume": ("search {run} --resume", 2, "run{sep}config.json"),
    "nothing to sample": ("sample {tmp}/one --out {run}", 2, "must be the folder of a training run"),
    "run under a file": ("train {tmp}/file/run", 1, "the system refused: {tmp}/file/run: Not a directory"),
    "run is a file": ("train {tmp}/file", 2, "file: must be a folder, got a file"),
}


@pytest.mark.parametrize(("line", "status", "told"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_leaves_nothing(
    line: str, status: int, told: str, command: Any, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "one" / "image.png")
    (tmp_path / "file").write_text("hinj\n")
    names = {"tmp": tmp_path, "run": tmp_path / "run", "sep": os.sep}
    ended = command(*(part.format(**names) for part in line.split()))
    assert ended.status == status
    assert told.format(**names) in ended.complaint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "one"]


ERRORS = {
    "full disk": (OSError(errno.ENOSPC, "No space left on device", "a/b"), 1, "the system refused: a/b: No space left"),
    "no file named": (OSError("odd"), 1, "the system refused: odd"),
    "unexpected": (ZeroDivisionError("by\nzero"), 1, "unexpected ZeroDivisionError: by (GANETICS_DEBUG=1 shows where)"),
    "unexpected, says nothing": (AssertionError(), 1, "unexpected AssertionError:  (GANETICS_DEBUG=1"),
    "a name with a line break": (InputError("a\nb: no"), 2, "a\\nb: no"),
}


def fails(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let ``report`` raise this error."""

    def write(_: object) -> None:
        raise error

    monkeypatch.setattr(ganetics.report.write, "kind_of", write)


@pytest.mark.parametrize(("error", "status", "told"), ERRORS.values(), ids=ERRORS)
def test_what_a_command_raises_is_one_line(
    error: BaseException, status: int, told: str, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(monkeypatch, error)
    ended = command("report", "run")
    assert ended.status == status
    assert ended.complaint.startswith(told)


def test_interrupted(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(monkeypatch, KeyboardInterrupt())
    ended = command("report", "run")
    assert (ended.status, ended.complaint) == (130, "interrupted; finished work is kept")


def test_the_traceback_is_shown_when_asked_for(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANETICS_DEBUG", "1")
    fails(monkeypatch, ZeroDivisionError("by zero"))
    ended = command("report", "run")
    assert ended.status == 1
    assert ended.err.startswith("Traceback")
    assert ended.err.splitlines()[-1].startswith("ganetics: unexpected ZeroDivisionError: by zero")


def test_version(command: Any) -> None:
    ended = command("--version")
    assert (ended.status, ended.out, ended.err) == (0, f"ganetics {ganetics.__version__}\n", "")


@pytest.mark.parametrize("line", ["", "--help", "loss", "detect"])
def test_alone_it_says_what_there_is(line: str, command: Any) -> None:
    ended = command(*line.split())
    assert (ended.status, ended.err) == (0, "")
    assert "\nCommands:\n" in ended.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_file_of_its_name(name: str, command: Any) -> None:
    assert f"  {name:<8}  {COMMANDS[name]}\n" in command("--help").out
    assert command(name, "--help").out.startswith(f"Usage: ganetics {name} ")


def test_help_imports_neither_torch_nor_scipy() -> None:
    code = (
        "import sys; from ganetics.cli.main import run; status = run(['--help']);"
        "sys.exit(status or bool({'torch', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)
