"""The executor for one core and for debugging: jobs run in the caller, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any, Self

from ganetics.execution.executor import Completed, Job, Shared, T, in_order, measured
from ganetics.execution.process import prepared
from ganetics.execution.shared import Held


class InProcessExecutor:
    """Runs a job when it is submitted, in this process and thread.

    ``seconds`` is not enforced and a job that kills its process kills this one: nothing stands between them.
    While it is open the process uses one thread (see :func:`ganetics.execution.process.prepare`).
    """

    workers = 1
    shares_files = True

    def __init__(self) -> None:
        self._closed = False
        self._stack = ExitStack()
        self._stack.enter_context(prepared())

    def submit(self, function: Job, argument: Any, *, seconds: float | None) -> Future[Completed]:
        """Run ``function(argument)`` now and return its finished future; ``seconds`` has no effect.

        Raises:
            RuntimeError: the executor is closed.
        """
        if self._closed:
            raise RuntimeError("this executor is closed")
        future: Future[Completed] = Future()
        future.set_result(measured(function, argument))
        return future

    def map_in_order(self, function: Job, arguments: Iterable[Any], *, seconds: float | None) -> Iterator[Completed]:
        """Yield each result before the next argument is read."""
        return in_order(lambda argument: self.submit(function, argument, seconds=seconds), arguments, ahead=0)

    def share(self, value: T) -> Shared[T]:
        """Return a handle of the value itself."""
        return Held(value)

    def close(self) -> None:
        """Give the process its threads back."""
        self._closed = True
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
