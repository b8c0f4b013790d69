from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganetics._check import InputError
from ganetics.losses import SeparableLoss
from ganetics.losses.contract import GANLoss


class Linear(SeparableLoss):
    """Three terms that cannot be taken for one another."""

    name = "linear"

    def real_term(self, logits: Tensor) -> Tensor:
        return 2 * logits

    def fake_term(self, logits: Tensor) -> Tensor:
        return 3 * logits

    def generator_term(self, logits: Tensor) -> Tensor:
        return 5 * logits


REAL, FAKE = torch.tensor([[1.0, 2.0], [3.0, 6.0]]), torch.tensor([[10.0, 20.0], [30.0, 60.0]])


@pytest.mark.parametrize(
    ("reduction", "discriminator", "generator"),
    [
        ("mean", 2 * 3.0 + 3 * 30.0, 5 * 30.0),
        ("sum", 2 * 12.0 + 3 * 120.0, 5 * 120.0),
        ("none", [[32.0, 64.0], [96.0, 192.0]], [[50.0, 100.0], [150.0, 300.0]]),
    ],
)
def test_each_side_goes_through_its_own_term(reduction: str, discriminator: object, generator: object) -> None:
    loss = Linear(reduction=reduction)
    assert loss.discriminator(real_logits=REAL, fake_logits=FAKE).tolist() == discriminator
    assert loss.generator(fake_logits=FAKE).tolist() == generator
    assert loss.generator(fake_logits=FAKE, real_logits=REAL).tolist() == generator


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_sides_may_differ_in_number(reduction: str) -> None:
    value = Linear(reduction=reduction).discriminator(real_logits=torch.ones(2), fake_logits=torch.ones(3, 1))
    assert value.item() == (5.0 if reduction == "mean" else 13.0)


def test_without_reduction_the_shapes_must_agree() -> None:
    with pytest.raises(InputError, match=r"^with reduction 'none' .* one shape, got \[2\] and \[2, 1\]$"):
        Linear(reduction="none").discriminator(real_logits=torch.ones(2), fake_logits=torch.ones(2, 1))


def test_the_two_sides_cannot_be_swapped_by_position() -> None:
    loss: GANLoss = Linear()
    with pytest.raises(TypeError):
        loss.discriminator(REAL, FAKE)  # type: ignore[call-arg, misc]
    with pytest.raises(TypeError):
        loss.generator(FAKE)  # type: ignore[call-arg, misc]
    with pytest.raises(TypeError):
        Linear("sum")  # type: ignore[call-arg, misc]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(0), r"must hold at least one logit, got shape \[0\]"),
        (torch.zeros(3, 0), r"must hold at least one logit, got shape \[3, 0\]"),
        (torch.zeros(3, dtype=torch.int64), "must be floating, got torch.int64"),
        (torch.zeros(3, dtype=torch.bool), "must be floating, got torch.bool"),
    ],
)
def test_what_is_not_logits_is_refused_by_name(bad: Tensor, message: str) -> None:
    good = torch.zeros(3)
    with pytest.raises(InputError, match=f"^real_logits {message}$"):
        Linear().discriminator(real_logits=bad, fake_logits=good)
    with pytest.raises(InputError, match=f"^fake_logits {message}$"):
        Linear().discriminator(real_logits=good, fake_logits=bad)
    with pytest.raises(InputError, match=f"^fake_logits {message}$"):
        Linear().generator(fake_logits=bad)


def test_unknown_reductions_are_refused() -> None:
    with pytest.raises(InputError, match="unknown reduction 'average'"):
        Linear(reduction="average")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "computed"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_the_precision_is_at_least_float32(given: torch.dtype, computed: torch.dtype) -> None:
    logits = torch.tensor([40000.0, 50000.0], dtype=given)  # their sum and products overflow float16
    value = Linear(reduction="sum").generator(fake_logits=logits)
    assert value.dtype == computed
    assert value.item() == 5 * logits.double().sum().item()


def test_a_loss_without_its_terms_cannot_be_made() -> None:
    class Unfinished(SeparableLoss):
        def real_term(self, logits: Tensor) -> Tensor:
            return logits

    with pytest.raises(TypeError, match="abstract"):
        Unfinished()  # type: ignore[abstract]


def test_it_shows_its_reduction() -> None:
    assert repr(Linear(reduction="sum")) == "Linear(reduction='sum')"
