"""When test data were looked at: who looks more than once, and changes something in between, chooses by them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics.records import write_json


def note_look(path: Path, what: str, **seen: Any) -> tuple[str, int]:
    """Write down that test data are looked at now; return when they first were (UTC), and how often, now included.

    Args:
        path: the file, ``looks.json`` of a run.
        what: what is looked at, for a message.
        **seen: what there is to know of it, as plain JSON values.

    Raises:
        InputError: the file is damaged.
        OSError: it cannot be written.
    """
    looks = _looks(path, what)
    firsts = [look["at"] for look in looks]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    looks.append({"at": now, **seen})
    first = (firsts or [now])[0]
    write_json(path, {"first": first, "count": len(looks), "looks": looks})
    return first, len(looks)


def looks_at(path: Path, what: str) -> int:
    """Return how often test data were looked at; the arguments and errors are those of :func:`note_look`."""
    return len(_looks(path, what))


def _looks(path: Path, what: str) -> list[dict[str, Any]]:
    try:
        looks = list(json.loads(path.read_text(encoding="utf-8"))["looks"])
        return [{**look, "at": str(look["at"])} for look in looks]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        raise InputError(f"{path}: must say when {what} were looked at, it is damaged") from None
