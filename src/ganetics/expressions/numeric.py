"""Values and exact slopes of expressions in NumPy, float64: the reference for compiled losses, and what reports draw.

Slopes come with the values by forward differentiation, so one pass gives both. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ganetics.expressions.bind import terms_of
from ganetics.expressions.primitives import PRIMITIVES, Array, sigmoid
from ganetics.expressions.tree import (
    LOG_ONE_MINUS_P,
    LOG_P,
    ONE_MINUS_P,
    Constant,
    Expression,
    P,
    Tree,
    Variable,
    X,
)

Dual = tuple[Array, Array]
"""A value and its slope."""


@dataclass(frozen=True)
class Terms:
    """One array a term, of the shape of the logits."""

    real: Array
    fake: Array
    generator: Array


def terms(expression: Expression, logits: Array) -> Terms:
    """Return the values of the three terms at the logits (float64, any shape).

    >>> from ganetics.expressions.text import parse
    >>> terms(parse("p"), np.zeros(1)).real
    array([0.5])
    """
    return _terms(expression, logits, 0)


def term_gradients(expression: Expression, logits: Array) -> Terms:
    """Return the derivatives of the three terms with respect to the logit."""
    return _terms(expression, logits, 1)


def evaluate(tree: Tree, variables: Mapping[Tree, Dual]) -> Dual:
    """Return value and slope of a tree.

    Args:
        tree: what to evaluate.
        variables: value and slope of the variables, and of any larger trees that are known better than computing them
            part by part would give: ``1 - p`` loses its digits where p is near 1.
    """
    if isinstance(tree, Constant):
        return np.float64(tree.value), np.float64(0.0)  # type: ignore[return-value]
    known = variables.get(tree)
    if known is not None:
        return known
    if isinstance(tree, Variable):
        raise KeyError(f"no value for the variable {tree.name}")
    primitive = PRIMITIVES[tree.primitive]
    duals = [evaluate(argument, variables) for argument in tree.arguments]
    values = [value for value, _ in duals]
    slope = sum(partial * inner for partial, (_, inner) in zip(primitive.slopes(*values), duals, strict=True))
    return primitive.value(*values), slope  # type: ignore[return-value]


def from_logits(logits: Array) -> dict[Tree, Dual]:
    """Return value and slope of what is computed from the logit directly, for :func:`evaluate`."""
    p, q = sigmoid(logits), sigmoid(-logits)
    softplus = PRIMITIVES["softplus"].value
    return {
        X: (logits, np.ones_like(logits)),
        P: (p, p * q),
        ONE_MINUS_P: (q, -p * q),
        LOG_P: (-softplus(-logits), q),
        LOG_ONE_MINUS_P: (-softplus(logits), -p),
    }


def _terms(expression: Expression, logits: Array, which: int) -> Terms:
    logits = np.asarray(logits, dtype=np.float64)
    with np.errstate(all="ignore"):  # a value that overflows is for the caller to see, not to be warned of
        known = from_logits(logits)
        # of the bound trees, as the compiled loss: with y = 1 the log of y*p is the log of p, known from the logit
        bound = terms_of(expression)
        found = {tree: _full(evaluate(tree, known), logits)[which] for tree in set(bound)}
    return Terms(*(found[tree] for tree in bound))


def _full(dual: Dual, logits: Array) -> Dual:
    """Give terms that do not depend on the logit its shape all the same."""
    value, slope = dual
    return value + np.zeros_like(logits), slope + np.zeros_like(logits)
