"""What an executor is: jobs in, :class:`Completed` out, in order. A job that fails is a result, not an exception."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from ganetics._check import InputError
from ganetics.execution.process import peak_mib

Job = Callable[[Any], Any]


@dataclass(frozen=True)
class JobFailure:
    """Why a job gave no value; ``message`` is one line."""

    kind: Literal["timed out", "out of memory", "crashed", "wrong input"]
    """"wrong input": the job raised :class:`~ganetics._check.InputError`: the fault is in what it was given."""
    message: str


@dataclass(frozen=True)
class Completed:
    """A job's value or failure, and what it cost. Times are seconds, measured where the job ran."""

    value: Any | None
    failure: JobFailure | None
    wall_seconds: float
    cpu_seconds: float
    peak_mib: float
    """Largest resident memory of the job's process up to the job's end, in MiB."""
    attempts: int = 1
    """2 where a worker was lost or stopped and the job was started again."""


class Executor(Protocol):
    """Runs jobs: a function of an importable module, and one picklable argument.

    A search, a benchmark and a user see this and nothing else of how jobs are run. Results are equal whichever
    executor runs a job: every one runs it after :func:`ganetics.execution.process.prepare`.
    """

    workers: int

    def submit(self, function: Job, argument: Any, *, seconds: float | None) -> Future[Completed]:
        """Start ``function(argument)``; stop it after ``seconds`` where the executor can."""
        ...

    def map_in_order(self, function: Job, arguments: Iterable[Any], *, seconds: float | None) -> Iterator[Completed]:
        """Yield the results in the order of the arguments; reads only a few arguments ahead."""
        ...

    def close(self) -> None:
        """Stop all jobs and workers."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def measured(function: Job, argument: Any) -> Completed:
    """Run a job here. Whatever it raises becomes a failure; it is not tried again. Ctrl-C is not the job's and goes on.

    >>> measured(len, "four").value
    4
    >>> measured(int, "four").failure.message
    "ValueError: invalid literal for int() with base 10: 'four'"
    """
    wall, cpu = time.perf_counter(), time.process_time()
    value, failure = None, None
    try:
        value = function(argument)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - any exception of a job is that job's result
        failure = _failure(error)
    return Completed(
        value=value,
        failure=failure,
        wall_seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        peak_mib=peak_mib(),
    )


def in_order(
    submit: Callable[[Any], Future[Completed]], arguments: Iterable[Any], *, ahead: int
) -> Iterator[Completed]:
    """Yield results in the order of the arguments, with at most ``ahead`` more submitted than the next to yield.

    Whoever stops iterating cancels what has not started.
    """
    waiting: deque[Future[Completed]] = deque()
    try:
        for argument in arguments:
            waiting.append(submit(argument))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def one_line(error: BaseException) -> str:
    """Return the error's message on one line of at most 300 characters."""
    return " ".join(str(error).split())[:300]


def _failure(error: BaseException) -> JobFailure:
    text = one_line(error)
    if isinstance(error, InputError):
        return JobFailure("wrong input", text)
    # PyTorch reports a failed allocation on the CPU as a RuntimeError.
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return JobFailure("out of memory", text or "MemoryError")
    name = type(error).__name__
    return JobFailure("crashed", f"{name}: {text}" if text else name)
