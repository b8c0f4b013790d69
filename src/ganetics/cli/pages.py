"""A run's page, written now and then while the run is made."""

from __future__ import annotations

import time
from collections.abc import Callable

REFRESH_SECONDS = 30.0
"""At least, between two writings."""
SHARE = 0.02
"""Of the time, at most: what is written last takes seconds where there are many bootstraps."""


def now_and_then(write: Callable[[], object]) -> Callable[[], None]:
    """Return what calls ``write``, or does nothing where the last time was too short ago."""
    due = time.monotonic() + REFRESH_SECONDS

    def perhaps() -> None:
        nonlocal due
        begun = time.monotonic()
        if begun >= due:
            write()
            took = time.monotonic() - begun
            due = begun + max(REFRESH_SECONDS, took / SHARE)

    return perhaps
