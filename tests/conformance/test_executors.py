"""What every executor promises. A new one is covered by its line in EXECUTORS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from ganetics.execution import Executor, InProcessExecutor, PoolExecutor

EXECUTORS: dict[str, Callable[[], Executor]] = {
    "in-process": InProcessExecutor,
    "pool": lambda: PoolExecutor(2),
}


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request: pytest.FixtureRequest, jobs: ModuleType) -> Iterator[Executor]:
    with EXECUTORS[request.param]() as made:
        yield made


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


@pytest.mark.parametrize("name", EXECUTORS)
def test_closed_it_takes_no_more_jobs(name: str, jobs: ModuleType) -> None:
    with EXECUTORS[name]() as executor:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        executor.submit(jobs.double, 1, seconds=1)
