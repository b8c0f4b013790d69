"""What the command prints: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ganetics._check import printable
from ganetics.records import to_json

console = Console(highlight=False)
"""Standard output, for people."""

QUIET_SECONDS = 2.0
"""Work that ends sooner shows no progress."""
LINE_SECONDS = 15.0
"""Where no bar can be drawn, a line is printed so often."""


def print_json(value: Any) -> None:
    """Print one JSON object to standard output."""
    sys.stdout.write(to_json(value) + "\n")


def help_if_alone(ctx: typer.Context) -> None:
    """Print the help of a group of commands that was called without one."""
    if ctx.invoked_subcommand is None:
        sys.stdout.write(ctx.get_help() + "\n")


def warn(text: str) -> None:
    """Print one line to standard error."""
    sys.stderr.write(f"ganetics: {printable(text)}\n")


def duration(seconds: float) -> str:
    """Return a duration for people.

    >>> duration(7), duration(95), duration(7300)
    ('7 s', '1 min 35 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@dataclass
class Reporter:
    """Call it with the number of things done, and perhaps a note; it shows them with the time left."""

    description: str
    total: int | None
    bar: Progress | None
    done: int = 0
    _start: float = field(default_factory=time.monotonic)
    _first: int | None = None
    _printed: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._task = self.bar.add_task(self.description, total=self.total, note="") if self.bar else None

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Show that ``done`` things are done (of ``total``, if that has changed)."""
        # what was done before (a resumed run, an earlier phase) tells nothing of the speed
        if self._first is None or done < self.done:
            self._first, self._start = done, time.monotonic()
        self.done, self.total = done, total if total is not None else self.total
        if self.bar is not None and self._task is not None:
            if time.monotonic() - self._start > QUIET_SECONDS:
                self.bar.start()  # again does nothing
            self.bar.update(self._task, completed=done, total=self.total, note=note)
            return
        now = time.monotonic()
        if now - self._printed >= LINE_SECONDS:
            self._printed = now
            warn(" ".join(part for part in (self.description, self._count(), self._left(now), note) if part))

    def _count(self) -> str:
        return f"{self.done}" if self.total is None else f"{self.done}/{self.total}"

    def _left(self, now: float) -> str:
        done = self.done - (self._first or 0)
        if self.total is None or done <= 0:
            return ""
        return f"{duration((now - self._start) / done * (self.total - self.done))} left"


@contextmanager
def progress(description: str, total: int | None = None, *, lines: bool = False) -> Iterator[Reporter]:
    """Show progress on standard error, with the time left: a bar on a terminal, a line now and then elsewhere.

    With ``lines`` there is never a bar: then the reporter can be sent to another process.
    """
    error = Console(stderr=True, highlight=False)
    if lines or not error.is_terminal:
        yield Reporter(description, total, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    bar = Progress(*columns, console=error, transient=True)
    try:
        yield Reporter(description, total, bar)
    finally:
        bar.stop()
