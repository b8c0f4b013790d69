"""The reference itself: slopes against finite differences, values against other implementations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from deap import gp
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics.expressions.numeric import evaluate, term_gradients, terms
from ganetics.expressions.primitives import PRIMITIVES, sigmoid
from ganetics.expressions.text import parse
from ganetics.expressions.tree import Call, Constant, P, Tied, Tree, Y

LOGITS = np.array([-8.3, -4.1, -1.7, -0.6, 0.2, 0.8, 1.9, 3.7, 9.2])


@pytest.mark.parametrize("name", PRIMITIVES)
def test_slopes_of_each_primitive_are_limits_of_differences(name: str) -> None:
    primitive = PRIMITIVES[name]
    points = np.random.default_rng(0).uniform(-3, 3, (primitive.arity, 500))  # no kink is this near to any of them
    step = 1e-6
    for i, slope in enumerate(primitive.slopes(*points)):
        ends = [primitive.value(*(row + sign * step * (k == i) for k, row in enumerate(points))) for sign in (1, -1)]
        assert np.allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "p**3 + sqrt(3.985*y/p)",
        "-(y*log(p) + (1 - y)*log(1 - p))",
        "exp(2.4092 - p*(1 + y)) - cos(cos(sin(p)))",
        "tanh(p/(y + 2))*abs(p - 0.9) + (y - p)**2/(1 - p)",
        "maximum(p*y, 0.3*p + 0.1) - minimum(sqrt(p), sigmoid(3*p))",
        "real: softplus(-x)**2; fake: relu(1 + x)*sin(x); generator: x/(1 + x**2) - log(x - 9.5)",
    ],
)
def test_slopes_of_losses_are_limits_of_differences(text: str) -> None:
    expression, step = parse(text), 1e-5
    slopes = term_gradients(expression, LOGITS)
    after, before = (terms(expression, LOGITS + sign * step) for sign in (1, -1))
    for term in ("real", "fake", "generator"):
        difference = (getattr(after, term) - getattr(before, term)) / (2 * step)
        assert np.allclose(getattr(slopes, term), difference, rtol=1e-6, atol=1e-7)


def test_ganetic_has_its_closed_form() -> None:
    p = 1 / (1 + np.exp(-LOGITS))
    found, slopes = (which(parse("p**3 + sqrt(3.985*y/p)"), LOGITS) for which in (terms, term_gradients))
    assert np.allclose(found.real, p**3 + np.sqrt(3.985 / p), rtol=1e-12)
    assert np.allclose(found.fake, p**3, atol=1.1e-7)
    assert np.array_equal(found.generator, found.real)
    assert np.allclose(slopes.real, (3 * p**2 - np.sqrt(3.985) / 2 * p**-1.5) * p * (1 - p), rtol=1e-9)


def test_terms_have_the_logits_shape() -> None:
    grid = np.zeros((2, 3))
    for text in ("p", "3", "y"):
        for which in (terms, term_gradients):
            assert which(parse(text), grid).fake.shape == (2, 3)
    assert terms(parse("real: 1; fake: x; generator: -x"), grid + 2).generator.tolist() == [[-2.0] * 3] * 2


def test_a_variable_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="no value for the variable y"):
        evaluate(Y, {P: (np.zeros(1), np.zeros(1))})


OTHERS: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b if abs(b) >= 1e-7 else (-a if b < 0 else a) * 1e7,
    "neg": lambda a: -a,
    "square": lambda a: a * a,
    "cube": lambda a: a * a * a,
    "sqrt": lambda a: max(abs(a), 1e-14) ** 0.5,
    "log": lambda a: float(np.log(max(abs(a), 1e-7))),
    "exp": lambda a: float(np.exp(min(a, 30.0))),
    "abs": abs,
    "tanh": lambda a: float(np.tanh(a)),
    "sin": lambda a: float(np.sin(a)),
    "cos": lambda a: float(np.cos(a)),
    "sigmoid": lambda a: float(np.exp(-np.logaddexp(0, -a))),
    "softplus": lambda a: float(np.logaddexp(0, a)),
    "relu": lambda a: max(a, 0.0),
    "maximum": max,
    "minimum": min,
}
"""The primitives on single numbers, written apart from the package."""


@pytest.fixture(scope="module")
def primitives() -> gp.PrimitiveSet:
    found = gp.PrimitiveSet("LOSS", 2)
    found.renameArguments(ARG0="y", ARG1="p")
    for name, primitive in PRIMITIVES.items():
        found.addPrimitive(OTHERS[name], primitive.arity, name=name)
    return found


def prefix(tree: Tree) -> str:
    """Return the tree as DEAP reads it."""
    if isinstance(tree, Constant):
        return repr(tree.value)
    if not isinstance(tree, Call):
        return tree.name
    return f"{tree.primitive}({', '.join(map(prefix, tree.arguments))})"


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.from_type(Tied))
def test_values_equal_those_of_deap(
    primitives: gp.PrimitiveSet, references: Callable[..., list[Any]], tied: Tied
) -> None:
    function = gp.compile(gp.PrimitiveTree.from_string(prefix(tied.tree), primitives), primitives)
    logits = np.array([-2.2, 0.0, 1.6])
    for y, reference in zip((1.0, 0.0), references(tied, logits), strict=False):
        for p, expected, steady in zip(sigmoid(logits), reference.value, reference.value_steady, strict=True):
            if steady and abs(expected) < 1e30:  # constants are cut off at 1e38
                assert function(y, p) == pytest.approx(expected, rel=1e-6, abs=1e-9)
