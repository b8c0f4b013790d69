"""Jobs as messages to another process, and the values that many jobs share, which travel apart from them.

Where a job's argument holds a shared value's handle, at any depth, the message holds its number; the value itself is
sent to a worker once, before the first job that needs it. Everything that is unpickled here was pickled by our own
process and came through a pipe or an object store that is its own.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ganetics._check import InputError, error_line
from ganetics.execution.executor import Job

T = TypeVar("T")


class _Handle:
    def __repr__(self) -> str:
        return "Shared(...)"  # the same everywhere: a job's text may go into its result


@dataclass(frozen=True, eq=False, repr=False)
class Held(_Handle, Generic[T]):
    """A handle where jobs run in this process: it holds the value."""

    value: T

    def get(self) -> T:
        """Return the value."""
        return self.value


@dataclass(frozen=True, eq=False, repr=False)
class Sent(_Handle, Generic[T]):
    """A handle in the process that shares the value, for an executor whose workers are other processes."""

    value: T
    executor: object
    """The one whose workers know the number."""
    number: int
    content: Any
    """What a worker is sent: the pickled value, or where it finds it."""

    def get(self) -> T:
        """Return the value: this process has it."""
        return self.value

    def __reduce__(self) -> tuple[type[Held[T]], tuple[T]]:
        return Held, (self.value,)  # pickled for anybody else it takes the value along


class Arrived(_Handle):
    """A handle in a worker: the value is unpickled when a job first asks for it, and kept."""

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content
        self._value: Any = None

    def get(self) -> Any:
        """Return the value, the same object each time."""
        if self._content is not None:
            self._value = pickle.loads(self._content)  # noqa: S301 - from our own parent process
            self._content = None
        return self._value


def dump_value(value: object) -> bytes:
    """Return a value to share as bytes.

    Raises:
        InputError: it cannot be pickled.
    """
    try:
        return pickle.dumps(value, protocol=5)
    except Exception as error:  # noqa: BLE001 - whatever a value's pickling raises
        raise InputError(f"a shared value must pickle, got a {type(value).__name__}: {error_line(error)}") from None


def dump_job(function: Job, argument: object, *, executor: object) -> tuple[bytes, tuple[Sent[Any], ...]]:
    """Return a job as bytes, and the handles in its argument.

    Raises:
        InputError: the function is not one that a worker can import, the argument cannot be pickled, or a handle in it
            is of another executor.
    """
    if getattr(function, "__module__", None) == "__main__":
        raise InputError(f"a job must be a function of an importable module, got {function!r} of __main__")
    stream = io.BytesIO()
    pickler = _Pickler(stream, executor)
    try:
        pickler.dump((function, argument))
    except Exception as error:  # noqa: BLE001 - whatever an argument's pickling raises
        raise InputError(
            f"a job must be a function of an importable module and an argument that pickles, got {function!r}: "
            f"{error_line(error)}"
        ) from None
    return stream.getvalue(), tuple(pickler.handles.values())


def load_job(payload: bytes, arrived: Mapping[int, Arrived]) -> tuple[Callable[[Any], Any], Any]:
    """Return the function and the argument of a job, with the handles of what has arrived in this worker."""
    function, argument = _Unpickler(io.BytesIO(payload), arrived).load()
    return function, argument


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, executor: object) -> None:
        super().__init__(stream, protocol=5)
        self.handles: dict[int, Sent[Any]] = {}
        self._executor = executor

    def persistent_id(self, obj: object) -> int | None:
        if not isinstance(obj, Sent):
            return None
        if obj.executor is not self._executor:
            raise InputError("a shared value must be of the executor that runs the job, got one of another")
        self.handles[obj.number] = obj
        return obj.number


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, arrived: Mapping[int, Arrived]) -> None:
        super().__init__(stream)
        self._arrived = arrived

    def persistent_load(self, pid: int) -> Arrived:
        return self._arrived[pid]
