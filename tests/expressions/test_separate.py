"""Terms of the logit: equal to the tied loss they come from, and mirrored exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics.expressions.bind import terms_of
from ganetics.expressions.numeric import Array, Terms, term_gradients, terms
from ganetics.expressions.separate import mirrored, negated, separated
from ganetics.expressions.standard import STANDARD
from ganetics.expressions.text import TERMS, parse, to_text, tree_to_text
from ganetics.expressions.tree import P, Separate, Tied, Tree, complexity, nodes, size, trees, variables
from ganetics.search.screen import screen
from ganetics.search.variation import TIED, ramped

LOGITS = np.linspace(-12.0, 12.0, 97)
DETERMINISTIC = settings(derandomize=True, deadline=None, max_examples=150)
SEPARATE = st.from_type(Separate)


@pytest.fixture(scope="module")
def screened() -> list[Tied]:
    random = np.random.default_rng(3)
    found: list[Tied] = []
    while len(found) < 200:
        tied = Tied(ramped(TIED, random))
        if screen(tied).reason is None:
            found.append(tied)
    return found + [tied for tied in map(parse, STANDARD.values()) if isinstance(tied, Tied)]


def each(one: Terms, other: Terms) -> list[tuple[Array, Array]]:
    return [(getattr(one, term), getattr(other, term)) for term in TERMS]


def test_the_terms_of_tied_losses_have_their_slopes_and_their_values(screened: list[Tied]) -> None:
    """Values but for a constant; a term that nothing was added to in all its digits."""
    equal = 0
    for tied in screened:
        separate = separated(tied)
        assert all(variables(tree) <= {"x"} for tree in trees(separate))
        for expected, found in each(term_gradients(tied, LOGITS), term_gradients(separate, LOGITS)):
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
        for expected, found in each(terms(tied, LOGITS), terms(separate, LOGITS)):
            shift = found - expected
            assert np.ptp(shift) <= 1e-9 * max(1.0, np.abs(expected).max())
            equal += np.array_equal(found, expected)
    assert equal > len(screened)


def test_separated_losses_can_be_written_and_read(screened: list[Tied]) -> None:
    for tied in screened:
        separate = separated(tied)
        assert parse(to_text(separate)) == separate
        assert separate.generator == separate.real
    # ... and are small: what they have more than the bound trees is the sigmoid around each p
    for tied in screened:
        bound = terms_of(tied)
        leaves = sum(node == P for tree in bound for _, node in nodes(tree))
        assert complexity(separated(tied)) <= sum(map(size, bound)) + 2 * leaves


@pytest.mark.parametrize(
    ("text", "real", "fake"),
    [
        (STANDARD["ganetic"], "sigmoid(x)**3 + sqrt(3.985/sigmoid(x))", "sigmoid(x)**3"),
        (STANDARD["non-saturating"], "softplus(-x)", "softplus(x)"),
        ("(y - p)**2", "sigmoid(-x)**2", "sigmoid(x)**2"),
        ("3 - (p - 2*y)", "-sigmoid(x)", "-sigmoid(x)"),
        ("y/p + 4", "1/sigmoid(x)", "0"),
        ("log(p) - -log(1 - p) + y", "-softplus(-x) - softplus(x)", "-softplus(-x) - softplus(x)"),
        ("-p*(y - 1 - p)", "sigmoid(x)*sigmoid(x)", "-sigmoid(x)*(-1 - sigmoid(x))"),
    ],
)
def test_known_losses(text: str, real: str, fake: str) -> None:
    tied = parse(text)
    assert isinstance(tied, Tied)
    assert to_text(separated(tied)) == f"real: {real}; fake: {fake}; generator: {real}"


@DETERMINISTIC
@given(st.from_type(Tied))
def test_any_tied_loss_can_be_separated(tied: Tied) -> None:
    slopes = each(term_gradients(tied, LOGITS), term_gradients(separated(tied), LOGITS))
    for expected, found in slopes:
        finite = np.isfinite(expected)
        np.testing.assert_allclose(found[finite], expected[finite], rtol=1e-7, atol=1e-9)


def of(tree: Tree, logits: Array) -> tuple[Array, Array]:
    expression = Separate(tree, tree, tree)
    return terms(expression, logits).real, term_gradients(expression, logits).real


@DETERMINISTIC
@given(SEPARATE)
def test_a_mirrored_term_says_at_minus_x_what_it_said_at_x(loss: Separate) -> None:
    value, slope = of(loss.real, LOGITS)
    found, falling = of(mirrored(loss.real), -LOGITS)
    np.testing.assert_array_equal(found, value)
    np.testing.assert_array_equal(falling, -slope)


@DETERMINISTIC
@given(SEPARATE)
def test_a_term_with_the_opposite_sign_has_the_opposite_values(loss: Separate) -> None:
    for found, expected in zip(of(negated(loss.real), LOGITS), of(loss.real, LOGITS), strict=True):
        np.testing.assert_array_equal(found, -expected)


@pytest.mark.parametrize("name", [name for name, text in STANDARD.items() if text.startswith("real")])
def test_the_mirror_image_of_a_mirror_image_is_the_term(name: str) -> None:
    for tree in trees(parse(STANDARD[name])):
        assert mirrored(tree) != tree or "x**2" in tree_to_text(tree)
        assert mirrored(mirrored(tree)) == tree
        assert negated(negated(tree)) == tree


@pytest.mark.parametrize(
    ("text", "mirror"),
    [
        ("relu(1 - x)", "relu(1 + x)"),
        ("x + 3", "-x + 3"),
        ("cos(x)*-x + abs(2*x)", "cos(x)*x + abs(2*-x)"),
        ("-x*-x", "x*x"),
        ("sqrt(-x) - log(x)", "sqrt(x) - log(x)"),
        ("3", "3"),
    ],
)
def test_signs_that_cancel_are_not_written(text: str, mirror: str) -> None:
    term = parse(f"real: {text}; fake: x; generator: x")
    assert isinstance(term, Separate)
    assert tree_to_text(mirrored(term.real)) == mirror
