"""Values and exact slopes of expressions in NumPy, float64: the reference for compiled losses, and what reports draw.

Slopes come with the values by forward differentiation, so one pass gives both. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    return values_at(terms_of(expression), from_logits(logits))


def term_gradients(expression: Expression, logits: Array) -> Terms:
    """Return the derivatives of the three terms with respect to the logit."""
    return slopes_at(terms_of(expression), from_logits(logits))


def values_at(bound: Sequence[Tree], known: Mapping[Tree, Dual]) -> Terms:
    """Return the values of three terms as :func:`terms_of` gives them.

    Of the bound trees, as the compiled loss: with y = 1 the log of y*p is the log of p, known from the logit.

    Args:
        bound: real, fake and generator term.
        known: what :func:`from_logits` gives, once for many losses at the same logits.
    """
    found: dict[Tree, Array] = {tree: value for tree, (value, _) in known.items()}
    with np.errstate(all="ignore"):  # a value that overflows is for the caller to see, not to be warned of
        # terms that do not depend on the logit have its shape all the same
        return Terms(*(_value(tree, found) + np.zeros_like(found[X]) for tree in bound))


def slopes_at(bound: Sequence[Tree], known: Mapping[Tree, Dual]) -> Terms:
    """Return the slopes of three terms as :func:`terms_of` gives them; see :func:`values_at`."""
    found = dict(known)
    with np.errstate(all="ignore"):
        return Terms(*(_dual(tree, found)[1] + np.zeros_like(found[X][0]) for tree in bound))


def evaluate(tree: Tree, variables: Mapping[Tree, Dual]) -> Dual:
    """Return value and slope of a tree.

    Args:
        tree: what to evaluate.
        variables: value and slope of the variables, and of any larger trees that are known better than computing them
            part by part would give: ``1 - p`` loses its digits where p is near 1.
    """
    return _dual(tree, dict(variables))


def from_logits(logits: Array) -> dict[Tree, Dual]:
    """Return value and slope of what is computed from the logit directly, for :func:`evaluate`."""
    logits = np.asarray(logits, dtype=np.float64)
    p, q = sigmoid(logits), sigmoid(-logits)
    softplus = PRIMITIVES["softplus"].value
    return {
        X: (logits, np.ones_like(logits)),
        P: (p, p * q),
        ONE_MINUS_P: (q, -p * q),
        LOG_P: (-softplus(-logits), q),
        LOG_ONE_MINUS_P: (-softplus(logits), -p),
    }


def _dual(tree: Tree, found: dict[Tree, Dual]) -> Dual:
    """Return value and slope, and keep them in ``found``: real and fake term have much in common."""
    if isinstance(tree, Constant):
        return np.float64(tree.value), np.float64(0.0)  # type: ignore[return-value]
    known = found.get(tree)
    if known is not None:
        return known
    if isinstance(tree, Variable):
        raise KeyError(f"no value for the variable {tree.name}")
    primitive = PRIMITIVES[tree.primitive]
    if len(tree.arguments) == 1:
        value, slope = _dual(tree.arguments[0], found)
        dual = primitive.value(value), primitive.slopes(value)[0] * slope
    else:
        (first, first_slope), (second, second_slope) = (_dual(argument, found) for argument in tree.arguments)
        partial, other = primitive.slopes(first, second)
        dual = primitive.value(first, second), partial * first_slope + other * second_slope
    found[tree] = dual
    return dual


def _value(tree: Tree, found: dict[Tree, Array]) -> Array:
    """Return the value that :func:`_dual` gives, in half the time."""
    if isinstance(tree, Constant):
        return np.float64(tree.value)  # type: ignore[return-value]
    known = found.get(tree)
    if known is not None:
        return known
    if isinstance(tree, Variable):
        raise KeyError(f"no value for the variable {tree.name}")
    values = [_value(argument, found) for argument in tree.arguments]
    result = found[tree] = PRIMITIVES[tree.primitive].value(*values)
    return result
