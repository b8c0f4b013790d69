"""The executor without processes: what is its own. What all executors share is in tests/conformance."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from ganetics.execution import InProcessExecutor


def test_jobs_run_here_when_they_are_submitted(jobs: ModuleType) -> None:
    with InProcessExecutor() as executor:
        future = executor.submit(jobs.process, None, seconds=None)
        assert future.done()
        assert future.result().value == os.getpid()


def test_ctrl_c_is_not_a_jobs_failure() -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with InProcessExecutor() as executor, pytest.raises(KeyboardInterrupt):
        executor.submit(interrupted, None, seconds=None)


def test_closing_gives_threads_denormals_and_environment_back(
    jobs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        executor = InProcessExecutor()
        assert torch.get_num_threads() == 1
        executor.close()
        executor.close()
        assert torch.get_num_threads() == 2
        assert jobs.denormal(None) > 0
        assert os.environ["OMP_NUM_THREADS"] == "3"
        assert "MKL_NUM_THREADS" not in os.environ
    finally:
        torch.set_num_threads(before)


def test_libraries_loaded_late_use_one_thread_too() -> None:
    """In a fresh process, since here they have been loaded long ago."""
    script = """
import executor_jobs
from ganetics.execution import InProcessExecutor
with InProcessExecutor() as executor:
    threads = executor.submit(executor_jobs.threads, None, seconds=None).result().value
print(sorted(set(threads.values())), len(threads) >= 3)
"""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1] / "jobs")
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout == "[1] True\n", done.stderr
