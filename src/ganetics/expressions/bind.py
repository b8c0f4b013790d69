"""Partial evaluation: a tied tree for one target, with what is constant computed."""

from __future__ import annotations

import numpy as np

from ganetics.expressions.primitives import LARGEST_CONSTANT, PRIMITIVES, SMALLEST_DIVISOR
from ganetics.expressions.tree import Call, Constant, Expression, Tied, Tree, Variable, Y

ZERO, ONE = Constant(0.0), Constant(1.0)


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
    return fold(_with_target(tree, Constant(target)))


def fold(tree: Tree) -> Tree:
    """Return an equal tree with constant subtrees computed, and without additions of 0 and products by 0 and 1."""
    if isinstance(tree, Constant):
        return Constant(min(max(tree.value, -LARGEST_CONSTANT), LARGEST_CONSTANT))
    if isinstance(tree, Variable):
        return tree
    arguments = tuple(fold(argument) for argument in tree.arguments)
    values = [np.float64(argument.value) for argument in arguments if isinstance(argument, Constant)]
    if len(values) == len(arguments):
        return fold(Constant(float(PRIMITIVES[tree.primitive].value(*values))))
    match tree.primitive, arguments:
        case ("mul", (Constant(0.0), _) | (_, Constant(0.0))) | ("div", (Constant(0.0), _)):
            return ZERO
        case ("add", (Constant(0.0), other)) | ("mul", (Constant(1.0), other)):
            return other
        case ("add" | "sub", (other, Constant(0.0))) | ("mul" | "div", (other, Constant(1.0))):
            return other
        case ("div", (other, Constant(divisor))) if abs(divisor) < SMALLEST_DIVISOR:
            # the primitive gives a divisor of -0.0 the sign of 0.0
            return Call("div", (other, Constant(-SMALLEST_DIVISOR if divisor < 0 else SMALLEST_DIVISOR)))
        case ("sub", (Constant(0.0), other)):
            return Call("neg", (other,))
    return Call(tree.primitive, arguments)


def _with_target(tree: Tree, target: Constant) -> Tree:
    if tree == Y:
        return target
    if isinstance(tree, Call):
        return Call(tree.primitive, tuple(_with_target(argument, target) for argument in tree.arguments))
    return tree
