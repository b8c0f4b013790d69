"""Label smoothing of any separable loss."""

from __future__ import annotations

from torch import Tensor

from ganetics._check import InputError, number
from ganetics.losses.contract import SeparableLoss


class Smoothed(SeparableLoss):
    """A separable loss with smoothed labels. Make it with :func:`smoothed`."""

    def __init__(self, loss: SeparableLoss, *, real: float, fake: float) -> None:
        super().__init__(reduction=loss.reduction)
        self.loss, self.real, self.fake = loss, real, fake
        self.name = f"{loss.name}-smooth"
        self.logit_range = loss.logit_range

    def real_term(self, logits: Tensor) -> Tensor:
        """Return real·L(1, x) + (1 − real)·L(0, x)."""
        return self._mixed(logits, self.real)

    def fake_term(self, logits: Tensor) -> Tensor:
        """Return fake·L(1, x) + (1 − fake)·L(0, x)."""
        return self._mixed(logits, self.fake)

    def generator_term(self, logits: Tensor) -> Tensor:
        """Return the generator's term of the loss, unchanged."""
        return self.loss.generator_term(logits)

    def _mixed(self, logits: Tensor, label: float) -> Tensor:
        # a side of weight 0 is left out: 0 times its overflow would be NaN
        if label in (0.0, 1.0):
            return self.loss.real_term(logits) if label else self.loss.fake_term(logits)
        return label * self.loss.real_term(logits) + (1.0 - label) * self.loss.fake_term(logits)

    def __repr__(self) -> str:
        return f"smoothed({self.loss!r}, real={self.real:g}, fake={self.fake:g})"


def smoothed(loss: SeparableLoss, *, real: float = 0.9, fake: float = 0.0) -> Smoothed:
    """Return the loss with smoothed labels: each side's term is mixed with the other side's. The generator's stays.

    One-sided (``fake`` 0) by default, as the source advises: with ``fake`` above 0 the optimal discriminator of binary
    cross-entropy, (real·p_data + fake·p_g) / (p_data + p_g), has p_g in its numerator, and where there are no data,
    generated samples get no reason to move.

    Source: Salimans et al. 2016, arXiv 1606.03498, section 3.4.

    Args:
        loss: any separable loss.
        real: label of real samples, from 0 to 1.
        fake: label of generated samples, from 0 to below ``real``.

    Raises:
        InputError: a loss that is not separable, or labels out of range.

    >>> import torch
    >>> from ganetics.losses import NonSaturating
    >>> smoothed(NonSaturating()).real_term(torch.tensor([2.1972]))  # its minimum, at p = 0.9
    tensor([0.3251])
    """
    if not isinstance(loss, SeparableLoss):
        raise InputError(f"smoothed needs a separable loss, which has a real and a fake term, got {loss!r}")
    number("real", real, low=0, high=1)
    number("fake", fake, low=0, high=1)
    if fake >= real:
        raise InputError(f"fake must be below real, got {fake} and {real}")
    return Smoothed(loss, real=float(real), fake=float(fake))
