"""A pool of worker processes that survives jobs that hang and workers that die.

Each worker has its own pipe and its own thread in the parent: there is no lock or queue between processes that
a killed worker could leave taken. A worker is a fresh interpreter that imports this package and what its jobs need,
not the parent's main script, so scripts need no ``if __name__ == "__main__"``.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Literal, Self

from ganetics import _check
from ganetics._check import InputError
from ganetics.execution.executor import Completed, Job, JobFailure, in_order, one_line
from ganetics.execution.process import ONE_THREAD

ATTEMPTS = 2
START_SECONDS = 300.0
LONGEST_WAIT = 2e6
"""Seconds; poll takes a few more at most. A longer time limit is none."""


@dataclass(frozen=True)
class _Task:
    payload: bytes
    seconds: float | None
    future: Future[Completed]


class PoolExecutor:
    """Runs jobs in ``workers`` processes of one thread each.

    A job that runs longer than its ``seconds`` is stopped with its worker; a worker that dies is replaced. Either
    way the job is tried once more, then recorded as a failure. Workers end with this process, also when it is
    killed. Workers start with the first jobs. There is no limit of memory: a job that takes all of it is for the
    system to kill.

    Raises:
        InputError: ``workers`` is below 1.
    """

    def __init__(self, workers: int) -> None:
        self.workers = int(_check.number("workers", workers, low=1))
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._owners = [_Owner(self._tasks) for _ in range(self.workers)]
        self._closed = False

    def submit(self, function: Job, argument: Any, *, seconds: float | None) -> Future[Completed]:
        """Queue ``function(argument)``.

        The future raises RuntimeError or OSError if no worker can be started: then nothing is known of the job.

        Raises:
            InputError: the function is not one that a worker can import, or the argument cannot be pickled.
            RuntimeError: the executor is closed.
        """
        if self._closed:
            raise RuntimeError("this executor is closed")
        if getattr(function, "__module__", None) == "__main__":
            raise InputError(f"a job must be a function of an importable module, got {function!r} of __main__")
        try:
            payload = pickle.dumps((function, argument))
        except Exception as error:  # noqa: BLE001 - whatever an argument's pickling raises
            raise InputError(
                f"a job must be a function of an importable module and an argument that pickles, got {function!r}: "
                f"{one_line(error)}"
            ) from None
        task = _Task(payload, seconds, Future())
        self._tasks.put(task)
        return task.future

    def map_in_order(self, function: Job, arguments: Iterable[Any], *, seconds: float | None) -> Iterator[Completed]:
        """Yield results in the order of the arguments; at most three jobs a worker are submitted ahead."""
        return in_order(
            lambda argument: self.submit(function, argument, seconds=seconds),
            arguments,
            ahead=3 * self.workers,
        )

    def close(self) -> None:
        """Kill the workers; jobs that have not ended are cancelled."""
        self._closed = True
        for owner in self._owners:
            owner.stop()
        for _ in self._owners:
            self._tasks.put(None)
        for owner in self._owners:
            owner.join()
        while not self._tasks.empty():
            task = self._tasks.get()
            if task is not None:
                task.future.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _LostWorkerError(Exception):
    def __init__(self, kind: Literal["timed out", "crashed"], message: str) -> None:
        super().__init__(message)
        self.failure = JobFailure(kind, message)


class _Worker:
    """One process and its pipe."""

    def __init__(self) -> None:
        self._pipe, theirs = Pipe()
        code = f"from ganetics.execution.worker import main; main({theirs.fileno()}, {os.getpid()})"
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": path},
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=2,  # standard output belongs to the command's result
        )
        theirs.close()  # so that the pipe ends when the worker does
        self._ready = False

    def run(self, payload: bytes, seconds: float | None) -> bytes:
        """Return the worker's reply.

        Raises:
            _LostWorkerError: it died, or took longer than ``seconds``.
            RuntimeError: it never was ready for a job.
        """
        if not self._ready:  # the time of the start (imports) is not the job's
            try:
                self._receive(START_SECONDS)
            except _LostWorkerError as lost:  # no job has run, so this is no job's result
                raise RuntimeError(f"a worker process cannot start: {lost}") from None
            self._ready = True
        try:
            self._pipe.send_bytes(payload)
        except OSError:
            raise self._lost() from None
        return self._receive(seconds)

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    def _receive(self, seconds: float | None) -> bytes:
        try:
            if self._pipe.poll(None if seconds is None or seconds > LONGEST_WAIT else seconds):
                return self._pipe.recv_bytes()
        except (EOFError, OSError):
            raise self._lost() from None
        raise _LostWorkerError("timed out", f"stopped after {seconds:g} s")

    def _lost(self) -> _LostWorkerError:
        self._process.kill()
        status = self._process.wait()
        if status == -signal.SIGKILL:
            return _LostWorkerError("crashed", "the worker was killed (perhaps for lack of memory)")
        what = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        return _LostWorkerError("crashed", f"the worker ended with {what}")


class _Owner:
    """A thread of the parent that owns one worker at a time and feeds it.

    The thread lives as long as its worker: on Linux a worker is killed when the thread that started it ends.
    """

    def __init__(self, tasks: queue.SimpleQueue[_Task | None]) -> None:
        self._tasks = tasks
        self._worker: _Worker | None = None
        self._stopping = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="ganetics-worker-owner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._lock:
            self._stopping = True
            if self._worker is not None:
                self._worker.kill()

    def join(self) -> None:
        self._thread.join()

    def _serve(self) -> None:
        while not self._stopping and (task := self._tasks.get()) is not None:
            if not task.future.set_running_or_notify_cancel():
                continue
            try:
                completed = self._complete(task)
            except BaseException as error:  # noqa: BLE001 - the caller must hear of it, not a silent thread
                self._discard()
                task.future.set_exception(error)
            else:
                task.future.set_result(completed)
        self._discard()

    def _complete(self, task: _Task) -> Completed:
        start = time.perf_counter()
        failure = None
        for attempt in range(1, ATTEMPTS + 1):
            try:
                reply = self._current().run(task.payload, task.seconds)
            except _LostWorkerError as lost:
                failure = lost.failure
                self._discard()
            else:
                return replace(_read(reply), attempts=attempt)
        return Completed(None, failure, time.perf_counter() - start, 0.0, 0.0, attempts=ATTEMPTS)

    def _current(self) -> _Worker:
        with self._lock:
            if self._stopping:
                raise RuntimeError("the executor was closed")
            if self._worker is None:
                self._worker = _Worker()
            return self._worker

    def _discard(self) -> None:
        with self._lock:
            if self._worker is not None:
                self._worker.close()
                self._worker = None


def _read(reply: bytes) -> Completed:
    try:
        completed: Completed = pickle.loads(reply)  # noqa: S301 - from our own worker
    except Exception as error:  # noqa: BLE001 - whatever a value's unpickling raises
        failure = JobFailure("crashed", f"the result cannot be read: {type(error).__name__}: {one_line(error)}")
        return Completed(None, failure, 0.0, 0.0, 0.0)
    return completed
