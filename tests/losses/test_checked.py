from __future__ import annotations

import re
import warnings

import pytest
import torch
from torch import Tensor

from ganetics._check import InputError
from ganetics.losses import GANetic, GANLoss, Hinge, LeastSquares, RelativisticPairing, checked
from ganetics.losses.checked import CALLS

GOOD = torch.tensor([0.5, -2.0, 3.0])
BAD = {
    "nan": (torch.tensor([0.0, torch.nan, torch.nan]), "must be finite, got 2 NaN and 0 infinite of 3"),
    "infinite": (torch.tensor([[torch.inf, torch.nan], [1.0, -torch.inf]]), "must be finite, got 1 NaN and 2 inf"),
    "half": (torch.tensor([7e4]).half(), "must be finite, got 0 NaN and 1 infinite of 1"),
    "integer": (torch.tensor([0, 1, 1]), "must be floating, got torch.int64"),
    "empty": (torch.zeros(0, 1), "must hold at least one logit, got shape [0, 1]"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_logits_are_named_with_their_side(kind: str) -> None:
    bad, message = BAD[kind]
    expected = {side: rf"^{side} {re.escape(message)}" for side in ("real_logits", "fake_logits")}
    for side, text in expected.items():
        both = {"real_logits": GOOD, "fake_logits": GOOD, side: bad}
        with pytest.raises(InputError, match=text):
            checked(GANetic()).discriminator(**both)
        with pytest.raises(InputError, match=text):
            checked(RelativisticPairing()).generator(**both)


@pytest.mark.parametrize(("real", "fake"), [((4,), (4, 1)), ((4, 1), (4,)), ((4, 2), (4, 3)), ((), (1,))])
def test_shapes_that_do_not_pair_are_named(real: tuple[int, ...], fake: tuple[int, ...]) -> None:
    loss = checked(GANetic())
    shapes = re.escape(f"got {list(real)} and {list(fake)}")
    with pytest.raises(InputError, match=rf"^real_logits and fake_logits must have one shape .*{shapes}$"):
        loss.discriminator(real_logits=torch.zeros(real), fake_logits=torch.zeros(fake))


@pytest.mark.parametrize("loss", [GANetic(), Hinge(reduction="sum"), RelativisticPairing(reduction="none")], ids=repr)
def test_good_logits_pass_unchanged(loss: GANLoss) -> None:
    wrapped = checked(loss)
    real, fake = GOOD, GOOD.flip(0) + 0.25
    for one in (wrapped, loss):
        assert one.discriminator(real_logits=real, fake_logits=fake).equal(
            loss.discriminator(real_logits=real, fake_logits=fake)
        )
        assert one.generator(fake_logits=fake, real_logits=real).equal(
            loss.generator(fake_logits=fake, real_logits=real)
        )
    facts = ("name", "separable", "generator_needs_real", "logit_range", "reduction")
    assert [getattr(wrapped, fact) for fact in facts] == [getattr(loss, fact) for fact in facts]
    assert repr(wrapped) == f"checked({loss!r})"


def test_batches_may_differ_in_number() -> None:
    value = checked(GANetic()).discriminator(real_logits=GOOD, fake_logits=GOOD[:2])
    assert value == GANetic().discriminator(real_logits=GOOD, fake_logits=GOOD[:2])


def told(loss: GANLoss, batches: list[Tensor]) -> list[int]:
    """Return the calls at which there was a warning."""
    calls = []
    for call, batch in enumerate(batches, 1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loss.discriminator(real_logits=batch, fake_logits=1 - batch)
        calls += [call] * len(caught)
        for warning in caught:
            assert warning.category is UserWarning
            assert "least-squares: all logits of 300 calls lie in [0, 1]" in str(warning.message)
            assert warning.filename == __file__
    return calls


def test_probabilities_are_warned_of_once_and_by_each_object() -> None:
    random = torch.Generator().manual_seed(0)
    batches = [torch.rand(2, generator=random) for _ in range(2 * CALLS + 10)]
    assert told(checked(LeastSquares()), batches) == [CALLS]
    assert told(checked(LeastSquares()), batches) == [CALLS]


@pytest.mark.parametrize("place", [0, CALLS // 2, CALLS - 1])
def test_one_logit_beyond_is_enough_to_be_logits(place: int) -> None:
    batches = [torch.full((2,), 0.5) for _ in range(CALLS + 1)]
    batches[place] = torch.tensor([0.5, 1.01])
    assert told(checked(LeastSquares()), batches) == []


@pytest.mark.parametrize("odd", [-0.01, 1.01])
@pytest.mark.parametrize("side", ["real_logits", "fake_logits"])
def test_one_logit_of_one_side_beyond_is_enough(side: str, odd: float) -> None:
    half = torch.full((2,), 0.5)
    loss = checked(LeastSquares())
    for _ in range(CALLS + 1):  # a warning would be an error
        loss.discriminator(**{"real_logits": half, "fake_logits": half, side: torch.tensor([0.5, odd])})


def test_shapes_are_paired_for_the_generator_too() -> None:
    with pytest.raises(InputError, match=r"^real_logits and fake_logits must have one shape "):
        checked(RelativisticPairing()).generator(fake_logits=torch.zeros(4), real_logits=torch.zeros(4, 1))
