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
from ganetics.expressions.dialects import DIALECTS, NUMPY, PYTORCH, Dialect
from ganetics.expressions.export import to_source
from ganetics.expressions.numeric import terms
from ganetics.expressions.text import TERMS, parse
from ganetics.expressions.tree import Expression, Separate, Tied

EXPRESSIONS = st.from_type(Tied) | st.from_type(Separate)
LOGITS = torch.tensor([-11.3, -5.7, -2.2, -0.4, 0.3, 1.1, 3.3, 6.6, 11.9])
Found = list[Tensor]
EVERY = parse(
    "real: x/(x - 3) + maximum(x, 1) + minimum(x, 2); fake: exp(x) + sigmoid(x) + sqrt(x); generator: log(x) + abs(x)"
)
References = Callable[[Expression, np.ndarray], list[Any]]


def exported(expression: Expression, dialect: Dialect = PYTORCH) -> dict[str, Any]:
    """The names that the exported file defines."""
    source = to_source(expression, dialect, title="A loss", version="0")
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
    functions = [names[f"_{term}_term"] for term in TERMS]
    for term, expected in zip(functions, references(expression, LOGITS.double().numpy()), strict=True):
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


KNOWN = (
    *(entry.expression for entry in CATALOGUE.values() if entry.expression is not None),
    "minimum(p, 0.3)**2*y",  # a power of a minimum
    "maximum(p, 0.5) - minimum(0.5, y)*p",  # equal arguments at logit 0: half the slope each
    "(y - p)**2/3 - -p",
    "real: 1; fake: 2*x/(x - 3); generator: exp(x)/log(x)",
    "p + y*1e300",
    "sigmoid(y - p)*tanh(sin(p)) - cos(abs(p - 0.5))",
)


@pytest.mark.parametrize("text", KNOWN)
def test_known_losses_are_equal_to_rounding(text: str) -> None:
    real, fake = torch.cat([LOGITS, torch.zeros(1)]), torch.cat([torch.zeros(1), -0.7 * LOGITS])
    found, expected = of_file(exported(parse(text)), real, fake), of_loss(parse(text), real, fake)
    for one, two in zip(found, expected, strict=True):
        assert torch.allclose(one, two, rtol=1e-6, atol=1e-6)


def assert_numpy_equals_reference(expression: Expression, references: References) -> None:
    names = exported(expression, NUMPY)
    for term, expected in zip(TERMS, references(expression, LOGITS.double().numpy()), strict=True):
        with np.errstate(all="ignore"):
            value = names[f"_{term}_term"](LOGITS.double().numpy())
        assert np.isclose(value, expected.value, rtol=1e-7, atol=1e-9)[expected.value_steady].all()


@settings(derandomize=True, deadline=None, max_examples=50)
@given(EXPRESSIONS)
def test_the_numpy_file_says_what_the_expression_says(references: References, expression: Expression) -> None:
    assert_numpy_equals_reference(expression, references)


def test_the_numpy_file_says_what_every_pair_of_primitives_says(references: References, pairs: list[Tied]) -> None:
    for expression in pairs:
        assert_numpy_equals_reference(expression, references)


@pytest.mark.parametrize("text", KNOWN)
def test_the_numpy_files_objectives_are_means_of_the_terms(text: str) -> None:
    names, real, fake = exported(parse(text), NUMPY), LOGITS.double().numpy(), -0.7 * LOGITS.double().numpy()
    of_real, of_fake = terms(parse(text), real), terms(parse(text), fake)
    found = names["discriminator_loss"](real, fake.tolist()), names["generator_loss"](fake)
    assert found == pytest.approx((of_real.real.mean() + of_fake.fake.mean(), of_fake.generator.mean()), rel=1e-12)
    assert all(isinstance(value, float) for value in found)


def test_half_precision_is_computed_in_single() -> None:
    names = exported(parse("p**3 + sqrt(3.985*y/p)"))
    value = names["generator_loss"](torch.tensor([-16.0, 3.0], dtype=torch.float16))
    assert value.dtype == torch.float32
    assert value.isfinite()


@pytest.mark.parametrize("name", DIALECTS)
def test_the_file_needs_one_library_and_defines_what_it_uses(name: str) -> None:
    source = to_source(parse("p + y"), DIALECTS[name], title="A loss", version="1.2", provenance="Somewhere, 2024")
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    imported = {alias.name.split(".")[0] for node in imports for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {{"pytorch": "torch"}.get(name, name)}
    assert "_divide" not in source
    every = to_source(EVERY, DIALECTS[name], title="All", version="0")
    defined = {node.name for node in ast.walk(ast.parse(every)) if isinstance(node, ast.FunctionDef)}
    assert defined >= set(DIALECTS[name].helpers)
    called = {n.func.id for n in ast.walk(ast.parse(every)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert called - {"float"} <= defined
    documentation = ast.get_docstring(tree)
    assert documentation is not None
    for part in ("A loss", "p + y", "ganetics 1.2", "Somewhere, 2024"):
        assert part in documentation


@pytest.mark.parametrize("text", ['"""\nimport os\n"""', "\\", 'a "quoted" title', '"' * 7, "{0} {formula}"])
def test_text_from_outside_stays_in_the_docstring(text: str) -> None:
    plain = ast.parse(to_source(parse("p"), PYTORCH, title="A", version="0", provenance="B"))
    tree = ast.parse(to_source(parse("p"), PYTORCH, title=text, version="0", provenance=text))
    assert ast.dump(ast.Module(tree.body[1:], [])) == ast.dump(ast.Module(plain.body[1:], []))
