"""A pool of workers that survives jobs that hang, jobs that take all memory, and workers that die.

Each worker has its own pipe and its own thread in the parent: there is no lock or queue between processes that
a killed worker could leave taken.
"""

from __future__ import annotations

import heapq
import pickle
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Protocol, Self

from ganetics import _check
from ganetics._check import error_line
from ganetics.execution.executor import Completed, Job, JobFailure, Shared, T, in_order
from ganetics.execution.shared import Sent, dump_job, dump_value
from ganetics.execution.worker_process import LostWorkerError, WorkerProcess

ATTEMPTS = 2
STARTS = 3
"""Starts of a worker, one after the other, that fail before a job hears of it."""
LOSSES = 5
"""How often a job may lose its worker to the infrastructure before that is its result."""
CLOSED = "this executor is closed"


class Worker(Protocol):
    """What an owner needs of a worker. All calls but ``kill`` come from one thread; see :class:`WorkerProcess`."""

    def wait(self) -> None: ...
    def keep(self, number: int, content: Any) -> None: ...
    def run(self, payload: bytes, seconds: float | None) -> bytes: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


class NoRoomError(RuntimeError):
    """A worker has waited long for a place to start in, and still does."""


class WorkerPool:
    """An executor of ``workers`` workers, each made by a call of ``start``: the pool of processes, and that of Ray.

    A job that runs longer than its ``seconds`` is stopped with its worker; a worker that dies is replaced. Either
    way the job is tried once more, then recorded as a failure. Workers start with the first jobs.
    """

    shares_files = True

    def __init__(self, workers: int, start: Callable[[], Worker]) -> None:
        self.workers = workers
        self._tasks = _Tasks()
        self._owners = [_Owner(self._tasks, start) for _ in range(workers)]
        self._task_numbers, self._shared_numbers = count(), count()

    def submit(self, function: Job, argument: Any, *, seconds: float | None) -> Future[Completed]:
        """Queue ``function(argument)``.

        The future raises RuntimeError or OSError if no worker can be started: then nothing is known of the job.

        Raises:
            InputError: the function is not one that a worker can import, the argument cannot be pickled, or a shared
                value in it is another executor's.
            RuntimeError: the executor is closed.
        """
        payload, shared = dump_job(function, argument, executor=self)
        task = _Task(next(self._task_numbers), payload, shared, seconds)
        if not self._tasks.put(task):
            raise RuntimeError(CLOSED)
        return task.future

    def map_in_order(self, function: Job, arguments: Iterable[Any], *, seconds: float | None) -> Iterator[Completed]:
        """Yield results in the order of the arguments; at most three jobs a worker are submitted ahead."""
        return in_order(
            lambda argument: self.submit(function, argument, seconds=seconds),
            arguments,
            ahead=3 * self.workers,
        )

    def share(self, value: T) -> Shared[T]:
        """Pickle a value once; see :meth:`ganetics.execution.executor.Executor.share`.

        Raises:
            InputError: it cannot be pickled.
        """
        return Sent(value, self, next(self._shared_numbers), self._content(dump_value(value)))

    def close(self) -> None:
        """Kill the workers; jobs that have not ended are cancelled."""
        waiting = self._tasks.close()
        for owner in self._owners:
            owner.stop()
        for owner in self._owners:
            owner.join()
        for task in waiting:
            if not task.future.cancel():  # it has run before and was to be tried again
                task.future.set_exception(RuntimeError(CLOSED))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _content(self, pickled: bytes) -> Any:
        """Return what a worker's ``keep`` is given of a shared value."""
        return pickled


class PoolExecutor(WorkerPool):
    """Runs jobs in ``workers`` processes of one thread each, on this machine.

    Workers end with this process, also when it is killed.

    Args:
        workers: how many.
        memory_mib: what a job may take, in MiB beyond what an idle worker has, with the shared values that it uses and
            what earlier jobs have left. A job that wants more fails, "out of memory", is not tried again, and its
            worker is replaced. None: no limit, a job that takes all memory is for the system to kill. On Linux only:
            elsewhere there is no limit.

    Raises:
        InputError: ``workers`` or ``memory_mib`` is below 1.
    """

    def __init__(self, workers: int, memory_mib: float | None = None) -> None:
        if memory_mib is not None:
            _check.number("memory_mib", memory_mib, low=1)
        super().__init__(int(_check.number("workers", workers, low=1)), lambda: WorkerProcess(memory_mib))


@dataclass(frozen=True)
class _Task:
    number: int
    payload: bytes
    shared: tuple[Sent[Any], ...]
    seconds: float | None
    future: Future[Completed] = field(default_factory=Future)
    begun: float = 0.0
    attempts: int = 0
    losses: int = 0
    """Of the attempts, how many were lost to the infrastructure."""


class _Tasks:
    """Tasks that wait for a worker, the oldest first; and how many workers there are to take them."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, _Task]] = []
        self._changed = threading.Condition()
        self._closed = False
        self._serving = 0

    def put(self, task: _Task) -> bool:
        """Add a task, new or to be tried again; false if closed."""
        with self._changed:
            if not self._closed:
                heapq.heappush(self._heap, (task.number, task))
                self._changed.notify_all()
            return not self._closed

    def wait(self) -> bool:
        """Wait until there is a task; false if closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._heap or self._closed)
            return not self._closed

    def take(self) -> _Task | None:
        """Return the oldest task that nobody has cancelled, now running; None if there is none."""
        with self._changed:
            while self._heap:
                _, task = heapq.heappop(self._heap)
                if task.attempts or task.future.set_running_or_notify_cancel():
                    return replace(task, attempts=task.attempts + 1, begun=task.begun or time.perf_counter())
            return None

    def close(self) -> list[_Task]:
        """Take no more tasks; return those that waited."""
        with self._changed:
            self._closed = True
            waiting, self._heap = self._heap, []
            self._changed.notify_all()
            return [task for _, task in waiting]

    def serving(self, change: int) -> int:
        """Change the number of workers that are ready or at work, and return it."""
        with self._changed:
            self._serving += change
            return self._serving


class _Owner:
    """A thread of the parent that owns one worker at a time and feeds it.

    It has a worker ready before it takes a task, so that no task waits for a start while another worker is free.
    The thread lives as long as its worker: on Linux a worker is killed when the thread that started it ends.
    """

    def __init__(self, tasks: _Tasks, start: Callable[[], Worker]) -> None:
        self._tasks = tasks
        self._start = start
        self._worker: Worker | None = None
        self._ready = False
        self._kept: set[int] = set()
        self._failed_starts = 0
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
        while self._tasks.wait():
            try:
                worker = self._current()
            except NoRoomError as error:  # it goes on waiting: others may work meanwhile, or nobody does
                if self._tasks.serving(0) == 0:
                    self._tell(error)
            except BaseException as error:  # noqa: BLE001 - the caller must hear of it, not a silent thread
                self._discard()
                self._failed_starts += 1  # one that was killed while it started is no reason to end
                if self._failed_starts >= STARTS or self._stopping:
                    self._tell(error)
            else:
                self._failed_starts = 0
                task = self._tasks.take()
                if task is not None:
                    self._work(worker, task)
        self._discard()

    def _tell(self, error: BaseException) -> None:
        task = self._tasks.take()
        if task is not None:
            task.future.set_exception(error)

    def _work(self, worker: Worker, task: _Task) -> None:
        try:
            for shared in task.shared:
                if shared.number not in self._kept:
                    worker.keep(shared.number, shared.content)
                    self._kept.add(shared.number)
            completed = _read(worker.run(task.payload, task.seconds))
        except LostWorkerError as lost:
            self._discard()
            self._again(task, lost)
        except BaseException as error:  # noqa: BLE001 - as above
            self._discard()
            task.future.set_exception(error)
        else:
            if completed.failure is not None and completed.failure.kind == "out of memory":
                self._discard()  # what a job has left in pieces is not the next one's to live with
            task.future.set_result(replace(completed, attempts=task.attempts))

    def _again(self, task: _Task, lost: LostWorkerError) -> None:
        task = replace(task, losses=task.losses + lost.infrastructure)
        last = task.attempts - task.losses >= ATTEMPTS or task.losses >= LOSSES
        if self._stopping or not (last or self._tasks.put(task)):
            task.future.set_exception(RuntimeError(CLOSED))
        elif last:
            wall = time.perf_counter() - task.begun
            task.future.set_result(Completed(None, lost.failure, wall, 0.0, 0.0, attempts=task.attempts))

    def _current(self) -> Worker:
        with self._lock:
            if self._stopping:
                raise RuntimeError(CLOSED)
            if self._worker is None:
                self._worker = self._start()
            worker = self._worker
        if not self._ready:
            worker.wait()
            self._ready = True
            self._tasks.serving(+1)
        return worker

    def _discard(self) -> None:
        with self._lock:
            if self._worker is not None:
                self._worker.close()
                self._worker = None
        if self._ready:
            self._tasks.serving(-1)
        self._ready = False
        self._kept.clear()


def _read(reply: bytes) -> Completed:
    try:
        completed: Completed = pickle.loads(reply)  # noqa: S301 - from our own worker
    except Exception as error:  # noqa: BLE001 - whatever a value's unpickling raises
        failure = JobFailure("crashed", f"the result cannot be read: {type(error).__name__}: {error_line(error)}")
        return Completed(None, failure, 0.0, 0.0, 0.0)
    return completed
