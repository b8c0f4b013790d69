"""What losses are called where there is little room: a label may be a whole expression."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

LONGEST = 32
"""Characters of a name in a table or a figure."""
BEGINNING = LONGEST - 4
"""Characters that are kept of labels that begin alike, so that a number has room."""


def short_names(labels: Iterable[str]) -> dict[str, str]:
    """Return label → name, the label itself if it is short enough; labels that begin alike get numbers, in their order.

    >>> short_names(["hinge", "p**2", "real: softplus(-x); fake: softplus(x); generator: softplus(-x)"])
    {'hinge': 'hinge', 'p**2': 'p**2', 'real: softplus(-x); ...': 'real: softplus(-x); fake: softp…'}
    """
    given = sorted(set(labels))  # so that all tables of the same losses agree, whatever their order
    alike = Counter(label[:BEGINNING] for label in given if len(label) > LONGEST)
    numbers: Counter[str] = Counter()
    names = {}
    for label in given:
        beginning = label[:BEGINNING]
        if len(label) <= LONGEST:
            names[label] = label
        elif alike[beginning] == 1:
            names[label] = f"{label[: LONGEST - 1].rstrip()}…"
        else:
            numbers[beginning] += 1
            names[label] = f"{beginning.rstrip()}… {numbers[beginning]}"
    return names


def written_out(names: Mapping[str, str], labels: Iterable[str]) -> dict[str, str]:
    """Return name → label of those labels whose name is not the label."""
    return {names[label]: label for label in sorted(set(labels)) if names[label] != label}


def shortened(text: str, names: Mapping[str, str]) -> str:
    """Return a text that holds whole labels with their names instead.

    >>> label = "real: softplus(-x); fake: softplus(x); generator: softplus(-x)"
    >>> shortened(f"{label}: 1 of 2 runs failed", short_names([label]))
    'real: softplus(-x); fake: softp…: 1 of 2 runs failed'
    """
    for label in sorted(names, key=len, reverse=True):  # one may begin another
        if names[label] != label:
            text = text.replace(label, names[label])
    return text
