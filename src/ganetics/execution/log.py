"""A run's folder: one owner, a configuration that does not change, and append-only logs that survive a kill."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic_core import from_json as parsed

from ganetics._check import InputError
from ganetics._files import sync
from ganetics.execution.executor import Completed
from ganetics.execution.process import uncollected
from ganetics.records import Record, from_json, read_text, to_json, write_json

T = TypeVar("T", bound=Record)
KINDS: Mapping[str, str] = {
    "loss": "a training run",
    "population": "a search",
    "contenders": "a benchmark",
    "detector": "a detector",
}
"""A field that only the configuration of one kind of run has → what that kind is called."""
GO_ON = "--resume goes on with it, or name another folder"


class RunFolder:
    """A folder that this process alone writes to while the object is open.

    Holds ``config.json`` (written once), ``archive.jsonl`` (the truth), ``timings.jsonl`` and ``environment.json``
    (not part of what is compared).

    Raises:
        InputError: another process has it open; the message names the folder and that process.
        OSError: it cannot be created or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        _check_folder(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.path)
        self.archive = Log(self.path / "archive.jsonl")
        self.timings = Log(self.path / "timings.jsonl", skip_damaged=True)

    def begin(self, config: Mapping[str, Any], *, resume: bool) -> None:
        """Write the configuration of a new run, or check that of the run to go on with.

        Raises:
            InputError: there is a run and ``resume`` is false; there is none and it is true; or the run has another
                configuration (names the first field that differs, and both values).
        """
        _check_configuration(self.path, config, resume=resume)
        if not resume:
            write_json(self.path / "config.json", config, indent=2)

    def commit(self, done: Sequence[tuple[Mapping[str, Any], Completed]], *, elapsed: float) -> None:
        """Add results to the archive, each a line with ``kind`` and ``index``, and what they cost to the timings.

        Args:
            done: lines and the jobs that they came from.
            elapsed: seconds that the run has taken, over all the times that it was gone on with.

        Raises:
            OSError: as :meth:`Log.append`.
        """
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.timings.append(
            *(
                {
                    "kind": line["kind"],
                    "index": line["index"],
                    "wall_seconds": round(job.wall_seconds, 3),
                    "cpu_seconds": round(job.cpu_seconds, 3),
                    "peak_mib": round(job.peak_mib, 1),
                    "attempts": job.attempts,
                    "elapsed_seconds": round(elapsed, 3),
                    "at": at,
                }
                for line, job in done
            )
        )
        self.archive.append(*(line for line, _ in done))

    def note_environment(self, environment: Mapping[str, str]) -> str | None:
        """Write ``environment.json`` where there is none; return a warning if what is there differs from it."""
        path = self.path / "environment.json"
        try:
            stored = dict(json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, TypeError, ValueError):
            write_json(path, dict(environment), indent=2)
            return None
        changes = sorted(name for name, value in environment.items() if stored.get(name) != value)
        if not changes:
            return None
        return f"{', '.join(changes)} not as where this run began: equality with an uninterrupted run is not promised"

    def close(self) -> None:
        """Give the folder free."""
        self.archive.close()
        self.timings.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_new(folder: Path) -> None:
    """Check that a folder holds no run, before what takes long is done for one.

    Raises:
        InputError: it does, or is a file.
    """
    _check_folder(folder)
    if (folder / "config.json").exists():
        raise InputError(f"run folder {folder}: it holds a run already; {GO_ON}")


def check_begin(folder: Path, config: Mapping[str, Any], *, resume: bool) -> None:
    """Check that a run may begin in a folder, or be gone on with, and write nothing.

    Raises:
        InputError: as :class:`RunFolder` and :meth:`RunFolder.begin`.
    """
    _check_folder(folder)
    with suppress(FileNotFoundError):
        descriptor = os.open(folder / ".lock", os.O_RDWR)  # over NFS nothing else is locked
        _hold_lock(descriptor, folder)
        os.close(descriptor)
    _check_configuration(folder, config, resume=resume)


class Log:
    """A file of JSON lines that only grows. A line is there whole and on the disk, or it is not there.

    Args:
        path: the file.
        skip_damaged: pass over damaged lines instead of refusing the file, and do not wait for the disk: for what no
            result depends on.
    """

    def __init__(self, path: Path, *, skip_damaged: bool = False) -> None:
        self.path = path
        self.skip_damaged = skip_damaged
        self._descriptor: int | None = None

    def replay(self) -> list[dict[str, Any]]:
        """Return all records; a last line that was torn by a kill or a full disk is cut off the file.

        Raises:
            InputError: a line before the last is damaged; names the file and the line.
        """
        records, whole = self._read()
        if self.path.exists() and whole < self.path.stat().st_size:
            os.truncate(self.path, whole)
        return records

    def read(self) -> list[dict[str, Any]]:
        """Return all whole records and leave the file as it is: its owner may be at work.

        Raises:
            InputError: a line before the last is damaged; names the file and the line.
        """
        return self._read()[0]

    def append(self, *records: Mapping[str, Any]) -> None:
        """Add records; they are on the disk when this returns. A torn last line is cut off first.

        Raises:
            InputError: a line before the last is damaged.
            OSError: the disk is full or the file not writable; names the file. What was there stays as it was.
            ValueError: a number in the record is not finite.
        """
        lines = "".join(to_json(dict(record)) + "\n" for record in records).encode()
        try:
            self._write(lines)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None

    def close(self) -> None:
        """Close the file; a later append opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _read(self) -> tuple[list[dict[str, Any]], int]:
        """Return the records, and where in the file the last of them ends."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return [], 0
        records: list[dict[str, Any]] = []
        whole = end = 0
        with uncollected():
            for number, line in enumerate(content.splitlines(keepends=True), start=1):
                record = _parse(line)
                end += len(line)
                if record is not None:
                    records.append(record)
                    whole = end
                elif end < len(content) and not self.skip_damaged:
                    raise InputError(
                        f"{self.path}: line {number} is damaged: must be one JSON object, got {line[:60]!r}"
                    )
        return records, whole

    def _write(self, lines: bytes) -> None:
        if self._descriptor is None:
            self.replay()  # a line behind a torn one would be lost with it
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            sync(self.path.parent)
        before = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, lines) != len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if not self.skip_damaged:
                os.fsync(self._descriptor)
        except OSError:
            with suppress(OSError):  # replay would drop the torn line as well
                os.ftruncate(self._descriptor, before)
            raise


def read_config(folder: Path) -> dict[str, Any]:
    """Return the configuration stored in a run folder.

    Raises:
        InputError: there is none, it is not a JSON object, or ``folder`` is a file.
    """
    path = folder / "config.json"
    if folder.is_file():
        raise InputError(f"{folder}: must be the folder of a run, got a file")
    try:
        config = json.loads(read_text(path, "run folder"))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: must be JSON: {error}") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: must be a JSON object, got {type(config).__name__}")
    return config


def read_config_as(kind: type[T], folder: Path) -> T:
    """Return the configuration stored in a run folder as a record of class ``kind``.

    Raises:
        InputError: there is none, or it is that of another kind of run (says which), damaged or out of range.
    """
    config = read_config(folder)
    found, wanted = (
        [name for field, name in KINDS.items() if field in fields] for fields in (config, kind.model_fields)
    )
    if found and found != wanted:
        raise InputError(f"{folder}: holds {found[0]}, not {wanted[0]}")
    return from_json(kind, to_json(config), where=str(folder / "config.json"))


def hold(folder: Path, field: str, stored: Any, given: Any) -> None:
    """Hold one value to that in a run's configuration, before what depends on it is made.

    Raises:
        InputError: it is another, as :meth:`RunFolder.begin` has it.
    """
    if given != stored:
        raise _another(folder, field, stored, given)


def first_difference(old: Any, new: Any, field: str = "") -> tuple[str, Any, Any] | None:
    """Return the first field (dotted) in which two JSON values differ, with both values.

    >>> first_difference({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}})
    ('b.c', 2, 3)
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        # what is expected to take follows from all the rest, and says nothing
        for name in sorted([*new, *(name for name in old if name not in new)], key=lambda name: name == "seconds"):
            inner = f"{field}.{name}" if field else name
            difference = first_difference(old.get(name), new.get(name), inner)
            if difference is not None:
                return difference
        return None
    return None if old == new else (field, old, new)


def _check_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise InputError(f"run folder {path}: must be a folder, got a file")


def _check_configuration(path: Path, config: Mapping[str, Any], *, resume: bool) -> None:
    """Check that there is none and nothing is resumed, or that it is the same and resumed."""
    if not (path / "config.json").exists():
        if resume:
            raise InputError(f"run folder {path}: nothing to resume, it holds no config.json")
        if (path / "archive.jsonl").exists():
            raise InputError(f"run folder {path}: it holds an archive.jsonl without a config.json")
        return
    difference = first_difference(read_config(path), json.loads(to_json(config)))
    if difference is not None:
        raise _another(path, *difference, more="" if resume else f"; {GO_ON}")
    if not resume:
        raise InputError(f"run folder {path}: it holds a run already; {GO_ON}")


def _another(folder: Path, field: str, old: Any, new: Any, *, more: str = "") -> InputError:
    return InputError(
        f"run folder {folder}: it holds another configuration: {field} is {old!r} there, got {new!r}{more}"
    )


def _parse(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = parsed(line)  # three times as fast as the standard library, to the same floats
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    _hold_lock(descriptor, folder)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _hold_lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 32).decode(errors="replace").strip()
        os.close(descriptor)
        raise InputError(f"run folder {folder}: process {owner or 'unknown'} is at work in it") from None
