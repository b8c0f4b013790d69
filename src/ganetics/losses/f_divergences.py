"""The losses of f-GAN (Nowozin, Cseke, Tomioka 2016, arXiv 1606.00709)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganetics._check import one_of
from ganetics.losses.contract import Reduction, SeparableLoss

Function = Callable[[Tensor], Tensor]
LOG_2 = math.log(2.0)


@dataclass(frozen=True)
class Form:
    """A divergence by its variational form.

    Attributes:
        activation: the paper's g_f, from the discriminator's raw output to the domain of f*.
        conjugate: f*(g_f(·)), simplified: the two one after the other overflow or lose their digits.
        logit_range: where value and gradient are finite in float32.
    """

    activation: Function
    conjugate: Function
    logit_range: tuple[float, float] = (-1e4, 1e4)


def _line(x: Tensor) -> Tensor:
    return x


FORMS: Mapping[str, Form] = {
    # f*(t) = exp(t − 1)
    "kl": Form(_line, lambda x: torch.exp(x - 1.0), (-1e4, 80.0)),
    # f*(t) = −1 − log(−t)
    "reverse-kl": Form(lambda x: -torch.exp(-x), lambda x: x - 1.0, (-80.0, 1e4)),
    # f*(t) = t²/4 + t
    "pearson": Form(_line, lambda x: 0.25 * x.square() + x),
    # f*(t) = t / (1 − t)
    "hellinger": Form(lambda x: -torch.expm1(-x), torch.expm1, (-80.0, 80.0)),
    # f*(t) = −log(2 − exp(t))
    "js": Form(lambda x: LOG_2 - F.softplus(-x), lambda x: F.softplus(x) - LOG_2),
}
"""Activations and conjugates of tables 2 and 6 of the paper; all activations rise: a high output means real."""


class FDivergence(SeparableLoss):
    """The variational form of an f-divergence: the discriminator raises E g_f(x_r) − E f*(g_f(x_f)), a lower bound.

    The generator lowers the same bound (equation 6 of the paper), so it follows the divergence of data from generated
    samples itself while the discriminator is at its best; as with minimax, that gradient may vanish where the
    discriminator is sure. ``non_saturating`` takes the paper's other objective, section 3.2: raise E g_f(x_f).

    ``js`` is twice the Jensen-Shannon divergence: minimax with two constants, so that it is 0 at the equilibrium.

    Args:
        divergence: "kl", "reverse-kl", "pearson", "hellinger" (squared) or "js".
        non_saturating: whether the generator takes the objective of section 3.2.
        reduction: see :class:`GANLoss`.

    Raises:
        InputError: an unknown divergence or reduction.

    >>> FDivergence("pearson").discriminator(real_logits=torch.ones(1), fake_logits=torch.ones(1))
    tensor(0.2500)
    """

    def __init__(self, divergence: str, *, non_saturating: bool = False, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)
        self.divergence = one_of("divergence", divergence, FORMS)
        self.non_saturating = non_saturating
        self.name = f"f-{divergence}"
        self.logit_range = FORMS[divergence].logit_range

    def real_term(self, logits: Tensor) -> Tensor:
        """Return −g_f(x)."""
        return -FORMS[self.divergence].activation(logits)

    def fake_term(self, logits: Tensor) -> Tensor:
        """Return f*(g_f(x))."""
        return FORMS[self.divergence].conjugate(logits)

    def generator_term(self, logits: Tensor) -> Tensor:
        """Return −f*(g_f(x)), or −g_f(x)."""
        return self.real_term(logits) if self.non_saturating else -self.fake_term(logits)

    def __repr__(self) -> str:
        other = ", non_saturating=True" if self.non_saturating else ""
        return f"FDivergence({self.divergence!r}{other}, reduction={self.reduction!r})"
