from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ganetics.expressions.bind import bind, fold, terms_of
from ganetics.expressions.numeric import Dual, evaluate
from ganetics.expressions.text import parse, tree_to_text
from ganetics.expressions.tree import Call, Constant, P, Separate, Tied, Tree, Y, nodes, size, variables

DETERMINISTIC = settings(derandomize=True, deadline=None, max_examples=200)
TREES = st.from_type(Tied).map(lambda tied: tied.tree)
POINTS = np.array([0.003, 0.2, 0.5, 0.77, 0.9991])


def values(tree: Tree, target: float) -> Dual:
    zeros = np.zeros_like(POINTS)
    known: dict[Tree, Dual] = {P: (POINTS, zeros + 1), Y: (zeros + target, zeros)}
    with np.errstate(all="ignore"):
        value, slope = evaluate(tree, known)
    return value + zeros, slope + zeros


@DETERMINISTIC
@given(TREES, st.sampled_from([0.0, 1.0]))
def test_a_bound_tree_says_the_same_without_the_target(tree: Tree, target: float) -> None:
    constants = [node for _, node in nodes(tree) if not variables(node)]
    assume(all(np.abs(values(node, 0.0)[0]).max() < 1e37 for node in constants))  # larger ones are cut off
    bound = bind(tree, target)
    assert variables(bound) <= {"p"}
    assert size(bound) <= size(tree)
    for found, expected in zip(values(bound, np.nan), values(tree, target), strict=True):
        finite = np.isfinite(expected)  # zero times infinity is zero once it is folded
        assert np.allclose(found[finite], expected[finite], rtol=1e-9, atol=0)


@DETERMINISTIC
@given(TREES)
def test_folding_leaves_nothing_to_fold(tree: Tree) -> None:
    once = fold(tree)
    assert fold(once) == once
    for _, node in nodes(once):
        assert not isinstance(node, Call) or not all(isinstance(argument, Constant) for argument in node.arguments)


@pytest.mark.parametrize(
    ("text", "real", "fake"),
    [
        ("-(y*log(p) + (1 - y)*log(1 - p))", "-log(p)", "-log(1 - p)"),
        ("p**3 + sqrt(3.985*y/p)", "p**3 + sqrt(3.985/p)", "p**3 + 1e-07"),
        ("(y - p)**2", "(1 - p)**2", "(-p)**2"),
        ("p*y + (p - 0)/1", "p + p", "p"),
        ("y/p", "1/p", "0"),
        ("exp(exp(y + 4))", "10686474581524.463", "10686474581524.463"),
        ("p/(y*-1)", "p/-1", "p/1e-07"),  # a divisor of -0.0 has the sign of 0.0, folded or not
        ("p/(y - 1 - 1e-9)", "p/-1e-07", "p/-1.000000001"),
        ("1e300*1e300*p", "1e+38*p", "1e+38*p"),
    ],
)
def test_known_losses(text: str, real: str, fake: str) -> None:
    expression = parse(text)
    found = [tree_to_text(tree) for tree in terms_of(expression)]
    assert found == [real, fake, real]
    assert [tree_to_text(bind(expression.tree, y)) for y in (1.0, 0.0)] == [real, fake]  # type: ignore[union-attr]


def test_the_terms_of_a_separate_loss_are_its_own() -> None:
    expression = parse("real: relu(1 - x)*1; fake: x + (2 - 2); generator: -x")
    assert isinstance(expression, Separate)
    assert [tree_to_text(tree) for tree in terms_of(expression)] == ["relu(1 - x)", "x", "-x"]
