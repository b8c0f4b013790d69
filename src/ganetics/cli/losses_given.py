"""What a command line may say for a loss, or for several: names, expressions, @FILE; with penalties, with labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics.expressions.text import from_json, to_text
from ganetics.records import Contender, Penalty, from_values, read_text

PENALTY = re.compile(r"\+([a-z]\w*):([^+:/;]+)(?:/(\d+))?$")
"""At the end of a loss: kind, weight and, for a lazy one, the steps between two."""


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


def losses_in(file: Path, *, what: str = "warm start") -> list[str]:
    """Return the losses in a search's hall of fame, or in a text file of one a line (# begins a remark).

    Args:
        file: the file.
        what: what asks for it, for messages.

    Raises:
        InputError: the file is missing, or JSON that is no hall of fame.
    """
    return [loss for _, loss in _labelled(file, what)]


def contenders_given(text: str) -> tuple[Contender, ...]:
    """Return the contenders that ``text`` lists, those that are given twice once; losses are not looked up.

    They are separated by commas outside of parentheses. Each is a name of the catalogue or an expression, perhaps with
    penalties behind it (``+kind:weight``, ``+kind:weight/steps`` every so many steps) and with ``label=`` before it; or
    @FILE: a search's hall of fame, whose found losses are labelled by their numbers, or a text file of one a line.

    Raises:
        InputError: none, no such file, an unknown penalty, or two of one label.

    >>> [one.label for one in contenders_given("hinge, wasserstein+gradient:10, ours=max(p, y)**2+r1:0.5/16")]
    ['hinge', 'wasserstein+gradient:10', 'ours']
    >>> contenders_given("ours=p**2+r1:0.5/16")[0]
    Contender(label='ours', loss='p**2', penalties=(Penalty(kind='r1', weight=0.5, every=16),))
    """
    found: dict[str, Contender] = {}
    for label, loss in _listed(text):
        one = _contender(label, loss)
        if found.setdefault(one.label, one) != one:
            raise InputError(f"losses: no two may have one label, got {one.label!r} for another: give LABEL=LOSS")
    if not found:
        raise InputError(f"losses: there must be at least one, got {text!r}")
    return tuple(found.values())


def penalised(text: str, *, what: str) -> tuple[str, tuple[Penalty, ...]]:
    """Return a loss and the penalties that are written behind it, ``+kind:weight`` or ``+kind:weight/steps``.

    Args:
        text: what was given.
        what: what asks for it, for messages.

    Raises:
        InputError: an unknown penalty, or a weight or steps out of range.

    >>> penalised("hinge+r1:0.5/16", what="loss")
    ('hinge', (Penalty(kind='r1', weight=0.5, every=16),))
    """
    penalties: list[Penalty] = []
    loss = text.strip()
    while match := PENALTY.search(loss):
        kind, weight, every = match.groups()
        where = f"{what}: {text!r}: penalty {kind!r}"
        penalties.insert(0, from_values(Penalty, {"kind": kind, "weight": weight, "every": every or 1}, where=where))
        loss = loss[: match.start()].rstrip()
    return loss, tuple(penalties)


def _contender(label: str | None, text: str) -> Contender:
    loss, penalties = penalised(text, what="losses")
    values = {"label": label or text.strip(), "loss": loss, "penalties": penalties}
    return from_values(Contender, values, where=f"losses: {label or text!r}")


def _listed(text: str) -> Iterator[tuple[str | None, str]]:
    """Yield label and loss of what is between commas, and of what is in files."""
    for part in _parts(text):
        if part.startswith("@"):
            for label, loss in _labelled(Path(part[1:]), "losses"):
                yield (label, loss) if label else _parted(loss)
        else:
            yield _parted(part)


def _parted(text: str) -> tuple[str | None, str]:
    label, sign, loss = text.partition("=")
    return (label.strip(), loss) if sign else (None, text)


def _parts(text: str) -> Iterator[str]:
    depth = begin = 0
    for place, sign in enumerate(f"{text},"):
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth <= 0:
            if part := text[begin:place].strip():
                yield part
            begin = place + 1


def _labelled(file: Path, what: str) -> list[tuple[str | None, str]]:
    """Return the losses in a file, those that a search found with their number and the search's folder as a label."""
    text = read_text(file, what)
    if file.suffix != ".json":
        return [(None, line) for raw in text.splitlines() if (line := raw.split("#")[0].strip())]
    try:
        return [
            (None, str(entry["name"])) if entry["name"] else (_label(entry, file), str(entry["expression"]))
            for entry in json.loads(text)
        ]
    except (ValueError, TypeError, KeyError):
        raise InputError(f"{what}: {file} must be a hall_of_fame.json, a list of losses") from None


def _label(entry: dict[str, Any], file: Path) -> str | None:
    number = entry.get("candidate")
    return None if number is None else f"candidate {number} of {file.resolve().parent.name}"


def _from_json(value: Any) -> str:
    """Return the text of the best found loss of a hall of fame, or of an expression with or without a name."""
    if isinstance(value, list):
        found = [entry for entry in value if isinstance(entry, dict) and entry.get("name") is None]
        best = (found or value or [None])[0]
        if not isinstance(best, dict) or not isinstance(best.get("expression"), str):
            raise InputError("must be a hall of fame with at least one entry, or an expression's JSON object")
        return str(best["expression"])
    return to_text(from_json({key: inner for key, inner in value.items() if key != "name"}))
