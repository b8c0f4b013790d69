"""Compiled losses against the NumPy reference, in value and gradient."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganetics.expressions.compile import TORCH, compile_loss
from ganetics.expressions.numeric import term_gradients
from ganetics.expressions.primitives import PRIMITIVES
from ganetics.expressions.text import parse
from ganetics.expressions.tree import Expression, Separate, Tied

DETERMINISTIC = settings(derandomize=True, deadline=None, max_examples=200)
EXPRESSIONS = st.from_type(Tied) | st.from_type(Separate)
References = Callable[[Expression, np.ndarray], list[Any]]
LOGITS = np.array([-27.3, -17.1, -9.4, -3.3, -1.1, -0.2, 0.3, 0.9, 2.6, 6.1, 13.7, 24.9])
EDGES = [0.0, -0.0, *(s * v for s in (1, -1) for v in (1e-15, 1e-14, 1e-9, 1e-7, 2e-7, 0.3, 1, 2.5, 19, 30, 30.5, 700))]
"""Where primitives have kinks, or are protected, and around."""


@DETERMINISTIC
@given(EXPRESSIONS)
def test_it_equals_the_reference(references: References, expression: Expression) -> None:
    """In float64, to 1e-7."""
    loss = compile_loss(expression)
    functions = (loss.real_term, loss.fake_term, loss.generator_term)
    for function, expected in zip(functions, references(expression, LOGITS), strict=True):
        logits = torch.from_numpy(LOGITS).requires_grad_(True)
        value = function(logits)
        (slope,) = torch.autograd.grad(value.sum(), logits)
        assert value.shape == logits.shape
        close = np.isclose(value.detach().numpy(), expected.value, rtol=1e-7, atol=1e-9)
        assert close[expected.value_steady].all()
        close = np.isclose(slope.numpy(), expected.slope, rtol=1e-7, atol=1e-9)
        assert close[expected.slope_steady].all()


def test_the_comparison_leaves_few_points_out(references: References) -> None:
    kept: list[bool] = []

    @DETERMINISTIC
    @given(EXPRESSIONS)
    def collect(expression: Expression) -> None:
        for reference in references(expression, LOGITS):
            kept.extend([*reference.value_steady, *reference.slope_steady])

    collect()
    assert np.mean(kept) > 0.9


@pytest.mark.parametrize("name", PRIMITIVES)
def test_each_primitive_equals_its_reference_at_kinks_and_protections(name: str) -> None:
    primitive = PRIMITIVES[name]
    points = np.array(list(itertools.product(EDGES, repeat=primitive.arity))).T
    inputs = [torch.from_numpy(row.copy()).requires_grad_(True) for row in points]
    value = TORCH[name](*inputs)
    slopes = torch.autograd.grad(value.sum(), inputs)
    with np.errstate(under="ignore"):
        assert np.allclose(value.detach().numpy(), primitive.value(*points), rtol=1e-8, atol=1e-12)
        for slope, expected in zip(slopes, primitive.slopes(*points), strict=True):
            assert np.isfinite(expected).all()
            assert np.allclose(slope.numpy(), expected, rtol=1e-8, atol=1e-12)


def test_torch_and_numpy_know_the_same_primitives() -> None:
    assert TORCH.keys() == PRIMITIVES.keys()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_it_is_a_loss_like_any_other(reduction: str) -> None:
    loss = compile_loss(parse("real: 2*x; fake: 3*x; generator: 5*x"), reduction=reduction)  # type: ignore[arg-type]
    real, fake = torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0])
    reduced = {"mean": (48.0, 75.0), "sum": (96.0, 150.0), "none": ([32.0, 64.0], [50.0, 100.0])}
    assert loss.discriminator(real_logits=real, fake_logits=fake).tolist() == reduced[reduction][0]
    assert loss.generator(fake_logits=fake).tolist() == reduced[reduction][1]
    assert loss.name == "real: 2*x; fake: 3*x; generator: 5*x"
    assert compile_loss(parse("p"), name="other").name == "other"


def test_terms_without_the_logit_have_its_shape_and_a_zero_gradient() -> None:
    loss = compile_loss(parse("y*p + 3"), reduction="none")
    x = torch.zeros(2, 3, requires_grad=True)
    value = loss.fake_term(x)
    assert torch.equal(value, torch.full((2, 3), 3.0))
    (slope,) = torch.autograd.grad(value.sum(), x)
    assert torch.equal(slope, torch.zeros(2, 3))


def float32_gradient(text: str, logit: float) -> float:
    x = torch.tensor([logit], requires_grad=True)
    value: Tensor = compile_loss(parse(text)).generator(fake_logits=x)
    return float(torch.autograd.grad(value, x)[0])


@pytest.mark.parametrize(
    ("text", "logit", "slope"),
    [
        # a p near 0 or 1 has lost its digits in float32; its logit has not
        ("log(1 - p)", 25.0, -1.0),
        ("log(y - p)", 25.0, -1.0),
        ("log(p)", -25.0, 1.0),
        ("log(y*p)", -25.0, 1.0),
        ("1 - p", 20.0, -np.exp(-20.0)),
    ],
)
def test_no_digits_are_lost_where_p_is_near_an_end(text: str, logit: float, slope: float) -> None:
    assert float32_gradient(text, logit) == pytest.approx(slope, rel=1e-5)
    assert term_gradients(parse(text), np.array([logit])).real == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("text", ["p + y*1e300", "p*y*(1e300*1e300)", "p*exp(40)**3", "p/1e-300", "p - cube(-1e200)"])
def test_constants_that_float32_does_not_hold_are_cut_off(text: str) -> None:
    value = compile_loss(parse(text)).discriminator(real_logits=torch.zeros(2), fake_logits=torch.zeros(2))
    assert value.isfinite()
