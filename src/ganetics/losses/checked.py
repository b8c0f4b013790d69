"""A loss that says what is wrong with the logits it is given; for training code under construction."""

from __future__ import annotations

import warnings

from torch import Tensor

from ganetics._check import InputError
from ganetics.losses.contract import GANLoss, prepare

CALLS = 300
"""Logits that never left [0, 1] over so many calls of ``discriminator`` look like probabilities. Fewer will not do: the
raw logits of a fresh discriminator are small, of one sign in one net of ten, and stayed there for up to 240 steps in
small nets on digits at the rate 1e-4."""


class Checked(GANLoss):
    """A loss whose inputs are looked at before each call. Make it with :func:`checked`."""

    def __init__(self, loss: GANLoss) -> None:
        super().__init__(reduction=loss.reduction)
        self.loss, self.name = loss, loss.name
        self.separable, self.generator_needs_real = loss.separable, loss.generator_needs_real
        self.paired = loss.paired
        self.logit_range = loss.logit_range
        self._calls, self._suspicious = 0, True

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the loss's objective.

        Raises:
            InputError: what is wrong with which side.
        """
        _check(real_logits, "real_logits")
        _check(fake_logits, "fake_logits")
        _pair(real_logits, fake_logits)
        self._watch(real_logits, fake_logits)
        return self.loss.discriminator(real_logits=real_logits, fake_logits=fake_logits)

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the loss's objective.

        Raises:
            InputError: what is wrong with which side; the loss needs real logits and gets none.
        """
        _check(fake_logits, "fake_logits")
        if real_logits is not None:
            _check(real_logits, "real_logits")
            _pair(real_logits, fake_logits)
        return self.loss.generator(fake_logits=fake_logits, real_logits=real_logits)

    def _watch(self, *sides: Tensor) -> None:
        """Warn once if nothing but numbers from 0 to 1 has come in for long."""
        if not self._suspicious:
            return
        self._suspicious = all(bool(((side >= 0) & (side <= 1)).all()) for side in sides)
        self._calls += 1
        if self._suspicious and self._calls == CALLS:
            self._suspicious = False
            warnings.warn(
                f"{self.name or type(self.loss).__name__}: all logits of {CALLS} calls lie in [0, 1], as probabilities "
                "would; the loss takes raw logits: leave out the sigmoid at the discriminator's end",
                UserWarning,
                stacklevel=3,
            )

    def __repr__(self) -> str:
        return f"checked({self.loss!r})"


def checked(loss: GANLoss) -> Checked:
    """Return the loss with its inputs checked: what a loop written by hand gets wrong is named, not trained with.

    Each is an :class:`InputError` that names the side: no logits; logits that are not floating; NaN or infinite ones,
    and how many; real and generated logits that do not pair (``[n]`` beside ``[n, 1]`` would be broadcast to
    ``[n, n]`` in many a loop; the batches may differ in number). Logits that all lie in [0, 1] from the first call on
    are most likely probabilities: one ``UserWarning``, at the 300th call of ``discriminator``.

    What was seen lives in the object returned. It looks at values, so it waits for the device, and ``torch.compile``
    and ``vmap`` do not work on it: take it off when the loop runs.

    >>> import torch
    >>> from ganetics.losses import GANetic
    >>> checked(GANetic()).generator(fake_logits=torch.tensor([0.0, torch.nan]))
    Traceback (most recent call last):
    ganetics._check.InputError: fake_logits must be finite, got 1 NaN and 0 infinite of 2
    """
    return Checked(loss)


def _check(logits: Tensor, side: str) -> None:
    if not bool(prepare(logits, side).isfinite().all()):
        nan, infinite = int(logits.isnan().sum()), int(logits.isinf().sum())
        raise InputError(f"{side} must be finite, got {nan} NaN and {infinite} infinite of {logits.numel()}")


def _pair(real: Tensor, fake: Tensor) -> None:
    if real.shape[1:] != fake.shape[1:] or real.dim() != fake.dim():
        raise InputError(
            "real_logits and fake_logits must have one shape but for the number of samples, "
            f"got {list(real.shape)} and {list(fake.shape)}"
        )
