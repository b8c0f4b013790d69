"""What every executor promises. A new one is covered by its line in EXECUTORS."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from ganetics._check import InputError
from ganetics.execution import Executor, InProcessExecutor, PoolExecutor

MEMORY = 100.0
"""MiB for a job."""


def on_ray() -> Executor:
    from ganetics.execution.ray import RayExecutor

    return RayExecutor(2, memory_mib=MEMORY)


EXECUTORS: dict[str, Callable[[], Executor]] = {
    "in-process": InProcessExecutor,
    "pool": lambda: PoolExecutor(2, MEMORY),
    "ray": on_ray,
}
NAMES = [pytest.param(name, marks=[pytest.mark.ray] if name == "ray" else []) for name in EXECUTORS]


@contextmanager
def local_ray() -> Iterator[None]:
    """Start a Ray of this machine's for all tests, with a CPU more than the executor takes for all of them."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        options = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
        ray.init("local", num_cpus=3, object_store_memory=100_000_000, **options)
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def opened(jobs: ModuleType) -> Iterator[Callable[[str], Executor]]:
    """Return what opens an executor, the same one each time, until the last test."""
    with ExitStack() as stack:

        @cache
        def opened(name: str) -> Executor:
            if name == "ray":
                stack.enter_context(local_ray())
            return stack.enter_context(EXECUTORS[name]())

        yield opened


@pytest.fixture(params=NAMES)
def executor(request: pytest.FixtureRequest, opened: Callable[[str], Executor]) -> Executor:
    """Return an executor of each kind."""
    return opened(request.param)


@pytest.fixture(params=NAMES[1:])
def apart(request: pytest.FixtureRequest, opened: Callable[[str], Executor]) -> Executor:
    """Return an executor of each kind that runs jobs in other processes."""
    return opened(request.param)


@pytest.fixture(scope="module")
def expected(jobs: ModuleType) -> list[bytes]:
    """Return what a worker of its own computes."""
    with PoolExecutor(1) as pool:
        return [result.value for result in pool.map_in_order(jobs.numbers, range(3), seconds=60)]


def test_results_are_in_order_and_measured(executor: Executor, jobs: ModuleType) -> None:
    results = list(executor.map_in_order(jobs.double_after, range(5), seconds=60))
    assert [result.value for result in results] == [0, 2, 4, 6, 8]
    assert all(result.failure is None and result.attempts == 1 for result in results)
    assert 0.19 < results[0].wall_seconds < 10
    assert 0 <= results[0].cpu_seconds < 0.19
    assert all(10 < result.peak_mib < 1e5 for result in results)


def test_no_arguments_no_results(executor: Executor, jobs: ModuleType) -> None:
    assert list(executor.map_in_order(jobs.double, [], seconds=60)) == []


def test_results_are_the_same_bit_for_bit(executor: Executor, jobs: ModuleType, expected: list[bytes]) -> None:
    assert [result.value for result in executor.map_in_order(jobs.numbers, range(3), seconds=60)] == expected
    assert len(set(expected)) == 3


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ("value", "crashed", "ValueError: a b"),
        ("nothing", "crashed", "KeyError"),
        ("exit", "crashed", "SystemExit: 3"),
        ("memory", "out of memory", "MemoryError"),
        ("input", "wrong input", "images: must be there, got nothing"),
    ],
)
def test_what_a_job_raises_is_its_result_at_once(
    executor: Executor, jobs: ModuleType, error: str, kind: str, message: str
) -> None:
    result = executor.submit(jobs.fail, error, seconds=60).result(60)
    assert result.value is None
    assert result.failure is not None
    assert (result.failure.kind, result.failure.message, result.attempts) == (kind, message, 1)
    assert executor.submit(jobs.double, 4, seconds=60).result(60).value == 8


def test_pytorch_without_memory_is_out_of_memory(executor: Executor, jobs: ModuleType) -> None:
    result = executor.submit(jobs.allocate, 1 << 40, seconds=60).result(60)
    assert result.failure is not None
    assert result.failure.kind == "out of memory"
    assert executor.submit(jobs.allocate, 1, seconds=60).result(60).value == 1 << 20


def test_arguments_are_read_only_a_few_ahead(executor: Executor, jobs: ModuleType) -> None:
    read: list[int] = []

    def arguments() -> Iterator[int]:
        for i in range(1000):
            read.append(i)
            yield i

    results = executor.map_in_order(jobs.double, arguments(), seconds=60)
    for i in range(5):
        assert next(results).value == 2 * i
        assert len(read) <= i + 1 + 4 * executor.workers


def test_jobs_have_one_thread_and_no_denormals(executor: Executor, jobs: ModuleType) -> None:
    assert executor.submit(jobs.threads, None, seconds=60).result(60).value["torch"] == 1
    assert executor.submit(jobs.denormal, None, seconds=60).result(60).value == 0


def test_a_shared_value_arrives_once_in_a_process_and_is_kept(executor: Executor, jobs: ModuleType) -> None:
    values = {name: jobs.Weights(seed) for seed, name in enumerate(("one", "two"))}
    shared = {name: executor.share(value) for name, value in values.items()}
    assert [handle.get() for handle in shared.values()] == list(values.values())
    few = executor.map_in_order(jobs.read, [jobs.Reading({"two": shared["two"]})] * 4, seconds=60)
    many = executor.map_in_order(jobs.read, [jobs.Reading(shared)] * 8, seconds=60)
    expected = [value.content() for value in values.values()]
    most = {"two": 0, "both": 0}
    for name, results, contents in (("two", few, expected[1:]), ("both", many, expected)):
        for result in results:
            process, unpickled, read = result.value
            assert read == contents
            most[name] = max(most[name], unpickled)
            assert (process == os.getpid()) == isinstance(executor, InProcessExecutor)
    assert most == ({"two": 0, "both": 0} if isinstance(executor, InProcessExecutor) else {"two": 1, "both": 2})


def test_what_cannot_be_shared_is_refused(apart: Executor, jobs: ModuleType) -> None:
    with pytest.raises(InputError, match=r"^a shared value must pickle, got a function: "):
        apart.share(lambda: None)
    with PoolExecutor(1) as another:
        reading = jobs.Reading({"one": another.share(jobs.Weights(0))})
        with pytest.raises(InputError, match="must be of the executor that runs the job"):
            apart.submit(jobs.read, reading, seconds=60)


def test_a_job_that_takes_all_memory_fails_and_is_not_tried_again(apart: Executor, jobs: ModuleType) -> None:
    for result in apart.map_in_order(jobs.take_all, ["objects", "numpy", "torch"], seconds=100):
        assert result.failure is not None
        assert (result.failure.kind, result.attempts) == ("out of memory", 1), result
    after = list(apart.map_in_order(jobs.double, range(4), seconds=60))
    assert [result.value for result in after] == [0, 2, 4, 6]


def test_a_job_that_takes_too_long_is_stopped_twice(apart: Executor, jobs: ModuleType) -> None:
    result = apart.submit(jobs.sleep, 60, seconds=0.3).result(100)
    assert result.failure is not None
    assert (result.failure.kind, result.failure.message) == ("timed out", "stopped after 0.3 s")
    assert result.attempts == 2
    assert 0.6 <= result.wall_seconds < 50


def test_a_job_whose_worker_dies_is_tried_once_more(apart: Executor, jobs: ModuleType, tmp_path: Path) -> None:
    once = apart.submit(jobs.die_first, str(tmp_path / "died"), seconds=60)
    always = apart.submit(jobs.die, signal.SIGKILL, seconds=60)
    assert (once.result(100).value, once.result().attempts) == ("alive", 2)
    assert (always.result(100).value, always.result().attempts) == (None, 2)
    failure = always.result().failure
    assert failure is not None
    assert failure.message == "the worker was killed (perhaps for lack of memory)"


def test_results_and_arguments_that_do_not_travel_are_failures(apart: Executor, jobs: ModuleType) -> None:
    for job, argument, message in (
        (jobs.unsendable, None, "the result cannot be sent: "),
        (jobs.unreadable, None, "the result cannot be read: ValueError: not again"),
        (jobs.double, jobs.Unreadable(), "ValueError: not again"),
    ):
        result = apart.submit(job, argument, seconds=60).result(60)
        assert result.failure is not None
        assert (result.failure.kind, result.attempts) == ("crashed", 1)
        assert result.failure.message.startswith(message)
    with pytest.raises(InputError, match="must be a function of an importable module"):
        apart.submit(lambda value: value, 1, seconds=1)


@pytest.mark.parametrize("name", NAMES[1:])
def test_closing_ends_jobs_and_workers(
    name: str, opened: Callable[[str], Executor], jobs: ModuleType, tmp_path: Path
) -> None:
    opened(name)
    executor = EXECUTORS[name]()
    running, *waiting = [executor.submit(jobs.say_and_sleep, str(tmp_path), seconds=None) for _ in range(4)]
    deadline = time.monotonic() + 60
    while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process = int(next(tmp_path.iterdir()).name)
    assert jobs.alive(process)
    executor.close()
    with pytest.raises(RuntimeError, match="closed"):
        running.result(5)
    with pytest.raises(CancelledError):
        waiting[-1].result(5)
    while jobs.alive(process) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not jobs.alive(process)


@pytest.mark.parametrize("name", NAMES)
def test_closed_it_takes_no_more_jobs(name: str, opened: Callable[[str], Executor], jobs: ModuleType) -> None:
    opened(name)
    with EXECUTORS[name]() as executor:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        executor.submit(jobs.double, 1, seconds=1)
    executor.close()
