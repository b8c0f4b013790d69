from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch

from ganetics._check import InputError
from ganetics.expressions.compile import compile_loss
from ganetics.expressions.text import parse
from ganetics.losses import FDivergence, GANLoss, Hinge, LeastSquares, RelativisticAverage, RelativisticPairing

REAL, FAKE = torch.tensor([1.0, -2.0, 0.5, 7.0]), torch.tensor([0.0, 3.0, -1.0, 2.0])
KINDS = (
    RelativisticPairing,
    RelativisticAverage,
    partial(RelativisticAverage, Hinge(), name="ra-hinge"),
    partial(RelativisticAverage, LeastSquares(fake_target=-1), name="ra-least-squares"),
)


def both(loss: GANLoss, real: torch.Tensor, fake: torch.Tensor) -> list[torch.Tensor]:
    return [
        loss.discriminator(real_logits=real, fake_logits=fake),
        loss.generator(fake_logits=fake, real_logits=real),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_only_differences_count(kind: Any) -> None:
    for one, other in zip(both(kind(), REAL, FAKE), both(kind(), REAL + 3, FAKE + 3), strict=True):
        assert torch.allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_generator_wants_what_the_discriminator_wants_of_the_other_side(kind: Any) -> None:
    loss = kind()
    swapped = loss.discriminator(real_logits=FAKE, fake_logits=REAL)
    assert torch.allclose(loss.generator(fake_logits=FAKE, real_logits=REAL), swapped, rtol=1e-6)


def test_the_average_of_a_side_is_taken_over_the_whole_batch() -> None:
    real, fake = [2.0, 4.0], [1.0, -2.0, 4.0]  # means 3 and 1

    def softplus(x: float) -> float:
        return math.log1p(math.exp(x))

    expected = sum(softplus(1 - x) for x in real) / 2 + sum(softplus(x - 3) for x in fake) / 3
    found = RelativisticAverage().discriminator(real_logits=torch.tensor(real), fake_logits=torch.tensor(fake))
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_the_terms_are_those_of_the_base() -> None:
    loss = RelativisticAverage(Hinge(), reduction="sum")
    assert (loss.name, loss.reduction) == ("relativistic-average(hinge)", "sum")
    real, fake = torch.tensor([0.0, 3.0]), torch.tensor([0.5, -0.5])
    # d_r = 0, 3 and d_f = −1, −2
    assert loss.discriminator(real_logits=real, fake_logits=fake).item() == (1 + 0) + (0 + 0)
    assert loss.generator(real_logits=real, fake_logits=fake).item() == (1 + 4) + (2 + 3)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("other", [torch.zeros(4, 1), torch.zeros(3)], ids=["broadcast", "number"])
def test_pairs_are_never_broadcast(reduction: Any, other: torch.Tensor) -> None:
    loss = RelativisticPairing(reduction=reduction)
    with pytest.raises(InputError, match=r"^relativistic-pairing: .* must have one shape, got \[4\] and \[\d"):
        loss.discriminator(real_logits=REAL, fake_logits=other)
    with pytest.raises(InputError, match=r"^relativistic-pairing: .* must have one shape, got \[4\] and \[\d"):
        loss.generator(real_logits=REAL, fake_logits=other)


@pytest.mark.parametrize("kind", KINDS)
def test_the_generator_needs_the_real_logits(kind: Any) -> None:
    assert kind().generator_needs_real
    with pytest.raises(InputError, match=rf"^{kind().name}: the generator's objective needs real_logits, got None$"):
        kind().generator(fake_logits=FAKE)


def test_a_difference_of_twice_the_range_does_not_overflow() -> None:
    far = torch.tensor([1e4], requires_grad=True)
    value = RelativisticPairing().discriminator(real_logits=-far, fake_logits=far)
    assert value.item() == 2e4
    assert torch.autograd.grad(value, far)[0].item() == 2


def test_a_pair_is_judged_by_the_real_and_the_generators_term_of_the_base() -> None:
    loss = RelativisticPairing(Hinge(), reduction="sum")
    assert loss.name == "relativistic-pairing(hinge)"
    real, fake = torch.tensor([0.0, 3.0]), torch.tensor([0.5, -0.5])
    # x_r − x_f = −0.5, 3.5
    assert loss.discriminator(real_logits=real, fake_logits=fake).item() == 1.5 + 0
    assert loss.generator(real_logits=real, fake_logits=fake).item() == -0.5 + 3.5


@pytest.mark.parametrize("kind", [RelativisticPairing, RelativisticAverage])
def test_a_name_that_is_given_is_taken_with_and_without_a_base(kind: Any) -> None:
    assert kind(name="mine").name == kind(Hinge(), name="mine").name == "mine"
    assert kind().name == kind.name


@pytest.mark.parametrize("kind", [RelativisticPairing, RelativisticAverage])
def test_all_is_finite_over_the_range_made_of_the_bases(kind: Any) -> None:
    assert kind().logit_range == (-1e4, 1e4)
    assert kind(compile_loss(parse("p**2"))).logit_range == (-15.0, 15.0)
    loss = kind(FDivergence("kl"))
    low, high = loss.logit_range
    assert (low, high) == (-40.0, 40.0)
    for real, fake in ((low, high), (high, low)):
        assert all(value.isfinite() for value in both(loss, torch.tensor([real]), torch.tensor([fake])))
