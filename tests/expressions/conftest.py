"""Random expressions, ``st.from_type(Tied)`` and ``st.from_type(Separate)``, and what to expect of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import strategies as st

from ganetics.expressions.bind import terms_of
from ganetics.expressions.numeric import Array, Dual, from_logits, term_gradients, terms
from ganetics.expressions.primitives import PRIMITIVES
from ganetics.expressions.text import TERMS
from ganetics.expressions.tree import Call, Constant, Expression, P, Separate, Tied, Tree, X, Y

SPECIAL = (0.0, -0.0, 0.5, 1.0, -1.0, 2.0, 3.0, -3.0, 1e-5, 1e-9, -1e-9, 31.0, 1e6)


def trees(*variables: Tree) -> st.SearchStrategy[Tree]:
    numbers = st.sampled_from(SPECIAL) | st.floats(-4, 4)
    # variables first: what hypothesis shrinks to, and draws most
    leaves = st.sampled_from(variables) | st.sampled_from(variables) | st.builds(Constant, numbers)

    def calls(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        unary, binary = (sorted(name for name, p in PRIMITIVES.items() if p.arity == arity) for arity in (1, 2))
        return st.builds(lambda name, a: Call(name, (a,)), st.sampled_from(unary), inner) | st.builds(
            lambda name, a, b: Call(name, (a, b)), st.sampled_from(binary), inner, inner
        )

    return st.recursive(leaves, calls, max_leaves=14)


st.register_type_strategy(Tied, st.builds(Tied, trees(Y, P)))
st.register_type_strategy(Separate, st.builds(Separate, trees(X), trees(X), trees(X)))


@pytest.fixture(scope="session")
def pairs() -> list[Tied]:
    """Return every primitive, and two constants, at every argument of every primitive: what random trees may miss."""
    inner: list[Tree] = [Call(name, (P, Y)[: primitive.arity]) for name, primitive in PRIMITIVES.items()]
    inner += [Constant(-3.0), Constant(2e-5)]
    found = []
    for name, primitive in PRIMITIVES.items():
        for place in range(primitive.arity):
            for tree in inner:
                arguments = [P] * primitive.arity
                arguments[place] = tree
                found.append(Tied(Call(name, tuple(arguments))))
    return found


@dataclass(frozen=True)
class Reference:
    """A term's values and slopes at some logits, and where they are more than rounding errors.

    Two implementations need to agree only where noise of 1e-12 after every step changes the result by less than 1e-7:
    not behind a division of one rounding error by another, and not behind sin(1e18).
    """

    value: Array
    slope: Array
    value_steady: Array
    slope_steady: Array


@pytest.fixture(scope="session")
def references() -> Callable[[Expression, Array], list[Reference]]:
    """Return a function that gives the references of the real, fake and generator term."""

    def found(expression: Expression, logits: Array) -> list[Reference]:
        values, slopes = terms(expression, logits), term_gradients(expression, logits)
        bound = zip(TERMS, terms_of(expression), strict=True)
        return [_reference(tree, getattr(values, term), getattr(slopes, term), logits) for term, tree in bound]

    return found


def _reference(tree: Tree, value: Array, slope: Array, logits: Array) -> Reference:
    random = np.random.default_rng(0)
    steady = [np.isfinite(value), np.isfinite(slope)]
    for _ in range(3):
        with np.errstate(all="ignore"):
            noisy = _noisy(tree, from_logits(logits), random)
            for i, (one, two) in enumerate(zip(noisy, (value, slope), strict=True)):
                steady[i] = steady[i] & np.isclose(one, two, rtol=1e-7, atol=1e-9)
    return Reference(value, slope, *steady)


def _noisy(tree: Tree, known: dict[Tree, Dual], random: np.random.Generator) -> Dual:
    def noise() -> Array:
        return 1 + 1e-12 * random.standard_normal(len(known[X][0]))

    if isinstance(tree, Constant):
        return np.full_like(noise(), tree.value), np.zeros_like(noise())
    if tree in known:
        value, slope = known[tree]
        return value * noise(), slope * noise()
    assert isinstance(tree, Call)
    primitive = PRIMITIVES[tree.primitive]
    inner = [_noisy(argument, known, random) for argument in tree.arguments]
    values = [value for value, _ in inner]
    parts = zip(primitive.slopes(*values), inner, strict=True)
    return primitive.value(*values) * noise(), sum(partial * slope * noise() for partial, (_, slope) in parts)  # type: ignore[return-value]
