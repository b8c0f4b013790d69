"""Files that are there whole, or as they were before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def in_place_of(path: Path) -> Iterator[Path]:
    """Give the path of a file beside ``path`` to write to; it takes its place when the block ends without an error.

    At any moment the old or the new content is there, whole, after a loss of power too.

    Raises:
        OSError: the disk is full or the folder not writable; names ``path``.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
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


def sync(path: Path) -> None:
    """Bring a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
