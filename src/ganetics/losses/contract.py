"""What every loss of a GAN promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor

from ganetics._check import InputError, one_of

Reduction = Literal["mean", "sum", "none"]


class GANLoss(ABC):
    """A pair of objectives over raw logits (before the sigmoid), each to be minimised.

    Arguments are keyword-only: the two sides cannot be swapped. Logits may have any shape and any floating dtype;
    all is computed in at least float32. A loss holds no state: calling it changes nothing.

    Args:
        reduction: "mean" and "sum" reduce the real and the fake side each and add the two; "none" adds them element
            by element, so both must have one shape.

    Raises:
        InputError: an unknown reduction.
    """

    name: str = ""
    """The loss's name in the catalogue."""
    separable: bool = False
    """Each sample's contribution depends on its own logit alone."""
    generator_needs_real: bool = False
    """The generator's objective takes the logits of real images, too."""
    paired: bool = False
    """The i-th real logit goes with the i-th generated one: both are of one shape, in both steps."""
    logit_range: tuple[float, float] = (-1e4, 1e4)
    """Logits in which value and gradient are finite in float32."""

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        one_of("reduction", reduction, ("mean", "sum", "none"))
        self.reduction: Reduction = reduction

    @abstractmethod
    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the discriminator's objective: a scalar, or with reduction "none" one value a logit.

        Raises:
            InputError: an empty batch, logits that are not floating, or with "none" shapes that differ.
        """

    @abstractmethod
    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the generator's objective: a scalar, or with reduction "none" one value a logit.

        Raises:
            InputError: an empty batch, or logits that are not floating.
        """

    def _both(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return both sides in at least float32, of one shape if nothing is reduced."""
        real, fake = prepare(real_logits, "real_logits"), prepare(fake_logits, "fake_logits")
        if self.reduction == "none":
            one_shape(real, fake, "with reduction 'none'")
        return real, fake

    def reduce(self, values: Tensor) -> Tensor:
        """Return the mean, the sum or the values themselves, as the loss's reduction says."""
        if self.reduction == "mean":
            return values.mean()
        if self.reduction == "sum":
            return values.sum()
        return values

    def __repr__(self) -> str:
        return f"{type(self).__name__}(reduction={self.reduction!r})"


class SeparableLoss(GANLoss):
    """A loss that is three functions of one logit: for real, for fake, and for what the generator makes.

    Subclasses write the three terms; they get float32 (or float64) tensors and return one value an element.
    """

    separable = True

    @abstractmethod
    def real_term(self, logits: Tensor) -> Tensor:
        """Return the discriminator's loss of real samples, element by element."""

    @abstractmethod
    def fake_term(self, logits: Tensor) -> Tensor:
        """Return the discriminator's loss of generated samples, element by element."""

    @abstractmethod
    def generator_term(self, logits: Tensor) -> Tensor:
        """Return the generator's loss of its samples, element by element."""

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the mean (or sum) of the real terms plus that of the fake terms; see :class:`GANLoss`."""
        real, fake = self._both(real_logits, fake_logits)
        return self.reduce(self.real_term(real)) + self.reduce(self.fake_term(fake))

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the mean (or sum) of the generator terms; ``real_logits`` is not used."""
        return self.reduce(self.generator_term(prepare(fake_logits, "fake_logits")))


def prepare(logits: Tensor, name: str) -> Tensor:
    """Return the logits in at least float32.

    Raises:
        InputError: there are none, or they are not floating.
    """
    if logits.numel() == 0:
        raise InputError(f"{name} must hold at least one logit, got shape {list(logits.shape)}")
    if not logits.is_floating_point():
        raise InputError(f"{name} must be floating, got {logits.dtype}")
    return logits if logits.dtype == torch.float64 else logits.float()


def one_shape(real: Tensor, fake: Tensor, when: str) -> None:
    """Check that real and fake logits pair; nothing is broadcast.

    Raises:
        InputError: their shapes differ; begins with ``when``.
    """
    if real.shape != fake.shape:
        raise InputError(
            f"{when} real_logits and fake_logits must have one shape, got {list(real.shape)} and {list(fake.shape)}"
        )
