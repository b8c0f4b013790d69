"""Partial evaluation: a tied tree for one target, with what is constant computed."""

from __future__ import annotations

import operator

import numpy as np

from ganetics.expressions.primitives import LARGEST_CONSTANT, PRIMITIVES, SMALLEST_DIVISOR
from ganetics.expressions.tree import Call, Constant, Expression, Tied, Tree, Variable, Y

ZERO = Constant(0.0)


def terms_of(expression: Expression) -> tuple[Tree, Tree, Tree]:
    """Return the trees of the real, fake and generator term: in p if the expression is tied, in x if separate."""
    if isinstance(expression, Tied):
        real = bind(expression.tree, 1.0)
        return real, bind(expression.tree, 0.0), real
    return tuple(fold(tree) for tree in (expression.real, expression.fake, expression.generator))  # type: ignore[return-value]


def bind(tree: Tree, target: float) -> Tree:
    """Return the tree with ``target`` for y, and constants folded.

    >>> from ganetics.expressions.text import parse, tree_to_text
    >>> tree = parse("y*log(p) + (1 - y)*log(1 - p)").tree
    >>> tree_to_text(bind(tree, 1.0)), tree_to_text(bind(tree, 0.0))
    ('log(p)', 'log(1 - p)')
    """
    return _folded(tree, Constant(_within(target)))


def fold(tree: Tree) -> Tree:
    """Return an equal tree with constant subtrees computed, and without additions of 0 and products by 0 and 1."""
    return _folded(tree, None)


def _folded(tree: Tree, target: Constant | None) -> Tree:
    """Fold, with ``target`` for y if there is one; what stays as it was is the same object, quick to compare."""
    if isinstance(tree, Constant):
        return tree if abs(tree.value) <= LARGEST_CONSTANT else Constant(_within(tree.value))
    if isinstance(tree, Variable):
        return target if target is not None and tree.name == Y.name else tree
    arguments = tuple([_folded(argument, target) for argument in tree.arguments])
    constants = [argument for argument in arguments if isinstance(argument, Constant)]
    if len(constants) == len(arguments):
        values = [np.float64(constant.value) for constant in constants]
        return Constant(_within(float(PRIMITIVES[tree.primitive].value(*values))))
    simpler = _with_constant(tree.primitive, *arguments) if constants else None
    if simpler is not None:
        return simpler
    same = all(map(operator.is_, arguments, tree.arguments))
    return tree if same else Call(tree.primitive, arguments)


def _with_constant(primitive: str, first: Tree, second: Tree) -> Tree | None:
    """Return what a primitive of two arguments, one of them a constant, comes to; None: nothing simpler."""
    if isinstance(first, Constant):
        match primitive, first.value:
            case (("mul" | "div"), 0.0):
                return ZERO
            case ("add", 0.0) | ("mul", 1.0):
                return second
            case "sub", 0.0:
                return Call("neg", (second,))
    if isinstance(second, Constant):
        match primitive, second.value:
            case "mul", 0.0:
                return ZERO
            case (("add" | "sub"), 0.0) | (("mul" | "div"), 1.0):
                return first
            case "div", divisor if abs(divisor) < SMALLEST_DIVISOR:
                # the primitive gives a divisor of -0.0 the sign of 0.0
                return Call("div", (first, Constant(-SMALLEST_DIVISOR if divisor < 0 else SMALLEST_DIVISOR)))
    return None


def _within(value: float) -> float:
    return min(max(value, -LARGEST_CONSTANT), LARGEST_CONSTANT)
