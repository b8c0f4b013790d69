"""What a command line may say for a loss: a name, an expression, or @FILE."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics.expressions.text import from_json, to_text
from ganetics.records import read_text


def loss_text(given: str) -> str:
    """Return the name or the expression's text that ``given`` says or that its file holds; not yet looked up or parsed.

    Args:
        given: a name of the catalogue, an expression, or ``@FILE``. The file holds a name or an expression's text, an
            expression's JSON, or a search's hall of fame, of which the best loss that the search found is taken, be a
            rival of the catalogue before it or not; the first entry if there is none.

    Raises:
        InputError: no such file, or it holds none of these.

    >>> loss_text("p**3 + sqrt(3.985*y/p)")
    'p**3 + sqrt(3.985*y/p)'
    """
    if not given.startswith("@"):
        return given
    path = Path(given[1:])
    text = read_text(path, "loss").strip()
    if not text:
        raise InputError(f"loss: {path} must hold a name or an expression, it is empty")
    if text[0] not in "[{":
        return text
    try:
        return _from_json(json.loads(text))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: must be JSON, if it begins with {text[0]!r}") from None


def _from_json(value: Any) -> str:
    """Return the text of the best found loss of a hall of fame, or of an expression with or without a name."""
    if isinstance(value, list):
        found = [entry for entry in value if isinstance(entry, dict) and entry.get("name") is None]
        best = (found or value or [None])[0]
        if not isinstance(best, dict) or not isinstance(best.get("expression"), str):
            raise InputError("must be a hall of fame with at least one entry, or an expression's JSON object")
        return str(best["expression"])
    return to_text(from_json({key: inner for key, inner in value.items() if key != "name"}))
