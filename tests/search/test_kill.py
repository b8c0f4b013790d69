"""A real search that is killed again and again comes to what one that is left alone comes to."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


def stat(pid: int | str) -> list[str]:
    """Return state, parent and more of a process, as the kernel tells it; nothing if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def children(pid: int) -> list[int]:
    everyone = [path.name for path in Path("/proc").glob("[0-9]*")]
    return [int(one) for one in everyone if stat(one)[1:2] == [str(pid)]]


def ended(pid: int) -> bool:
    return stat(pid)[:1] in ([], ["Z"])


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.skipif(not stat("self"), reason="looks for processes in /proc, as on Linux")
def test_killed_at_any_moment_a_search_comes_to_the_same(tmp_path: Path, real: Path, digits: ModuleType) -> None:
    folder, moments = tmp_path / "killed", random.Random(0)

    def lines() -> int:
        archive = folder / "archive.jsonl"
        return archive.read_bytes().count(b"\n") if archive.exists() else 0

    def states() -> list[Path]:
        return list(folder.glob("states/*/*/state.json"))

    def begin(workers: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, digits.__file__, str(folder), str(workers)])

    def kill_after(count: int, workers: int) -> None:
        driver = begin(workers)
        try:
            wait_until(lambda: lines() >= count or driver.poll() is not None, 300)
            time.sleep(moments.random() * 0.2)
            at_work = children(driver.pid)
        finally:
            driver.send_signal(signal.SIGKILL)
            assert driver.wait() == -signal.SIGKILL
        assert len(at_work) == workers
        wait_until(lambda: all(map(ended, at_work)), 5)
        assert count <= lines() < digits.LINES

    kill_after(moments.randint(1, 4), workers=2)
    assert states()
    kill_after(moments.randint(8, 12), workers=1)
    assert states()
    kill_after(digits.TRIALS + moments.randint(1, 5), workers=1)  # in the last round
    assert not states()
    driver = begin(2)
    try:
        assert driver.wait(300) == 0
    finally:
        driver.kill()
    assert lines() == digits.LINES
    compared = [
        "archive.jsonl",
        "hall_of_fame.json",
        *(f"previews/{path.name}" for path in (real / "previews").iterdir()),
    ]
    assert len(compared) > 3
    for name in compared:
        assert (folder / name).read_bytes() == (real / name).read_bytes(), name
