"""The losses in common use."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganetics.losses.contract import Reduction, SeparableLoss


class NonSaturating(SeparableLoss):
    """Binary cross-entropy; the generator maximises log D(G(z)) (Goodfellow et al. 2014, arXiv 1406.2661, section 3).

    >>> import torch
    >>> NonSaturating().generator(fake_logits=torch.zeros(3))
    tensor(0.6931)
    """

    name = "non-saturating"

    def real_term(self, logits: Tensor) -> Tensor:
        """Return −log p."""
        return F.softplus(-logits)

    def fake_term(self, logits: Tensor) -> Tensor:
        """Return −log(1 − p)."""
        return F.softplus(logits)

    def generator_term(self, logits: Tensor) -> Tensor:
        """Return −log p."""
        return F.softplus(-logits)


class Minimax(NonSaturating):
    """Binary cross-entropy; the generator minimises log(1 − D(G(z))), which saturates (Goodfellow 2014, equation 1)."""

    name = "minimax"

    def generator_term(self, logits: Tensor) -> Tensor:
        """Return log(1 − p)."""
        return -F.softplus(logits)


class LeastSquares(SeparableLoss):
    """Half the squared distance of the raw logit to a target (Mao et al. 2017, arXiv 1611.04076, equation 2).

    Args:
        fake_target: the paper's a.
        real_target: the paper's b.
        generator_target: the paper's c.
        reduction: see :class:`GANLoss`.
    """

    name = "least-squares"

    def __init__(
        self,
        *,
        fake_target: float = 0.0,
        real_target: float = 1.0,
        generator_target: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.fake_target = fake_target
        self.real_target = real_target
        self.generator_target = generator_target

    def real_term(self, logits: Tensor) -> Tensor:
        """Return (x − b)² / 2."""
        return 0.5 * (logits - self.real_target).square()

    def fake_term(self, logits: Tensor) -> Tensor:
        """Return (x − a)² / 2."""
        return 0.5 * (logits - self.fake_target).square()

    def generator_term(self, logits: Tensor) -> Tensor:
        """Return (x − c)² / 2."""
        return 0.5 * (logits - self.generator_target).square()


class Hinge(SeparableLoss):
    """Hinge of the discriminator, linear generator (Lim, Ye 2017, arXiv 1705.02894; Miyato et al. 2018)."""

    name = "hinge"

    def real_term(self, logits: Tensor) -> Tensor:
        """Return max(0, 1 − x)."""
        return F.relu(1.0 - logits)

    def fake_term(self, logits: Tensor) -> Tensor:
        """Return max(0, 1 + x)."""
        return F.relu(1.0 + logits)

    def generator_term(self, logits: Tensor) -> Tensor:
        """Return −x."""
        return -logits


class Wasserstein(SeparableLoss):
    """Difference of mean scores (Arjovsky et al. 2017, arXiv 1701.07875). The critic needs clipping or a penalty."""

    name = "wasserstein"

    def real_term(self, logits: Tensor) -> Tensor:
        """Return −x."""
        return -logits

    def fake_term(self, logits: Tensor) -> Tensor:
        """Return x."""
        return logits

    def generator_term(self, logits: Tensor) -> Tensor:
        """Return −x."""
        return -logits
