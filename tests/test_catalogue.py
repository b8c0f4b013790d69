"""Names and expressions: what a loss may be called, and what an unknown one is told."""

from __future__ import annotations

import re

import pytest
import torch

from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE, expression_of, loss_named_or_parsed
from ganetics.expressions.compile import CompiledLoss, compile_loss
from ganetics.expressions.text import parse, to_text
from ganetics.losses import GANLoss

LOGITS = torch.linspace(-8, 8, 33)


def test_every_loss_of_the_package_is_in_the_catalogue() -> None:
    from ganetics import losses

    kinds = {kind for kind in vars(losses).values() if isinstance(kind, type) and issubclass(kind, GANLoss)}
    named = {kind for kind in kinds if kind.name}
    assert {entry.make for entry in CATALOGUE.values()} == named
    assert all(name == entry.name == entry.make.name for name, entry in CATALOGUE.items())
    assert all(entry.title and entry.reference for entry in CATALOGUE.values())


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_name_gives_its_loss_and_its_expression(name: str) -> None:
    loss = loss_named_or_parsed(name)
    assert type(loss) is CATALOGUE[name].make
    assert loss.reduction == "mean"
    expression = expression_of(name)
    assert (expression is not None) == loss.separable
    if expression is not None:
        assert expression == parse(CATALOGUE[name].expression or "")
        twin = compile_loss(expression)
        for side in (loss, twin):
            assert side.generator(fake_logits=LOGITS).isfinite()
        torch.testing.assert_close(twin.generator(fake_logits=LOGITS), loss.generator(fake_logits=LOGITS))
        both = {"real_logits": LOGITS, "fake_logits": LOGITS.flip(0) * 0.5}
        torch.testing.assert_close(twin.discriminator(**both), loss.discriminator(**both))


@pytest.mark.parametrize("text", ["p**3 + sqrt(3.985*y/p)", "y - p", "real: -x; fake: x; generator: -x", "p", "-p*y"])
def test_an_expression_gives_a_loss_of_its_own(text: str) -> None:
    loss = loss_named_or_parsed(text)
    assert isinstance(loss, CompiledLoss)
    assert loss.expression == expression_of(text) == parse(text)
    assert loss.name == to_text(parse(text))


@pytest.mark.parametrize("read", [loss_named_or_parsed, expression_of])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hinges", "unknown loss 'hinges', nearest: hinge"),
        ("least-square", "unknown loss 'least-square', nearest: least-squares"),
        ("non saturating", "unknown loss 'non saturating', nearest: non-saturating"),
        ("GANetic", "unknown loss 'GANetic', nearest: ganetic"),
        ("ganetic-batch", "unknown loss 'ganetic-batch', nearest: ganetic-batch-sum, ganetic"),
        ("bce", "unknown loss 'bce', known: "),
        ("", "unknown loss '', known: "),
    ],
)
def test_an_unknown_name_suggests_the_nearest(read: type, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^{re.escape(message)}[^\n]*$") as caught:
        read(text)
    assert 1 <= len(str(caught.value).partition("nearest: ")[2].split(", ")) <= 3


@pytest.mark.parametrize("read", [loss_named_or_parsed, expression_of])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p + q", "expression \"p + q\": unknown variable 'q'"),
        ("y - q", "expression \"y - q\": unknown variable 'q'"),
        ("hinge(p)", "expression \"hinge(p)\": unknown function 'hinge'"),
        ("p**", 'expression "p**": invalid syntax'),
        ("p**4", 'expression "p**4": the only powers are **2 and **3'),
        ("real: x", "the terms real, fake and generator are needed, missing fake, generator"),
    ],
)
def test_a_wrong_expression_says_what_is_wrong(read: type, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^[^\n]*{re.escape(message)}[^\n]*$"):
        read(text)
