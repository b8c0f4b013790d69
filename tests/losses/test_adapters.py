from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE
from ganetics.losses import GANetic, Hinge, NonSaturating, RelativisticPairing, SeparableLoss, as_criterion, per_sample

REAL, FAKE = torch.tensor([[0.4], [-1.0], [2.0]]), torch.tensor([[-0.3], [1.5], [0.2]])
SEPARABLE = [name for name, entry in CATALOGUE.items() if entry.expression is not None]


def separable(name: str) -> SeparableLoss:
    loss = CATALOGUE[name].make()
    assert isinstance(loss, SeparableLoss)
    return loss


@pytest.mark.parametrize("name", SEPARABLE)
def test_the_criterions_parts_are_the_losses_objectives(name: str) -> None:
    loss = separable(name)
    criterion = as_criterion(loss, loss_weight=0.1)
    parts = criterion(REAL, True, is_disc=True) + criterion(FAKE, False, is_disc=True)
    assert torch.equal(parts, loss.discriminator(real_logits=REAL, fake_logits=FAKE))
    assert torch.allclose(criterion(FAKE, True, is_disc=False), 0.1 * loss.generator(fake_logits=FAKE))
    assert torch.equal(criterion(FAKE, True), criterion(FAKE, True, is_disc=False))


def test_it_has_the_place_of_a_module_in_a_trainer() -> None:
    criterion = as_criterion(Hinge(), loss_weight=0.5).to(torch.device("cpu"))
    assert isinstance(criterion, nn.Module)
    assert not criterion.state_dict()
    assert not list(criterion.parameters())
    assert repr(criterion) == "Criterion(Hinge(reduction='mean'), loss_weight=0.5)"


def test_what_no_separable_loss_has_is_refused() -> None:
    with pytest.raises(InputError, match=r"^target_is_real must be True in the generator's step \(is_disc=False\)"):
        as_criterion(GANetic())(FAKE, False)
    with pytest.raises(InputError, match=r"^as_criterion needs a separable loss, .* got RelativisticPairing"):
        as_criterion(RelativisticPairing())  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^per_sample needs a separable loss, .* got RelativisticPairing"):
        per_sample(RelativisticPairing())  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^loss_weight must be at least 0, got -1"):
        as_criterion(Hinge(), loss_weight=-1)
    with pytest.raises(InputError, match=r"^pred must hold at least one logit"):
        as_criterion(Hinge())(torch.zeros(0), True)


def test_unreduced_terms_take_the_place_of_stylegans_softplus() -> None:
    terms = per_sample(NonSaturating(reduction="sum"))
    assert torch.equal(terms.generator(FAKE), F.softplus(-FAKE))
    assert torch.equal(terms.fake(FAKE), F.softplus(FAKE))
    assert torch.equal(terms.real(REAL), F.softplus(-REAL))


@pytest.mark.parametrize("side", ["real", "fake", "generator"])
def test_unreduced_terms_keep_the_shape_and_are_computed_in_single_precision(side: str) -> None:
    term: Callable[[torch.Tensor], torch.Tensor] = getattr(per_sample(GANetic()), side)
    value = term(torch.full((2, 1, 3), -15.0, dtype=torch.float16))
    assert (value.shape, value.dtype) == ((2, 1, 3), torch.float32)
    assert value.isfinite().all()
    with pytest.raises(InputError, match=r"logits must be floating, got torch\.int64$"):
        term(torch.ones(2, dtype=torch.int64))
