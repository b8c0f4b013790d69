"""Public data sets that are fetched once, with a checksum."""

from __future__ import annotations

import logging
from pathlib import Path

from ganetics._check import InputError
from ganetics.data.cache import cache_folder


def fetch(url: str, checksum: str, *, put: str) -> Path:
    """Return the file at ``url``, from the cache if it was fetched before.

    Args:
        url: where it lies.
        checksum: "md5:…" or "sha256:…".
        put: for the error message: what to put where by hand.

    Raises:
        InputError: it cannot be fetched or kept; one line that says what to put where.
    """
    import pooch  # here: imports requests

    pooch.get_logger().setLevel(logging.ERROR)
    try:
        return Path(pooch.retrieve(url, known_hash=checksum, path=cache_folder() / "downloads", progressbar=False))
    except Exception as error:  # noqa: BLE001 - requests, urllib, sockets, disks: each raises its own
        reason = (str(error).splitlines() or [type(error).__name__])[0][:80]
        raise InputError(f"cannot fetch {url} ({type(error).__name__}: {reason}): {put}") from None
