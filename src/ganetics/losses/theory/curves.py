"""A loss as three curves over the logit, in float64: the form in which all else is computed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganetics.losses.contract import GANLoss, SeparableLoss

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Curve = Callable[[Array], tuple[Array, Array]]
"""Logits of any shape to values and slopes of that shape."""

WIDEST = 1e4
"""Logits beyond ± this are not looked at, whatever a loss declares."""
SURELY = 40.0
FINE = 1e-12
"""Where a set of minima ends is found to this, or to this share of the logit."""
FLAT = 1e-12
"""A sum of slopes smaller than this share of its parts is zero."""


@dataclass(frozen=True)
class Curves:
    """The three terms."""

    real: Curve
    fake: Curve
    generator: Curve


def curve_of(function: Callable[[Tensor], Tensor]) -> Curve:
    """Return the curve of a function that maps logits to one value each."""

    def evaluate(logits: Array) -> tuple[Array, Array]:
        with torch.enable_grad():
            x = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
            values = function(x)
            slopes = None
            if values.requires_grad:
                (slopes,) = torch.autograd.grad(values.sum(), x, allow_unused=True)
        slopes = torch.zeros_like(x) if slopes is None else slopes
        return values.detach().expand_as(x).numpy(), slopes.detach().numpy()

    return evaluate


def terms_of(loss: SeparableLoss) -> Curves:
    """Return the terms of a separable loss."""
    return Curves(curve_of(loss.real_term), curve_of(loss.fake_term), curve_of(loss.generator_term))


def slices_of(loss: GANLoss, batch: int, anchor: float) -> Curves:
    """Return slices of any loss: ``batch`` equal logits of one side, while the other side's stay at ``anchor``."""
    mean = with_mean(loss)
    other = torch.full((batch,), anchor, dtype=torch.float64)
    return Curves(
        _along(lambda x: mean.discriminator(real_logits=x.expand(batch), fake_logits=other)),
        _along(lambda x: mean.discriminator(real_logits=other, fake_logits=x.expand(batch))),
        _along(lambda x: mean.generator(fake_logits=x.expand(batch), real_logits=other)),
    )


def diagonal_of(loss: GANLoss, batch: int) -> Curve:
    """Return the discriminator's objective where it gives real and generated samples one logit."""
    if isinstance(loss, SeparableLoss):
        return curve_of(lambda x: loss.real_term(x) + loss.fake_term(x))
    mean = with_mean(loss)
    return _along(lambda x: mean.discriminator(real_logits=x.expand(batch), fake_logits=x.expand(batch)))


def with_mean(loss: GANLoss) -> GANLoss:
    """Return the loss with reduction "mean": a card does not depend on the reduction."""
    mean = copy.copy(loss)
    mean.reduction = "mean"
    return mean


def window_of(loss: GANLoss) -> tuple[float, float]:
    """Return the logits that are looked at: those in which the loss is finite in float32, and ±40: this is float64."""
    low, high = loss.logit_range
    return max(min(low, -SURELY), -WIDEST), min(max(high, SURELY), WIDEST)


def grid(window: tuple[float, float]) -> Array:
    """Return logits 0.05 apart from −40 to 40, and 10 % apart beyond, within the window."""
    inner = np.linspace(-SURELY, SURELY, 1601)
    outer = SURELY * 1.1 ** np.arange(1, 59)
    places = np.concatenate([-outer[::-1], inner, outer])
    inside = places[(places > window[0]) & (places < window[1])]
    return np.concatenate([[window[0]], inside, [window[1]]])


def ends_of_minima(values: Array, places: Array, slope: Callable[[Array], tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return the ends ``[r]`` of the set of places where each row is smallest: equal if that is one place.

    The set is found among ``places`` by value, which is safe against other, higher minima, and its ends by bisection
    of the slope, which has its digits where differences of values have lost theirs.

    Args:
        values: ``[r, n]``; what is not finite is no minimum.
        places: ``[n]``, rising.
        slope: places ``[2, r]`` to the rows' slopes there and the size below which these are zero, both ``[2, r]``.
    """
    values = np.where(np.isfinite(values), values, np.inf)
    index, best = np.arange(len(places)), values.argmin(axis=1)[:, None]
    level = np.take_along_axis(values, best, axis=1)
    higher = values > level + FLAT * np.abs(level)
    left = np.where(higher & (index < best), index, 0).max(axis=1)
    right = np.where(higher & (index > best), index, len(places) - 1).min(axis=1)
    low, high = (np.repeat(places[side][None], 2, axis=0) for side in (left, right))
    side = np.array([[-1.0], [1.0]])  # of the set: first row its lower, second its upper end
    while ((high - low) > FINE * np.maximum(np.abs(low), 1.0)).any():
        middle = 0.5 * (low + high)
        slopes, nothing = slope(middle)
        go_right = np.where(side < 0, slopes < -nothing, slopes <= nothing)
        low, high = np.where(go_right, middle, low), np.where(go_right, high, middle)
    ends = 0.5 * (low + high)
    return ends[0], ends[1]


def _along(function: Callable[[Tensor], Tensor]) -> Curve:
    return curve_of(lambda x: torch.vmap(function)(x.flatten()).reshape(x.shape))
