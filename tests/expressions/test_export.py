from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganetics.catalogue import CATALOGUE
from ganetics.expressions.compile import compile_loss
from ganetics.expressions.export import to_pytorch
from ganetics.expressions.text import parse
from ganetics.expressions.tree import Expression, Separate, Tied

EXPRESSIONS = st.from_type(Tied) | st.from_type(Separate)
LOGITS = torch.tensor([-11.3, -5.7, -2.2, -0.4, 0.3, 1.1, 3.3, 6.6, 11.9])
Found = list[Tensor]
References = Callable[[Expression, np.ndarray], list[Any]]


def exported(expression: Expression) -> dict[str, Any]:
    """The names that the exported file defines."""
    source = to_pytorch(expression, title="A loss", version="0")
    names: dict[str, Any] = {}
    exec(compile(source, "<exported>", "exec"), names)
    return names


def results(discriminator: Any, generator: Any, real: Tensor, fake: Tensor) -> Found:
    """Values and gradients of both objectives."""
    real, fake = real.clone().requires_grad_(True), fake.clone().requires_grad_(True)
    values = [discriminator(real, fake), generator(fake)]
    slopes = [*torch.autograd.grad(values[0], (real, fake)), *torch.autograd.grad(values[1], fake)]
    return [value.detach() for value in values] + slopes


def of_file(names: dict[str, Any], real: Tensor, fake: Tensor) -> Found:
    return results(names["discriminator_loss"], names["generator_loss"], real, fake)


def of_loss(expression: Expression, real: Tensor, fake: Tensor) -> Found:
    loss = compile_loss(expression)
    return results(
        lambda a, b: loss.discriminator(real_logits=a, fake_logits=b),
        lambda b: loss.generator(fake_logits=b),
        real,
        fake,
    )


@contextmanager
def double_precision() -> Iterator[None]:
    """Make the numbers in an exported file as exact as the reference's."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def assert_equals_reference(expression: Expression, references: References) -> None:
    """Value and gradient of the file's terms, in float64, to 1e-7. (Its functions bring all to float32 first.)"""
    names = exported(expression)
    terms = [names[name] for name in ("_real_term", "_fake_term", "_generator_term")]
    for term, expected in zip(terms, references(expression, LOGITS.double().numpy()), strict=True):
        logits = LOGITS.double().requires_grad_(True)
        with double_precision():
            value = term(logits)
        (slope,) = torch.autograd.grad(value.sum(), logits)
        close = np.isclose(value.detach().numpy(), expected.value, rtol=1e-7, atol=1e-9)
        assert close[expected.value_steady].all()
        close = np.isclose(slope.numpy(), expected.slope, rtol=1e-7, atol=1e-9)
        assert close[expected.slope_steady].all()


@settings(derandomize=True, deadline=None, max_examples=100)
@given(EXPRESSIONS)
def test_the_file_says_what_the_expression_says(references: References, expression: Expression) -> None:
    assert_equals_reference(expression, references)


def test_the_file_says_what_every_pair_of_primitives_says(references: References, pairs: list[Tied]) -> None:
    for expression in pairs:
        assert_equals_reference(expression, references)


@pytest.mark.parametrize(
    "text",
    [
        *(entry.expression for entry in CATALOGUE.values() if entry.expression is not None),
        "minimum(p, 0.3)**2*y",  # a power of a minimum
        "maximum(p, 0.5) - minimum(0.5, y)*p",  # equal arguments at logit 0: half the slope each
        "(y - p)**2/3 - -p",
        "real: 1; fake: 2*x/(x - 3); generator: exp(x)/log(x)",
        "p + y*1e300",
        "sigmoid(y - p)*tanh(sin(p)) - cos(abs(p - 0.5))",
    ],
)
def test_known_losses_are_equal_to_rounding(text: str) -> None:
    real, fake = torch.cat([LOGITS, torch.zeros(1)]), torch.cat([torch.zeros(1), -0.7 * LOGITS])
    found, expected = of_file(exported(parse(text)), real, fake), of_loss(parse(text), real, fake)
    for one, two in zip(found, expected, strict=True):
        assert torch.allclose(one, two, rtol=1e-6, atol=1e-6)


def test_half_precision_is_computed_in_single() -> None:
    names = exported(parse("p**3 + sqrt(3.985*y/p)"))
    value = names["generator_loss"](torch.tensor([-16.0, 3.0], dtype=torch.float16))
    assert value.dtype == torch.float32
    assert value.isfinite()


def test_the_file_needs_torch_only_and_defines_what_it_uses() -> None:
    source = to_pytorch(parse("p + y"), title="A loss", version="1.2", provenance="Somewhere, 2024")
    tree = ast.parse(source)
    imported = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert imported == ["torch", "torch.nn.functional"]
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))
    assert "_divide" not in source
    documentation = ast.get_docstring(tree)
    assert documentation is not None
    for part in ("A loss", "p + y", "ganetics 1.2", "Somewhere, 2024"):
        assert part in documentation


@pytest.mark.parametrize("text", ['"""\nimport os\n"""', "\\", 'a "quoted" title', '"' * 7, "{0} {formula}"])
def test_text_from_outside_stays_in_the_docstring(text: str) -> None:
    plain = ast.parse(to_pytorch(parse("p"), title="A", version="0", provenance="B"))
    tree = ast.parse(to_pytorch(parse("p"), title=text, version="0", provenance=text))
    assert ast.dump(ast.Module(tree.body[1:], [])) == ast.dump(ast.Module(plain.body[1:], []))
