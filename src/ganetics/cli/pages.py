"""A run's page, written now and then while the run is made."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ganetics.cli.console import warn

Page = TypeVar("Page")
REFRESH_SECONDS = 30.0
"""At least, between two writings."""
SHARE = 0.02
"""Of the time, at most: what is written last takes seconds where there are many bootstraps."""


def page_at_end(write: Callable[[], Page], *, again: str) -> Page | None:
    """Call ``write`` for the page of a run that has ended, and return what it does.

    A fault of the page does not hide that the run has ended: then None is returned.

    Args:
        write: writes the page.
        again: the command that does, for the message.

    Raises:
        OSError: the disk is full or the folder not writable.
    """
    try:
        return write()
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of the page alone
        warn(
            f"page: not written, but the run has ended and all of it is kept: {type(error).__name__}: {error}; "
            f"{again} writes it"
        )
        return None


def now_and_then(write: Callable[[], object]) -> Callable[[], None]:
    """Return what calls ``write``, or does nothing where the last time was too short ago.

    Hours of training do not end for a page: what ``write`` raises is told, and it is tried again later. A full disk
    (OSError) ends them.
    """
    due = time.monotonic() + REFRESH_SECONDS

    def perhaps() -> None:
        nonlocal due
        begun = time.monotonic()
        if begun >= due:
            try:
                write()
            except OSError:
                raise
            except Exception as error:  # noqa: BLE001 - a fault of the page; the last one, at the end, is not written here
                warn(f"page: not written, the run goes on: {type(error).__name__}: {error}")
            took = time.monotonic() - begun
            due = begun + max(REFRESH_SECONDS, took / SHARE)

    return perhaps
