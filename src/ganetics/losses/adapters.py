"""Losses in the forms that other people's training code asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from ganetics._check import InputError, number
from ganetics.losses.contract import SeparableLoss, prepare

Term = Callable[[Tensor], Tensor]


class Criterion(nn.Module):
    """A loss that is called with one side at a time. Make it with :func:`as_criterion`."""

    def __init__(self, loss: SeparableLoss, *, loss_weight: float) -> None:
        super().__init__()
        self.loss, self.loss_weight = loss, loss_weight

    def forward(self, pred: Tensor, target_is_real: bool, is_disc: bool = False) -> Tensor:
        """Return the reduced term of one side.

        Args:
            pred: raw logits, any shape.
            target_is_real: in the discriminator's step, whether they are of real samples; in the generator's, True.
            is_disc: whether it is the discriminator's step.

        Raises:
            InputError: an empty batch, logits that are not floating, or ``target_is_real`` False in the generator's
                step: no separable loss has such a term.
        """
        if is_disc:
            term = self.loss.real_term if target_is_real else self.loss.fake_term
            return self.loss.reduce(term(prepare(pred, "pred")))
        if not target_is_real:
            raise InputError("target_is_real must be True in the generator's step (is_disc=False), got False")
        return self.loss_weight * self.loss.reduce(self.loss.generator_term(prepare(pred, "pred")))

    def extra_repr(self) -> str:
        """Return what stands in the brackets of the module's text."""
        return f"{self.loss!r}, loss_weight={self.loss_weight:g}"


def as_criterion(loss: SeparableLoss, *, loss_weight: float = 1.0) -> Criterion:
    """Return the loss as ``criterion(pred, target_is_real, is_disc=False)``, as trainers of the BasicSR family call it.

    Put it in the place of ``GANLoss``: ``self.cri_gan = as_criterion(GANetic())``.

    Args:
        loss: any separable loss; its reduction should be "mean".
        loss_weight: factor of the generator's term, and of it alone, as there.

    Raises:
        InputError: a loss that is not separable; a weight that is negative or not finite.

    >>> import torch
    >>> from ganetics.losses import Hinge
    >>> criterion = as_criterion(Hinge())
    >>> criterion(torch.tensor([0.5]), True, is_disc=True), criterion(torch.tensor([0.5]), True)
    (tensor(0.5000), tensor(-0.5000))
    """
    _separable(loss, "as_criterion")
    return Criterion(loss, loss_weight=number("loss_weight", loss_weight, low=0))


class PerSample(NamedTuple):
    """The terms of a loss as functions of raw logits; each returns one value a logit, of the logits' shape."""

    real: Term
    fake: Term
    generator: Term


def per_sample(loss: SeparableLoss) -> PerSample:
    """Return the loss's terms unreduced, for training code that weighs and averages by itself.

    In StyleGAN2-ADA and StyleGAN3 (``training/loss.py``) it replaces ``softplus``::

        terms = per_sample(GANetic())
        loss_Gmain = terms.generator(gen_logits)    # there: softplus(-gen_logits)
        loss_Dgen = terms.fake(gen_logits)          # there: softplus(gen_logits)
        loss_Dreal = terms.real(real_logits)        # there: softplus(-real_logits)

    Their ``.mean().mul(gain).backward()`` stays. ``NonSaturating()`` gives back what was there. For the pair of logits
    that R3GAN-type code has, use ``RelativisticPairing(reduction="none")``.

    Args:
        loss: any separable loss; its reduction is not used.

    Raises:
        InputError: a loss that is not separable. The functions raise it for an empty batch and for logits that are
            not floating.

    >>> import torch
    >>> from ganetics.losses import NonSaturating
    >>> per_sample(NonSaturating()).generator(torch.zeros(2, 1)).shape
    torch.Size([2, 1])
    """
    _separable(loss, "per_sample")
    return PerSample(
        real=lambda logits: loss.real_term(prepare(logits, "real logits")),
        fake=lambda logits: loss.fake_term(prepare(logits, "generated logits")),
        generator=lambda logits: loss.generator_term(prepare(logits, "generated logits")),
    )


def _separable(loss: object, name: str) -> None:
    if not isinstance(loss, SeparableLoss):
        raise InputError(f"{name} needs a separable loss, three functions of one logit each, got {loss!r}")
