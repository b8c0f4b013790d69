"""Terms of the logit: a tied loss as three of them, and the mirror image of one."""

from __future__ import annotations

from collections.abc import Mapping

from ganetics.expressions.bind import ZERO, fold, terms_of
from ganetics.expressions.tree import LOG_ONE_MINUS_P, LOG_P, ONE_MINUS_P, Call, Constant, P, Separate, Tied, Tree, X

MINUS_X = Call("neg", (X,))
OF_LOGIT: Mapping[Tree, Tree] = {
    P: Call("sigmoid", (X,)),
    ONE_MINUS_P: Call("sigmoid", (MINUS_X,)),
    LOG_P: Call("neg", (Call("softplus", (MINUS_X,)),)),
    LOG_ONE_MINUS_P: Call("neg", (Call("softplus", (X,)),)),
}
"""What is computed from the logit directly, in primitives: no digit is lost on the way to the separate form."""
EVEN = ("square", "abs", "cos", "sqrt", "log")
"""Functions that do not see their argument's sign; root and logarithm are of the absolute value."""


def separated(loss: Tied) -> Separate:
    """Return the three terms of a tied loss over the logit: equal, but for constants that a term has added to it.

    >>> from ganetics.expressions.text import parse, to_text
    >>> to_text(separated(parse("-(y*log(p) + (1 - y)*log(1 - p))")))
    'real: softplus(-x); fake: softplus(x); generator: softplus(-x)'
    """
    real, fake, _ = (exchanged(fold(_from_zero(tree)), OF_LOGIT) for tree in terms_of(loss))
    return Separate(real, fake, generator=real)


def mirrored(tree: Tree) -> Tree:
    """Return the tree with −x for x.

    >>> from ganetics.expressions.text import parse, tree_to_text
    >>> [tree_to_text(mirrored(tree)) for tree in (X, parse("real: relu(1 - x); fake: x; generator: x").real)]
    ['-x', 'relu(1 + x)']
    """
    return exchanged(tree, {X: MINUS_X})


def negated(tree: Tree) -> Tree:
    """Return −tree."""
    return _signed("neg", tree)


def exchanged(tree: Tree, by: Mapping[Tree, Tree]) -> Tree:
    """Return the tree with each tree of ``by`` exchanged for the one it names, without signs that cancel out."""
    if tree in by:
        return by[tree]
    if not isinstance(tree, Call):
        return tree
    return _signed(tree.primitive, *(exchanged(argument, by) for argument in tree.arguments))


def _signed(primitive: str, first: Tree, second: Tree | None = None) -> Tree:
    """Return the call; where signs cancel out, one that gives the same to the last digit with fewer of them."""
    minus_first, minus_second = _without_sign(first), _without_sign(second)
    if second is None:
        if primitive == "neg" and minus_first:
            return minus_first
        return Call(primitive, (minus_first if minus_first and primitive in EVEN else first,))
    match primitive:
        case "add" if minus_second:
            return Call("sub", (first, minus_second))
        case "sub" if minus_second:
            return Call("add", (first, minus_second))
        case "mul" if minus_first and minus_second:
            return Call("mul", (minus_first, minus_second))
    return Call(primitive, (first, second))


def _without_sign(tree: Tree | None) -> Tree | None:
    """Return a in −a."""
    return tree.arguments[0] if isinstance(tree, Call) and tree.primitive == "neg" else None


def _from_zero(tree: Tree) -> Tree:
    """Return the tree with 0 for constants that are only added to it: no player sees them."""
    if isinstance(tree, Constant):
        return ZERO
    if isinstance(tree, Call) and tree.primitive in ("add", "sub", "neg"):
        return Call(tree.primitive, tuple(map(_from_zero, tree.arguments)))
    return tree
