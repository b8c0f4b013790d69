"""A worker process of the pool: takes jobs from a pipe, runs them, sends the results back."""

from __future__ import annotations

import os
import pickle
import signal
from multiprocessing.connection import Connection

from ganetics.execution.executor import Completed, JobFailure, measured, one_line
from ganetics.execution.process import die_with, prepare

READY = b"ready"


def main(descriptor: int, parent: int) -> None:
    """Serve process ``parent`` over the inherited pipe until it closes.

    Ctrl-C reaches every process of a terminal; the parent alone decides what it means.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(parent)
    os.set_inheritable(descriptor, False)  # a process that a job starts must not hold the pipe open
    pipe = Connection(descriptor)
    prepare()
    pipe.send_bytes(READY)
    while True:
        try:
            payload = pipe.recv_bytes()
        except (EOFError, OSError):
            os._exit(0)  # the parent has closed the pipe: nothing to clean up
        pipe.send_bytes(_reply(payload))


def _reply(payload: bytes) -> bytes:
    completed = measured(_run, payload)
    try:
        return pickle.dumps(completed)
    except Exception as error:  # noqa: BLE001 - whatever a value's pickling raises
        failure = JobFailure("crashed", f"the result cannot be sent: {type(error).__name__}: {one_line(error)}")
        return pickle.dumps(Completed(None, failure, completed.wall_seconds, completed.cpu_seconds, 0.0))


def _run(payload: bytes) -> object:
    # These bytes come from the parent process alone, through a pipe that nobody else holds.
    function, argument = pickle.loads(payload)  # noqa: S301
    return function(argument)
