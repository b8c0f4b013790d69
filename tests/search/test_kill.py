"""A real search that is killed again and again comes to what one that is left alone comes to."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = """
import sys
from pathlib import Path
from ganetics.execution import PoolExecutor, RunFolder
from ganetics.records import SearchConfig
from ganetics.search import run_search
from ganetics.training import RECIPES
from ganetics.trial import load_trial_data

recipe = RECIPES["digits"].model_copy(update={"steps": 12, "width": 4, "batch_size": 8, "eval_samples": 100})
data = load_trial_data("digits", None, recipe)
config = SearchConfig(
    dataset="digits",
    data=data.train.identity,
    reference=data.validation.identity,
    extractor=data.extractor.identity,
    recipe=recipe,
    trials=10,
    population=4,
    elites=1,
    tournament=2,
    guesses=("ganetic", "(y - p)**2", "non-saturating"),
    finalists=2,
    final_seeds=2,
    final_rates=(0.3, 1.0),
    rivals=("ganetic", "hinge"),
)
folder = Path(sys.argv[1])
with RunFolder(folder) as run:
    run.begin(config.model_dump(mode="json"), resume=(folder / "config.json").exists())
    with PoolExecutor(2) as pool:
        run_search(run, config, pool)
"""
LINES = 10 + 4 * 2 * 2


def begin(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], stderr=subprocess.PIPE, text=True)


def finish(folder: Path) -> None:
    driver = begin(folder)
    _, error = driver.communicate(timeout=300)
    assert driver.returncode == 0, error


def children(pid: int) -> list[int]:
    """Return the processes whose parent is ``pid``; Linux only."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_killed_at_any_moments_a_search_comes_to_the_same(tmp_path: Path) -> None:
    finish(tmp_path / "whole")
    folder, moments = tmp_path / "killed", random.Random(0)
    archive = folder / "archive.jsonl"

    def lines() -> int:
        return archive.read_bytes().count(b"\n") if archive.exists() else 0

    seen = []
    for target in (1, moments.randint(4, 12), moments.randint(14, LINES - 2)):
        driver = begin(folder)
        try:
            assert wait_until(lambda target=target: lines() >= target or driver.poll() is not None, 240)  # type: ignore[misc]
            time.sleep(moments.random() * 0.2)
            workers = children(driver.pid)
        finally:
            driver.send_signal(signal.SIGKILL)
            driver.communicate()
        assert driver.returncode == -signal.SIGKILL
        assert len(workers) == 2
        assert wait_until(lambda workers=workers: all(map(ended, workers)), 5)  # type: ignore[misc]
        seen.append(lines())
    assert 1 <= seen[0] <= seen[1] <= seen[2] < LINES
    finish(folder)
    for name in ("archive.jsonl", "hall_of_fame.json"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    previews = sorted(path.name for path in (tmp_path / "whole/previews").iterdir())
    assert previews
    for name in previews:
        assert (folder / "previews" / name).read_bytes() == (tmp_path / "whole/previews" / name).read_bytes()
    assert lines() == LINES
