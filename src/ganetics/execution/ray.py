"""The executor for many machines: workers on all nodes of a Ray cluster. The only file that imports ray.

An actor of Ray's does little but hold a worker process like those of the pool, on its node. So one and the same code
limits a job's time and memory and tells how a worker ended, wherever it runs, and nothing that a job does to its
process reaches Ray's own threads: where an actor dies, it is the infrastructure's doing.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import ganetics
from ganetics import _check
from ganetics._check import InputError, MissingDependencyError, error_line
from ganetics.execution.executor import JobFailure
from ganetics.execution.pool import NoRoomError, WorkerPool
from ganetics.execution.worker_process import LONGEST_WAIT, START_SECONDS, LostWorkerError, WorkerProcess

try:
    import ray
except ImportError:
    raise MissingDependencyError("ray is not installed: jobs on a cluster need it: pip install ray") from None

GRACE_SECONDS = 60.0
"""After a job's time, for its actor to stop it and say so."""
STARTS = 3
"""How often an actor may be lost before it is ready."""


class RayExecutor(WorkerPool):
    """Runs jobs in ``workers`` processes of one thread each, on the nodes of a Ray cluster, each on one CPU of Ray's.

    Jobs, time limits and failures are those of :class:`~ganetics.execution.pool.PoolExecutor`. Where a node is lost,
    its jobs are run on others, as often as five times, and its workers start anew where CPUs are free, also on nodes
    that come later. What jobs print goes to Ray's log files on their node.

    Args:
        workers: how many; None: one for each CPU that the cluster has now.
        address: "auto" (the cluster that this machine is a node of) or HOST:PORT of its head: this process joins it,
            and ships this package's code to the nodes; what the package depends on must be installed on each. None:
            the Ray that this process has initialised; if it has not, one on this machine that begins and ends with
            this executor.
        memory_mib: as for the pool.

    Raises:
        InputError: ``workers`` or ``memory_mib`` is below 1, there is no cluster at ``address``, or it has no CPU.
    """

    def __init__(
        self, workers: int | None = None, address: str | None = None, *, memory_mib: float | None = None
    ) -> None:
        if workers is not None:
            _check.number("workers", workers, low=1)
        if memory_mib is not None:
            _check.number("memory_mib", memory_mib, low=1)
        self._ours = _initialise(address, workers)
        self.shares_files = self._ours and address is None
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        cpus = int(resources.get("CPU", 0))
        if cpus < 1:
            self._leave()
            raise InputError("the Ray cluster must have at least 1 CPU, got none")
        super().__init__(int(workers or cpus), lambda: _ActorWorker(memory_mib))

    def close(self) -> None:
        """End the actors with their workers, cancel what has not ended, and leave the cluster if this joined it."""
        super().close()
        self._leave()

    def _leave(self) -> None:
        if self._ours:
            self._ours = False
            ray.shutdown()

    def _content(self, pickled: bytes) -> Any:
        return ray.put(pickled)


def _initialise(address: str | None, workers: int | None) -> bool:
    """Let this process join the cluster at ``address`` or begin one here; false if it has one already."""
    if ray.is_initialized():
        if address is not None:
            raise InputError(f"address must be None where Ray is initialised already, got {address!r}")
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray prints what goes wrong on nodes to standard output, which belongs to the command's result; we say it ourselves
    ray._private.worker._worker_logs_enabled = False
    if address is None:
        ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        return True
    _check_there(address)
    try:
        ray.init(
            address,
            log_to_driver=False,
            logging_level=logging.WARNING,
            runtime_env={"py_modules": [str(Path(ganetics.__file__).parent)]},
        )
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        hint = "" if "RAY_AUTH_MODE" in os.environ else " (if it asks for a token: set RAY_AUTH_MODE=token)"
        raise InputError(f"address must be that of a Ray cluster, got {address!r}: {error_line(error)}{hint}") from None
    return True


def _check_there(address: str) -> None:
    """Refuse an address where nobody listens; Ray would try for many minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        raise InputError(f"address must be auto or HOST:PORT, got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"address must be that of a Ray cluster, got {address!r}: {error_line(error)}") from None


class _Host:
    """What runs as an actor: holds one worker process."""

    def __init__(self, path: list[str], memory_mib: float | None) -> None:
        parts_of_ray = str(Path(ray.__file__).parent)
        here = [entry for entry in sys.path if not entry.startswith(parts_of_ray)]
        self._process = WorkerProcess(memory_mib, path=[*here, *(entry for entry in path if entry not in here)])

    def wait(self) -> str:
        """Return why it cannot start, or nothing."""
        try:
            self._process.wait()
        except RuntimeError as error:
            return str(error)
        return ""

    def keep(self, number: int, content: bytes) -> JobFailure | None:
        try:
            self._process.keep(number, content)
        except LostWorkerError as lost:
            return lost.failure
        return None

    def run(self, payload: bytes, seconds: float | None) -> bytes | JobFailure:
        try:
            return self._process.run(payload, seconds)
        except LostWorkerError as lost:
            return lost.failure


class _ActorWorker:
    """A worker of the pool, behind an actor."""

    def __init__(self, memory_mib: float | None) -> None:
        path = [entry or str(Path.cwd()) for entry in sys.path]
        self._make = partial(ray.remote(_Host).options(num_cpus=1).remote, path, memory_mib)
        self._actor: Any
        self._lock = threading.Lock()
        self._ended = False
        self._start()

    def wait(self) -> None:
        trouble = ""
        for _ in range(STARTS):
            try:
                trouble = ray.get(self._ready, timeout=START_SECONDS)
            except ray.exceptions.GetTimeoutError:
                raise NoRoomError(
                    f"no worker could start in {START_SECONDS:g} s: the cluster has no CPU free"
                ) from None
            except ray.exceptions.RayError as error:  # perhaps the node went before the worker was there
                trouble = error_line(error)
                self._start()
            else:
                break
        if trouble:
            raise RuntimeError(f"no worker can start on the cluster: {trouble}")

    def keep(self, number: int, content: Any) -> None:
        self._answer(self._actor.keep.remote(number, content), START_SECONDS)

    def run(self, payload: bytes, seconds: float | None) -> bytes:
        limit = None if seconds is None or seconds > LONGEST_WAIT else seconds + GRACE_SECONDS
        answer: bytes = self._answer(self._actor.run.remote(payload, seconds), limit)
        return answer

    def kill(self) -> None:
        with self._lock:
            self._ended = True
            if ray.is_initialized():  # or it would begin another Ray
                ray.kill(self._actor)

    def close(self) -> None:
        self.kill()

    def _start(self) -> None:
        with self._lock:
            if self._ended or not ray.is_initialized():
                raise RuntimeError("the worker was ended, or Ray with it")
            self._actor = self._make()
            self._ready = self._actor.wait.remote()

    def _answer(self, reference: Any, seconds: float | None) -> Any:
        try:
            answer = ray.get(reference, timeout=seconds)
        except ray.exceptions.RayError as error:
            silent = isinstance(error, ray.exceptions.GetTimeoutError)
            message = "does not answer" if silent else f"was lost: {error_line(error)}"
            raise LostWorkerError("crashed", f"the worker's node {message}", infrastructure=True) from None
        if isinstance(answer, JobFailure):
            raise LostWorkerError(answer.kind, answer.message)
        return answer
