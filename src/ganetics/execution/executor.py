"""What an executor is: jobs in, :class:`Completed` out, in order. A job that fails is a result, not an exception."""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, TypeVar

from ganetics._check import InputError, error_line
from ganetics.execution.process import peak_mib

FailureKind = Literal["timed out", "out of memory", "crashed", "wrong input"]
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Job = Callable[[Any], Any]
NO_MEMORY = (
    "can't allocate memory",  # PyTorch on the CPU
    "out of memory",  # PyTorch on a GPU
    "could not create a primitive",  # oneDNN, in PyTorch
    "bad_alloc",  # C++
    "cannot allocate memory",  # the system
    "failed to map segment",  # an import
)
"""How those say it that do not raise MemoryError."""


@dataclass(frozen=True)
class JobFailure:
    """Why a job gave no value; ``message`` is one line."""

    kind: FailureKind
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
    """Above 1 where a worker was lost or stopped and the job was started again."""


class Shared(Protocol[T_co]):
    """Stands for a value in the arguments of jobs; see :meth:`Executor.share`."""

    def get(self) -> T_co:
        """Return the value. In a job it is the same object at each call, and not to be changed."""
        ...


class Executor(Protocol):
    """Runs jobs: a function of an importable module, and one picklable argument.

    A search, a benchmark and a user see this and nothing else of how jobs are run. Results are equal whichever
    executor runs a job: every one runs it after :func:`ganetics.execution.process.prepare`.
    """

    workers: int
    shares_files: bool
    """Whether jobs see the files of this process, and it theirs."""

    def submit(self, function: Job, argument: Any, *, seconds: float | None) -> Future[Completed]:
        """Start ``function(argument)``; stop it after ``seconds`` where the executor can."""
        ...

    def map_in_order(self, function: Job, arguments: Iterable[Any], *, seconds: float | None) -> Iterator[Completed]:
        """Yield the results in the order of the arguments; reads only a few arguments ahead."""
        ...

    def share(self, value: T) -> Shared[T]:
        """Return a handle to be put into the arguments of this executor's jobs, at any depth.

        The value is sent to a worker at most once (to a node at most once, where there are several), and kept there
        until the worker ends.

        Raises:
            InputError: it cannot be pickled, and the executor must.
        """
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


def lacks_memory(error: BaseException) -> bool:
    """Tell whether an error is for want of memory, whoever raises it."""
    raised = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    return raised or any(words in str(error).lower() for words in NO_MEMORY)


def _failure(error: BaseException) -> JobFailure:
    text = error_line(error)
    if isinstance(error, InputError):
        return JobFailure("wrong input", text)
    if lacks_memory(error):
        return JobFailure("out of memory", text or "MemoryError")
    name = type(error).__name__
    return JobFailure("crashed", f"{name}: {text}" if text else name)
