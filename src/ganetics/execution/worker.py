"""A worker process: takes jobs from a pipe, runs them, sends the results back."""

from __future__ import annotations

import os
import pickle
import resource
import signal
from multiprocessing.connection import Connection

from ganetics._check import error_line
from ganetics.execution.executor import Completed, JobFailure, measured
from ganetics.execution.process import data_limits, die_with, fill_buffers, prepare
from ganetics.execution.shared import Arrived, load_job

READY = b"ready"
KEEP = b"keep "
"""Begins a message that is no job (no pickle begins so): a shared value's number. The next message is the value."""


def main(descriptor: int, parent: int, memory_mib: float | None = None) -> None:
    """Serve process ``parent`` over the inherited pipe until it closes; a job may take ``memory_mib`` of memory.

    Ctrl-C reaches every process of a terminal; the parent alone decides what it means.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(parent)
    os.set_inheritable(descriptor, False)  # a process that a job starts must not hold the pipe open
    pipe = Connection(descriptor)
    prepare()
    if memory_mib is not None:
        fill_buffers()
    limited, free = data_limits(memory_mib)
    arrived: dict[int, Arrived] = {}

    def run(payload: bytes) -> object:
        resource.setrlimit(resource.RLIMIT_DATA, limited)
        try:
            function, argument = load_job(payload, arrived)
            return function(argument)
        finally:
            # Here and not in a function: where a job has taken everything, not even a call's frame may be left.
            resource.setrlimit(resource.RLIMIT_DATA, free)

    pipe.send_bytes(READY)
    while True:
        try:
            message = pipe.recv_bytes()
            if message.startswith(KEEP):
                arrived[int(message.removeprefix(KEEP))] = Arrived(pipe.recv_bytes())
                continue
        except (EOFError, OSError):
            os._exit(0)  # the parent has closed the pipe: nothing to clean up
        pipe.send_bytes(_reply(measured(run, message)))


def _reply(completed: Completed) -> bytes:
    try:
        return pickle.dumps(completed)
    except Exception as error:  # noqa: BLE001 - whatever a value's pickling raises
        failure = JobFailure("crashed", f"the result cannot be sent: {type(error).__name__}: {error_line(error)}")
        return pickle.dumps(Completed(None, failure, completed.wall_seconds, completed.cpu_seconds, 0.0))
