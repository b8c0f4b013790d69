"""Files that are there whole, or as they were before."""

from __future__ import annotations

import glob
import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HERE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
"""Of this machine: in a folder that several share, a number of a process says nothing alone."""


@contextmanager
def in_place_of(path: Path) -> Iterator[Path]:
    """Give the path of a file beside ``path`` to write to; it takes its place when the block ends without an error.

    At any moment the old or the new content is there, whole, after a loss of power too. What killed processes of this
    machine have left of the file beside it is removed.

    Raises:
        OSError: the disk is full or the folder not writable; names ``path``.
    """
    remove_abandoned(path.parent, glob.escape(path.name))
    temporary = path.with_name(f".{path.name}.{HERE}-{os.getpid()}.part")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that at any moment the old or the new content is there, whole.

    Raises:
        OSError: the disk is full or the folder not writable; names the file.
    """
    with in_place_of(path) as temporary:
        temporary.write_bytes(content)


def remove_abandoned(folder: Path, names: str) -> None:
    """Remove what killed processes of this machine have left of files that they were writing.

    Args:
        folder: where they lie.
        names: glob pattern of the names that the files would have got.
    """
    for part in folder.glob(f".{names}.*.part"):
        here, _, process = part.name.split(".")[-2].partition("-")
        if here == HERE and not _at_work(process):
            with suppress(OSError):
                part.unlink()


def _at_work(process: str) -> bool:
    """Return whether there is such a process; True also if that cannot be known."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError, ValueError):
        return True
    return True


def sync(path: Path) -> None:
    """Bring a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
