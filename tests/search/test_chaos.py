"""The full form of what the suite does in small: thirty kills at random moments, of workers too, on every executor."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

from ganetics.execution import PoolExecutor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("GANETICS_CHAOS"), reason="takes minutes: make chaos"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc, as on Linux"),
]
KILLS = int(os.environ.get("GANETICS_CHAOS") or 0)
COMPARED = ("archive.jsonl", "hall_of_fame.json")


def children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (path / "stat").read_text().rpartition(")")[2].split()[:2]
            if parent == str(pid) and state != "Z":
                found.append(int(path.name))
    return found


def test_drivers_and_workers_killed_at_random_moments(tmp_path: Path, real: Path, digits: ModuleType) -> None:
    moments = random.Random(0)
    killed = workers_killed = finished = 0
    while killed < KILLS or finished == 0:
        folder = tmp_path / f"run-{finished}"
        driver = subprocess.Popen([sys.executable, digits.__file__, str(folder), str(moments.randint(1, 3))])
        try:
            # begins after the start-up (imports), which holds nothing that could be lost
            driver.wait(moments.uniform(2.0, 7.0))
        except subprocess.TimeoutExpired:
            at_work = children(driver.pid)
            if at_work and moments.random() < 0.5:  # one a driver: a job that is lost twice is given up
                with suppress(ProcessLookupError):
                    os.kill(moments.choice(at_work), signal.SIGKILL)
                    workers_killed += 1
                with suppress(subprocess.TimeoutExpired):
                    driver.wait(moments.uniform(0.0, 3.0))
        if driver.poll() is None and killed < KILLS:
            at_work = children(driver.pid)
            driver.kill()
            driver.wait()
            killed += 1
            deadline = time.monotonic() + 5
            while any(Path(f"/proc/{pid}").exists() for pid in at_work):
                assert time.monotonic() < deadline, "a worker outlived its driver"
                time.sleep(0.01)
            continue
        assert driver.wait(300) == 0
        for name in COMPARED:
            assert (folder / name).read_bytes() == (real / name).read_bytes(), name
        finished += 1
    print(f"{killed} drivers and {workers_killed} workers killed, {finished} searches finished, all equal")
    assert workers_killed > KILLS // 6


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_pool(workers: int, tmp_path: Path, real: Path, digits: ModuleType) -> None:
    with PoolExecutor(workers) as pool:
        digits.search(tmp_path / "run", pool, digits.config())
    for name in COMPARED:
        assert (tmp_path / "run" / name).read_bytes() == (real / name).read_bytes(), name


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_ray(tmp_path: Path, real: Path, digits: ModuleType) -> None:
    from ganetics.execution.ray import RayExecutor

    with RayExecutor(2) as cluster:
        digits.search(tmp_path / "run", cluster, digits.config())
    for name in COMPARED:
        assert (tmp_path / "run" / name).read_bytes() == (real / name).read_bytes(), name
