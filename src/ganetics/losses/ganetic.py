"""The GANetic loss (Akhmedova, Körber 2024, arXiv 2406.05023), found by genetic programming."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganetics._check import number
from ganetics.losses.contract import GANLoss, Reduction, SeparableLoss, prepare

SCALE = 3.985
SMALLEST = 1e-7
"""Probabilities below this count as this, as in the authors' Keras code."""
LOWEST = math.log(SMALLEST / (1.0 - SMALLEST))
"""Its logit, −16.118."""


class GANetic(SeparableLoss):
    r"""GANetic loss, per sample: :math:`L(y, p) = p^3 + \sqrt{3.985\,y / p}` with p = sigmoid(logit).

    The discriminator minimises mean L(1, D(x)) + mean L(0, D(G(z))), the generator mean L(1, D(G(z))). At the optimum
    :math:`D^*(r) = (\sqrt{3.985}/6 \cdot r)^{2/7}` for r = p_data / (p_data + p_g): 0.599 where both are equal, never
    above 0.730; it acts like one-sided label smoothing. The authors' formula has two terms of 1e-8 against division
    by zero, which float16 rounds to 0; here p is computed in at least float32 and divides as 1e-7 at least, which is
    finite in every precision.

    Source: arXiv 2406.05023, section 4; the authors' Keras code for the clipping.

    >>> loss = GANetic()
    >>> value = loss.generator(fake_logits=torch.tensor([0.0, 2.0]))
    >>> round(value.item(), 4)
    2.8792
    """

    name = "ganetic"

    def __init__(self, *, scale: float = SCALE, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)
        self.scale = number("scale", scale, above=0.0)

    def __repr__(self) -> str:
        other = "" if self.scale == SCALE else f"scale={self.scale:g}, "
        return f"GANetic({other}reduction={self.reduction!r})"

    def real_term(self, logits: Tensor) -> Tensor:
        """Return L(1, p)."""
        # Written for speed: few passes over memory, forward and backward, and few new tensors. Threshold is a clamp
        # from below whose backward is one pass, where clamp's is three; neither it nor pow keeps its result for
        # backward, so these can be changed in place.
        p = F.threshold(logits, LOWEST, LOWEST).sigmoid_()
        return p.pow(3).add_(p.rsqrt(), alpha=math.sqrt(self.scale))

    def fake_term(self, logits: Tensor) -> Tensor:
        """Return L(0, p)."""
        return torch.sigmoid(logits).pow(3)  # nothing is divided by, so no limit is needed

    def generator_term(self, logits: Tensor) -> Tensor:
        """Return L(1, p)."""
        return self.real_term(logits)


class GANeticBatchSum(GANLoss):
    r"""The form of the authors' PyTorch file: the division is by the *sum* of p over the whole batch.

    :math:`\mathrm{mean}_i\,[p_i^3] + \sqrt{|3.985\,y / (\sum_j p_j + \varepsilon)| + \varepsilon}`, ε = 1e-8. It is
    another function: its value depends on the batch size and one sample's gradient on the others (the minimum over a
    uniform p for y = 1 lies at 0.491 for batches of 16 and at 0.365 for 128; element by element at 0.730 always).
    Kept to compare with; not recommended.

    Source: ZKI-PH-ImageAnalysis/GANetic-Loss, the PyTorch file.
    """

    name = "ganetic-batch-sum"

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the objective; see :class:`GANLoss`."""
        real, fake = self._both(real_logits, fake_logits)
        return self.reduce(_batch_sum(real, 1.0)) + self.reduce(_batch_sum(fake, 0.0))

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the objective; ``real_logits`` is not used."""
        return self.reduce(_batch_sum(prepare(fake_logits, "fake_logits"), 1.0))


def _batch_sum(logits: Tensor, target: float) -> Tensor:
    eps = 1e-8
    p = torch.sigmoid(logits)
    return p**3 + torch.sqrt(SCALE * target / (p.sum() + eps) + eps)
