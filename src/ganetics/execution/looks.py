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
    try:
        looks = list(json.loads(path.read_text(encoding="utf-8"))["looks"])
        firsts = [str(look["at"]) for look in looks]
    except FileNotFoundError:
        looks, firsts = [], []
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        raise InputError(f"{path}: must say when {what} were looked at, it is damaged") from None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    looks.append({"at": now, **seen})
    first = (firsts or [now])[0]
    write_json(path, {"first": first, "count": len(looks), "looks": looks})
    return first, len(looks)
