"""Losses of relativistic pairs as a space to search in.

The critic minimises c(d) over the difference d of a pair's real and generated logit, the generator g(−d)
(Jolicoeur-Martineau 2018, arXiv 1807.00734, with any c and g). As a separate expression c is the real term, g the
generator's, and the fake term, which no pair looks at, mirrors the real one: c(x) judges a pair as it is, c(−x) one
that was exchanged, so that the screen and guesses at quality read pairs as any other loss. Imports no torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ganetics.expressions.separate import mirrored, separated
from ganetics.expressions.standard import PAIRING
from ganetics.expressions.tree import Expression, Separate, Tied, complexity, size

PAIRS = "pairs"
"""The search's mode."""


def trained_as(text: str, mode: str) -> str:
    """Return what a trial is given of a candidate of a search in this mode.

    >>> trained_as("real: -x; fake: x; generator: -x", "pairs")
    'relativistic-pairing(real: -x; fake: x; generator: -x)'
    """
    return f"{PAIRING}({text})" if mode == PAIRS else text


def written(entry: Mapping[str, Any]) -> str:
    """Return an entry of a hall of fame as a command takes it."""
    return str(entry.get("name") or trained_as(entry["expression"], PAIRS if entry.get("paired") else ""))


def nodes(loss: Expression, mode: str) -> int:
    """Return the nodes of a candidate's trees; of pairs those of the two terms that are used.

    >>> from ganetics.expressions.text import parse
    >>> hinge = parse("real: relu(1 - x); fake: relu(1 + x); generator: -x")
    >>> nodes(hinge, "separate"), nodes(hinge, "pairs")
    (10, 6)
    """
    return complexity(loss) - (size(loss.fake) if mode == PAIRS and isinstance(loss, Separate) else 0)


def as_pairs(loss: Expression, before: Expression | None = None) -> Separate:
    """Return a loss whose fake term mirrors the real one.

    Args:
        loss: tied or separate.
        before: what it was varied from: where that changed the fake term and not the real one, the real one follows.
    """
    found = separated(loss) if isinstance(loss, Tied) else loss
    if isinstance(before, Separate) and found.real == before.real and found.fake != before.fake:
        found = dataclasses.replace(found, real=mirrored(found.fake))
    return dataclasses.replace(found, fake=mirrored(found.real))
