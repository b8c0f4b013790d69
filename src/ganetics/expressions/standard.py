"""The separable losses in common use as text. No torch: the catalogue reads these, and so does the Keras adapter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ganetics._check import InputError, one_of
from ganetics.expressions.text import parse
from ganetics.expressions.tree import Expression

STANDARD: Mapping[str, str] = {
    "ganetic": "p**3 + sqrt(3.985*y/p)",
    "non-saturating": "-(y*log(p) + (1 - y)*log(1 - p))",
    "minimax": "real: softplus(-x); fake: softplus(x); generator: -softplus(x)",
    "least-squares": "real: 0.5*(x - 1)**2; fake: 0.5*x**2; generator: 0.5*(x - 1)**2",
    "hinge": "real: relu(1 - x); fake: relu(1 + x); generator: -x",
    "wasserstein": "real: -x; fake: x; generator: -x",
}
"""Name in the catalogue to expression; sources: :data:`ganetics.catalogue.CATALOGUE`."""


def named_or_parsed(text: str, names: Iterable[str] = STANDARD) -> Expression:
    """Return the expression with this name, or the one that this text says.

    Args:
        text: a key of :data:`STANDARD`, or an expression.
        names: what to suggest from if it is neither.

    Raises:
        InputError: neither; names the nearest three, or what is wrong with the expression.

    >>> named_or_parsed("hinge").generator
    Call(primitive='neg', arguments=(Variable(name='x'),))
    >>> named_or_parsed("hinges")
    Traceback (most recent call last):
    ganetics._check.InputError: unknown loss 'hinges', nearest: hinge
    """
    try:
        return parse(STANDARD.get(text, text))
    except InputError:
        # words are a name that is not known; whatever has an operator in it was meant as an expression
        if re.fullmatch(r"\w*([-_ ]\w+)*", text.strip()):
            one_of("loss", text, names)
        raise
