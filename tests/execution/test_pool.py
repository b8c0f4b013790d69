"""The pool: whatever a job does, it comes to a named failure, the pool goes on, and no process is left behind."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from ganetics._check import InputError
from ganetics.execution import Completed, PoolExecutor
from ganetics.execution import pool as pool_module
from ganetics.execution.pool import NoRoomError, WorkerPool
from ganetics.execution.worker_process import LostWorkerError

JOBS = Path(__file__).parents[1] / "jobs"


@pytest.fixture(scope="module")
def pool(jobs: ModuleType) -> Iterator[PoolExecutor]:
    with PoolExecutor(2) as executor:
        yield executor


def wait_for(condition: object, seconds: float = 30.0) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(condition())


def test_results_come_in_the_order_of_the_arguments(pool: PoolExecutor, jobs: ModuleType) -> None:
    results = list(pool.map_in_order(jobs.double_after, range(12), seconds=60))
    assert [result.value for result in results] == [2 * i for i in range(12)]
    assert {result.attempts for result in results} == {1}
    assert 0.2 <= results[0].wall_seconds < 10
    assert results[0].cpu_seconds < results[0].wall_seconds


def test_two_jobs_run_at_once(pool: PoolExecutor, jobs: ModuleType, tmp_path: Path) -> None:
    meetings = [(str(tmp_path), "one", "two"), (str(tmp_path), "two", "one")]
    results = list(pool.map_in_order(jobs.meet, meetings, seconds=60))
    assert [result.value for result in results] == ["two", "one"]


def test_a_lost_worker_is_a_named_failure_and_the_pool_goes_on(
    pool: PoolExecutor, jobs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "ATTEMPTS", 1)
    futures = {
        "stopped after 0.3 s": pool.submit(jobs.sleep, 60, seconds=0.3),
        "the worker ended with signal SIGSEGV": pool.submit(jobs.die, signal.SIGSEGV, seconds=60),
        "the worker ended with exit status 7": pool.submit(jobs.leave, 7, seconds=60),
    }
    after = [pool.submit(jobs.double, i, seconds=60) for i in range(4)]
    for message, future in futures.items():
        result = future.result(120)
        assert result.value is None
        assert result.failure is not None
        assert result.failure.message == message
        assert result.failure.kind == ("timed out" if "stopped" in message else "crashed")
    assert [future.result(120).value for future in after] == [0, 2, 4, 6]


def test_what_a_worker_cannot_import_is_refused(pool: PoolExecutor, jobs: ModuleType) -> None:
    def local(_: object) -> None: ...

    for function in (lambda value: value, local):
        with pytest.raises(InputError, match="must be a function of an importable module"):
            pool.submit(function, 1, seconds=1)
    with pytest.raises(InputError, match="and an argument that pickles"):
        pool.submit(jobs.double, lambda: None, seconds=1)


def test_a_limit_longer_than_poll_takes_is_none(pool: PoolExecutor, jobs: ModuleType) -> None:
    assert pool.submit(jobs.double, 1, seconds=1e9).result(60).value == 2


def test_leaving_early_cancels_what_waits_and_leaves_a_usable_pool(pool: PoolExecutor, jobs: ModuleType) -> None:
    read: list[int] = []

    def arguments() -> Iterator[float]:
        for i in range(1000):
            read.append(i)
            yield 0.05

    results = pool.map_in_order(jobs.sleep, arguments(), seconds=60)
    assert next(results).value == 0.05
    results.close()  # type: ignore[attr-defined]
    assert len(read) <= 1 + 3 * pool.workers
    assert pool.submit(jobs.double, 1, seconds=60).result(60).value == 2
    assert len(read) <= 1 + 3 * pool.workers


def test_workers_use_one_thread_also_in_libraries_loaded_late(pool: PoolExecutor, jobs: ModuleType) -> None:
    threads = pool.submit(jobs.threads, None, seconds=60).result(60).value
    assert len(threads) >= 3
    assert set(threads.values()) == {1}


def test_a_worker_that_cannot_start_is_no_result_and_the_next_one_may(
    jobs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PoolExecutor(1) as executor:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", "/bin/false")
            with pytest.raises(RuntimeError, match="cannot start: the worker ended with exit status 1"):
                executor.submit(jobs.double, 1, seconds=60).result(60)
            patch.setattr(sys, "executable", "/nowhere")
            with pytest.raises(FileNotFoundError):
                executor.submit(jobs.double, 1, seconds=60).result(60)
        assert executor.submit(jobs.double, 1, seconds=60).result(60).value == 2


def test_too_few_workers_and_too_little_memory_are_refused() -> None:
    with pytest.raises(InputError, match="workers must be at least 1, got 0"):
        PoolExecutor(0)
    with pytest.raises(InputError, match="memory_mib must be at least 1, got 0"):
        PoolExecutor(1, 0)


def script(text: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", text, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(JOBS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_a_job_prints_does_not_reach_standard_output() -> None:
    """A script without a main guard is enough."""
    text = """
import executor_jobs
from ganetics.execution import PoolExecutor
with PoolExecutor(1) as pool:
    print(pool.submit(executor_jobs.speak, "from the job", seconds=60).result(60).value.upper())
"""
    out, err = script(text).communicate(timeout=120)
    assert out == "FROM THE JOB\n", err
    assert err.count("from the job") == 2


def test_no_worker_outlives_a_killed_parent(jobs: ModuleType, tmp_path: Path) -> None:
    text = """
import sys, time
import executor_jobs
from ganetics.execution import PoolExecutor
pool = PoolExecutor(2)
for _ in range(2):
    pool.submit(executor_jobs.say_and_sleep, sys.argv[1], seconds=None)
time.sleep(600)
"""
    parent = script(text, tmp_path)
    try:
        assert wait_for(lambda: len(list(tmp_path.iterdir())) == 2, 120)
        workers = [int(path.name) for path in tmp_path.iterdir()]
        assert all(map(jobs.alive, workers))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
    assert wait_for(lambda: not any(map(jobs.alive, workers)), 5)


def test_functions_of_main_are_refused() -> None:
    text = """
from ganetics._check import InputError
from ganetics.execution import PoolExecutor
def job(argument): return argument
pool = PoolExecutor(1)
try:
    pool.submit(job, 1, seconds=1)
except InputError as error:
    print(error)
pool.close()
"""
    out, err = script(text).communicate(timeout=120)
    assert out.startswith("a job must be a function of an importable module, got <function job"), err


class Scripted:
    """A worker that does what it is told: as many losses to the infrastructure, then ``job``."""

    def __init__(self, losses: int, room: bool) -> None:
        self.losses, self.room = losses, room

    def wait(self) -> None:
        if not self.room:
            time.sleep(0.01)
            raise NoRoomError("no room")

    def keep(self, number: int, content: object) -> None:
        raise AssertionError

    def run(self, payload: bytes, seconds: float | None) -> bytes:
        if self.losses:
            raise LostWorkerError("crashed", "the node was lost", infrastructure=True)
        time.sleep(0.005)
        return pickle.dumps(Completed("done", None, 0.0, 0.0, 0.0))

    def kill(self) -> None: ...

    def close(self) -> None: ...


def test_what_the_infrastructure_loses_is_run_again_a_few_times(jobs: ModuleType) -> None:
    workers = (Scripted(losses=6 - number, room=True) for number in range(7))
    with WorkerPool(1, lambda: next(workers)) as executor:
        lost, found = (executor.submit(jobs.double, 1, seconds=1).result(10) for _ in range(2))
    assert lost.failure is not None
    assert (lost.failure.message, lost.attempts) == ("the node was lost", pool_module.LOSSES)
    assert (found.value, found.attempts) == ("done", 2)


def test_a_worker_without_a_place_holds_nothing_up_while_others_work(jobs: ModuleType) -> None:
    rooms = iter([True, False, False])
    with WorkerPool(3, lambda: Scripted(0, next(rooms))) as executor:
        results = list(executor.map_in_order(jobs.double, range(30), seconds=1))
    assert [result.value for result in results] == ["done"] * 30
    with WorkerPool(2, lambda: Scripted(0, room=False)) as executor, pytest.raises(RuntimeError, match="no room"):
        executor.submit(jobs.double, 1, seconds=1).result(10)
