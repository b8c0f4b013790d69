"""Ctrl-C, which a terminal sends to every process of a command, ends it in one line and loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SEARCH = ("--trials", "400", "--population", "4", "--steps", "10", "--finalists", "1", "--final-seeds", "1")


def in_foreground() -> None:
    """Take Ctrl-C as a terminal's command does; a shell's background job, in which tests may run, ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_ctrl_c_keeps_finished_work(tmp_path: Path) -> None:
    run = tmp_path / "run"
    line = (sys.executable, "-m", "ganetics.cli.main", "search", str(run), "--dataset", "digits", "--workers", "2")
    driver = subprocess.Popen([*line, *SEARCH], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              start_new_session=True, preexec_fn=in_foreground)  # fmt: skip
    try:
        deadline = time.monotonic() + 300
        while not (run / "archive.jsonl").exists() or (run / "archive.jsonl").read_bytes().count(b"\n") < 4:
            assert driver.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(driver.pid, signal.SIGINT)
        _, told = driver.communicate(timeout=120)
    finally:
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
    assert driver.returncode == 130
    assert "Traceback" not in told
    assert told.rstrip().endswith("ganetics: interrupted; finished work is kept")
    kept = (run / "archive.jsonl").read_bytes()
    assert kept.endswith(b"\n")
    assert kept.count(b"\n") < 400
    ended = subprocess.run([*line, "--resume", "--trials", "8"], capture_output=True, text=True, timeout=300)
    assert "another configuration: trials is 400 there, got 8" in ended.stderr  # what was begun is there
    assert (run / "archive.jsonl").read_bytes() == kept
