"""The losses that a search begins with, in its mode's form."""

from __future__ import annotations

from ganetics._check import InputError
from ganetics.catalogue import expression_of, paired_expression_of
from ganetics.expressions.separate import separated
from ganetics.expressions.tree import Expression, Tied
from ganetics.search.config import SearchConfig
from ganetics.search.pairs import PAIRS, as_pairs

MISFITS = {
    "no expression": "must be losses that are expressions",
    "of pairs": "must be no losses of pairs but in pairs mode",
    "not tied (in y and p)": "must be tied losses (in y and p) in tied mode",
}
"""Why a loss does not fit → the rule."""


def base_of(text: str, mode: str) -> Expression | None:
    """Return of a loss the expression that a search in this mode has for it; None: it has none.

    In pairs mode what pairs are taken of: a separable loss stands for pairs of it.

    Raises:
        InputError: neither a name nor an expression.

    >>> from ganetics.expressions.text import to_text
    >>> to_text(base_of("relativistic-pairing(wasserstein)", "pairs"))
    'real: -x; fake: x; generator: -x'
    >>> base_of("relativistic-pairing", "separate") is None
    True
    """
    if mode != PAIRS:
        return expression_of(text)
    found = paired_expression_of(text) or expression_of(text)
    return None if found is None else as_pairs(found)


def misfit(text: str, mode: str) -> str | None:
    """Return why a search in this mode cannot begin with a loss, a key of :data:`MISFITS`; None: it can.

    Raises:
        InputError: neither a name nor an expression.
    """
    expression = base_of(text, mode)
    if expression is None:
        return "of pairs" if paired_expression_of(text) is not None else "no expression"
    return "not tied (in y and p)" if mode == "tied" and not isinstance(expression, Tied) else None


def guessed(config: SearchConfig) -> list[Expression]:
    """Return the losses that the search begins with: in its mode's form.

    Raises:
        InputError: a guess is neither a name nor an expression, or not tied and the search is.
    """
    found: list[Expression] = []
    for text in config.guesses:
        if (reason := misfit(text, config.mode)) is not None:
            raise InputError(f"guesses: {MISFITS[reason]}, got {text!r}")
        expression = base_of(text, config.mode)
        assert expression is not None
        if config.mode == "separate" and isinstance(expression, Tied):
            expression = separated(expression)
        found.append(expression)
    return found
