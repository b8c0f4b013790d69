"""Relativistic losses: a logit counts only beside those of the other side (Jolicoeur-Martineau 2018, arXiv 1807.00734).

Both take the logits of real images in the generator's step, too. These depend on no weight of the generator: compute
them under ``torch.no_grad()``.
"""

from __future__ import annotations

from torch import Tensor

from ganetics._check import InputError
from ganetics.losses.contract import GANLoss, Reduction, SeparableLoss, one_shape, prepare
from ganetics.losses.standard import NonSaturating


class RelativisticPairing(GANLoss):
    """Each generated sample against one real one: the discriminator minimises f(x_r − x_f), the generator g(x_f − x_r).

    The i-th real logit is paired with the i-th generated one, so both must have one shape, in both steps.

    Source: arXiv 1807.00734, section 4 (RSGAN; f of any base: section 4.1); Huang et al. 2024, arXiv 2501.05441,
    section 2 (RpGAN of R3GAN).

    Args:
        base: f is its real term and g its generator's term; default binary cross-entropy (RpGAN), with which both are
            softplus(−d). Its fake term and its reduction are not used.
        reduction: see :class:`GANLoss`.
        name: default made of the base's.

    >>> import torch
    >>> loss = RelativisticPairing()
    >>> loss.discriminator(real_logits=torch.tensor([4.0, 5.0]), fake_logits=torch.tensor([4.0, 5.0]))
    tensor(0.6931)
    """

    name = "relativistic-pairing"
    generator_needs_real = True
    paired = True

    def __init__(
        self, base: SeparableLoss | None = None, *, reduction: Reduction = "mean", name: str | None = None
    ) -> None:
        super().__init__(reduction=reduction)
        self.base = NonSaturating() if base is None else base
        if base is not None:
            self.name = f"relativistic-pairing({base.name})"  # as the command takes it
            self.logit_range = of_differences(base)
        self.name = name or self.name

    def __repr__(self) -> str:
        return f"RelativisticPairing({self.base!r}, reduction={self.reduction!r})"

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the objective; see :class:`GANLoss`.

        Raises:
            InputError: an empty batch, logits that are not floating, or shapes that differ.
        """
        real, fake = self._pairs(real_logits, fake_logits)
        return self.reduce(self.base.real_term(real - fake))

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the objective; see :class:`GANLoss`.

        Raises:
            InputError: no real logits, an empty batch, logits that are not floating, or shapes that differ.
        """
        real, fake = self._pairs(needed(real_logits, self.name), fake_logits)
        return self.reduce(self.base.generator_term(fake - real))

    def _pairs(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        real, fake = prepare(real_logits, "real_logits"), prepare(fake_logits, "fake_logits")
        one_shape(real, fake, f"{self.name}:")
        return real, fake


class RelativisticAverage(GANLoss):
    """Each sample against the mean logit of the other side, under the terms of a separable loss.

    With d_r = x_r − mean x_f and d_f = x_f − mean x_r the discriminator minimises mean real(d_r) + mean fake(d_f), the
    generator mean fake(d_r) + mean real(d_f); the sum of both means, where the author's code takes half of it.

    Source: arXiv 1807.00734, section 4 (RaGAN) and appendix (least squares and hinge).

    Args:
        base: whose real and fake term are taken; default binary cross-entropy (RaGAN). ``Hinge()`` gives RaHingeGAN,
            ``LeastSquares(fake_target=-1)`` half of RaLSGAN. Its generator's term and its reduction are not used.
        reduction: see :class:`GANLoss`. With "none" the two sides' values are added element by element.
        name: default made of the base's.

    >>> import torch
    >>> RelativisticAverage().generator(fake_logits=torch.zeros(3), real_logits=torch.zeros(2))
    tensor(1.3863)
    """

    name = "relativistic-average"
    generator_needs_real = True

    def __init__(
        self, base: SeparableLoss | None = None, *, reduction: Reduction = "mean", name: str | None = None
    ) -> None:
        super().__init__(reduction=reduction)
        self.base = NonSaturating() if base is None else base
        if base is not None:
            self.name = f"relativistic-average({base.name})"  # as the command takes it
            self.logit_range = of_differences(base)
        self.name = name or self.name

    def __repr__(self) -> str:
        return f"RelativisticAverage({self.base!r}, reduction={self.reduction!r})"

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the objective; see :class:`GANLoss`."""
        real, fake = self._differences(real_logits, fake_logits)
        return self.reduce(self.base.real_term(real)) + self.reduce(self.base.fake_term(fake))

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the objective; see :class:`GANLoss`.

        Raises:
            InputError: no real logits, an empty batch, logits that are not floating, or with "none" shapes that differ.
        """
        real, fake = self._differences(needed(real_logits, self.name), fake_logits)
        return self.reduce(self.base.fake_term(real)) + self.reduce(self.base.real_term(fake))

    def _differences(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        real, fake = self._both(real_logits, fake_logits)
        return real - fake.mean(), fake - real.mean()


def of_differences(base: SeparableLoss) -> tuple[float, float]:
    """Return the logits whose differences, up to twice as large and of both signs, are in the base's range."""
    low, high = base.logit_range
    half = min(-low, high) / 2
    return -half, half


def needed(real_logits: Tensor | None, name: str) -> Tensor:
    """Return the real logits.

    Raises:
        InputError: there are none.
    """
    if real_logits is None:
        raise InputError(f"{name}: the generator's objective needs real_logits, got None")
    return real_logits
