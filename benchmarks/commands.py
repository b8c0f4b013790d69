"""Many commands, some at a time, each done once: what the benchmarks of medical images are made of."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ganetics._check import InputError

GANETICS = (sys.executable, "-m", "ganetics.cli.main")
ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}
"""One thread each: more in two processes at once are many times slower."""


class NotEndedError(Exception):
    """A command has not left what it is to leave."""


@dataclass(frozen=True)
class Command:
    """A command of ganetics that leaves a file when it is done; ``--resume`` is added where its folder is begun."""

    arguments: tuple[str, ...]
    done: Path
    begun: Path | None = None

    def line(self) -> tuple[str, ...]:
        """Return what is run now."""
        further = ("--resume",) if self.begun is not None and self.begun.exists() else ()
        return (*GANETICS, *self.arguments, *further)


def call(command: Command) -> None:
    """Run a command that is not done. One that fails and says so in what it leaves has ended, too.

    Raises:
        NotEndedError: with the last line of what it said.
    """
    if command.done.exists():
        return
    ended = subprocess.run(command.line(), env=ALONE, capture_output=True, text=True)
    if not command.done.exists():
        said = ended.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise NotEndedError(f"{' '.join(command.arguments)}: has not ended (exit code {ended.returncode}): {said[0]}")


def carry_out(work: Mapping[str, Callable[[], object]], *, workers: int, title: str) -> None:
    """Do all of it, so much at a time; tell how far it is.

    Args:
        work: what it is called → what does it.
        workers: processes.
        title: for the progress on standard error.

    Raises:
        SystemExit: after all were tried, if one has not ended: what comes after would be of fewer.
    """

    def done(name: str) -> tuple[str, str]:
        try:
            work[name]()
        except (NotEndedError, InputError) as error:
            return name, str(error)
        return name, ""

    begun, failed = time.monotonic(), []
    with ThreadPoolExecutor(workers) as pool:
        for number, (name, message) in enumerate(pool.map(done, work), 1):
            left = (time.monotonic() - begun) / number * (len(work) - number) / 60
            print(f"{title}: {number}/{len(work)}, {left:.0f} min left: {name} {message}".rstrip(), file=sys.stderr)
            failed += [message] if message else []
    if failed:
        raise SystemExit(f"{title}: {len(failed)} of {len(work)} have not ended: {failed[0]}")
