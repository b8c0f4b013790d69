"""Many commands, some at a time, each done once: what the benchmarks of medical images are made of."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

GANETICS = (sys.executable, "-m", "ganetics.cli.main")
ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}
"""One thread each: more in two processes at once are many times slower."""


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


def carry_out(commands: Iterable[Command], *, workers: int, title: str) -> list[Command]:
    """Run what is not done, so many at a time; tell how far it is, and return what failed.

    Args:
        commands: in order.
        workers: processes.
        title: for the progress on standard error.
    """
    missing = [one for one in commands if not one.done.exists()]
    begun, failed = time.monotonic(), []
    with ThreadPoolExecutor(workers) as pool:
        for number, (one, message) in enumerate(pool.map(_run, missing), 1):
            each = (time.monotonic() - begun) / number
            left = f"{each * (len(missing) - number) / 60:.0f} min left"
            print(f"{title}: {number}/{len(missing)}, {left}: {' '.join(one.arguments)} {message}", file=sys.stderr)
            if message:
                failed.append(one)
    return failed


def need(commands: Sequence[Command]) -> None:
    """End where a command has not left what it is to leave: what comes after would be of fewer.

    Raises:
        SystemExit: names the first of them.
    """
    missing = [command for command in commands if not command.done.exists()]
    if missing:
        raise SystemExit(f"{len(missing)} of {len(commands)} commands have not ended: {' '.join(missing[0].arguments)}")


def _run(command: Command) -> tuple[Command, str]:
    ended = subprocess.run(command.line(), env=ALONE, capture_output=True, text=True)
    message: Sequence[str] = ended.stderr.strip().splitlines()[-1:] if ended.returncode else ()
    return command, f"failed ({ended.returncode}): {message[0] if message else ''}" if ended.returncode else ""
