"""A worker process as its parent sees it. The other side is :mod:`ganetics.execution.worker`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing import Pipe
from pathlib import Path

from ganetics.execution.executor import FailureKind, JobFailure
from ganetics.execution.process import ONE_THREAD
from ganetics.execution.worker import KEEP

START_SECONDS = 300.0
LONGEST_WAIT = 2e6
"""Seconds; poll takes a few more at most. A longer time limit is none."""


class LostWorkerError(Exception):
    """A worker is gone, and with it what it was doing.

    ``infrastructure`` says that the job has no part in it: its machine went, or the way there.
    """

    def __init__(self, kind: FailureKind, message: str, *, infrastructure: bool = False) -> None:
        super().__init__(message)
        self.failure = JobFailure(kind, message)
        self.infrastructure = infrastructure


class WorkerProcess:
    """One process and its pipe.

    It is a fresh interpreter that imports this package and what its jobs need, not the parent's main script, so scripts
    need no ``if __name__ == "__main__"``. Linux kills it when the *thread* that made this object ends.

    Args:
        memory_mib: how much memory a job may take, in MiB beyond what the idle process has; None: all there is.
        path: where it looks for modules; default: where this process does.
    """

    def __init__(self, memory_mib: float | None, path: Sequence[str] | None = None) -> None:
        self._memory_mib = memory_mib
        self._pipe, theirs = Pipe()
        main = f"main({theirs.fileno()}, {os.getpid()}, {memory_mib!r})"
        folders = os.pathsep.join(entry or str(Path.cwd()) for entry in (sys.path if path is None else path))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", f"from ganetics.execution.worker import main; {main}"],
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": folders},
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=2,  # standard output belongs to the command's result
        )
        theirs.close()  # so that the pipe ends when the worker does

    def wait(self) -> None:
        """Wait until it can take a job: the time of the start (imports) is no job's.

        Raises:
            RuntimeError: it ended, or took longer than 300 s.
        """
        try:
            self._receive(START_SECONDS)
        except LostWorkerError as lost:
            raise RuntimeError(f"a worker process cannot start: {lost}") from None

    def keep(self, number: int, content: bytes) -> None:
        """Send a shared value.

        Raises:
            LostWorkerError: it died.
        """
        self._send(b"%s%d" % (KEEP, number), content)

    def run(self, payload: bytes, seconds: float | None) -> bytes:
        """Run a job and return the reply: a pickled :class:`~ganetics.execution.executor.Completed`.

        Raises:
            LostWorkerError: it died, or took longer than ``seconds``.
        """
        self._send(payload)
        return self._receive(seconds)

    def kill(self) -> None:
        """Kill it: a call that waits for it in another thread raises."""
        self._process.kill()

    def close(self) -> None:
        """Kill it and take note of its end."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    def _send(self, *messages: bytes) -> None:
        try:
            for message in messages:
                self._pipe.send_bytes(message)
        except OSError:
            raise self._lost() from None

    def _receive(self, seconds: float | None) -> bytes:
        try:
            if self._pipe.poll(None if seconds is None or seconds > LONGEST_WAIT else seconds):
                return self._pipe.recv_bytes()
        except (EOFError, OSError):
            raise self._lost() from None
        raise LostWorkerError("timed out", f"stopped after {seconds:g} s")

    def _lost(self) -> LostWorkerError:
        self._process.kill()
        status = self._process.wait()
        if status == -signal.SIGKILL:
            return LostWorkerError("crashed", "the worker was killed (perhaps for lack of memory)")
        what = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        # native code aborts where an allocation fails and nobody catches it, or does not look
        perhaps = status in (-signal.SIGABRT, -signal.SIGSEGV) and self._memory_mib is not None
        hint = f" (perhaps for lack of memory: it may take {self._memory_mib:g} MiB)" if perhaps else ""
        return LostWorkerError("crashed", f"the worker ended with {what}{hint}")
