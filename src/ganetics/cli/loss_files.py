"""Losses in files: a search's hall of fame, an expression's JSON, or a text of one loss a line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ganetics._check import InputError
from ganetics.expressions.text import from_json, to_text
from ganetics.records import read_text
from ganetics.search.pairs import PAIRS, trained_as, written


@dataclass(frozen=True)
class Row:
    """A loss in a file."""

    number: int
    """Its row in a hall of fame, its line in a text; the first is 1."""
    loss: str
    """A name of the catalogue or an expression's text, not yet looked up or parsed."""
    label: str | None = None
    """What the file calls it, or which candidate of which search it is."""


@dataclass(frozen=True)
class LossFile:
    """What a file of losses holds: at least one."""

    path: Path
    unit: Literal["row", "line"]
    """What is counted in it: rows of JSON, lines of a text."""
    length: int
    """So many of them, those without a loss too."""
    rows: tuple[Row, ...]
    whole: str
    """The loss that the file stands for where one is asked for: of a hall of fame the best that the search found."""

    def where(self, row: Row) -> str:
        """Return file and row, for messages."""
        return f"{self.path}, {self.unit} {row.number}"

    def picked(self, number: int, *, what: str) -> Row:
        """Return the loss in this row or line.

        Raises:
            InputError: there is none; says how many rows or lines there are.
        """
        if not 1 <= number <= self.length:
            many = f"{self.length} {self.unit}{'s' if self.length > 1 else ''}"
            raise InputError(f"{what}: {self.path} has {many}, #N must be one of them, got #{number}")
        for row in self.rows:
            if row.number == number:
                return row
        raise InputError(f"{what}: {self.path}: #N must be a line with a loss, got #{number}, which has none")


def read_losses(path: Path, *, what: str) -> LossFile:
    """Read a file of losses: JSON if it begins as such or is called ``.json``, else a text (``#`` begins a remark).

    Args:
        path: the file.
        what: what asks for it, for messages.

    Raises:
        InputError: it is missing, no text, JSON that is neither a hall of fame nor an expression, or without losses;
            names the file.
    """
    text = read_text(path, what)
    first = text.lstrip()[:1]
    if not first:
        raise InputError(f"{what}: no losses in {path}")
    found = _of_json(path, text, what) if first in "[{" or path.suffix == ".json" else _of_text(path, text)
    if not found.rows:
        raise InputError(f"{what}: no losses in {path}")
    return found


def parted(text: str) -> tuple[str | None, str]:
    """Return label and loss of ``LABEL=LOSS``, or None and the loss.

    >>> parted("ours = p**2"), parted("p**2")
    (('ours', ' p**2'), (None, 'p**2'))
    """
    label, sign, loss = text.partition("=")
    return (label.strip(), loss) if sign else (None, text)


def _of_text(path: Path, text: str) -> LossFile:
    lines = [raw.split("#")[0].strip() for raw in text.splitlines()]
    rows = []
    for number, line in enumerate(lines, start=1):
        if line:
            label, loss = parted(line)
            rows.append(Row(number, loss.strip(), label))
    # one loss may go over several lines
    whole = rows[0].loss if len(rows) == 1 else "\n".join(filter(None, lines))
    return LossFile(path, "line", len(lines), tuple(rows), whole)


def _of_json(path: Path, text: str, what: str) -> LossFile:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{what}: {path} must be JSON, as its name or its first character says") from None
    if isinstance(value, dict):
        try:
            loss = to_text(from_json({key: inner for key, inner in value.items() if key != "name"}))
        except InputError as error:
            raise InputError(f"{what}: {path}: {error}") from None
        return LossFile(path, "row", 1, (Row(1, loss),), loss)
    if not isinstance(value, list) or not all(map(_is_entry, value)):
        raise InputError(f"{what}: {path} must be a hall_of_fame.json, a list of losses, or an expression's JSON")
    rows = tuple(Row(i, written(entry), _label(entry, path)) for i, entry in enumerate(value, 1))
    best = next((entry for entry in value if entry.get("name") is None), value[0] if value else {"expression": ""})
    return LossFile(path, "row", len(rows), rows, trained_as(best["expression"], PAIRS if best.get("paired") else ""))


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("expression"), str)
        and isinstance(entry.get("name"), str | None)
    )


def _label(entry: dict[str, Any], file: Path) -> str | None:
    number = entry.get("candidate")
    if entry.get("name") is not None or number is None:
        return None
    return f"candidate {number} of {file.resolve().parent.name}"
