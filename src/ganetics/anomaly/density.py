"""The density ratio read back from a discriminator's logit, through the optimum of its loss."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ganetics.losses.contract import GANLoss, SeparableLoss
from ganetics.losses.theory.curves import terms_of, window_of
from ganetics.losses.theory.optimum import best_logits, middle

LOG_ODDS = np.linspace(-8.0, 8.0, 321)
"""log(r / (1 − r)), the log of the density ratio p_data / p_g; beyond these a logit is read as the end."""
APART = 1e-9
"""Best logits must rise by this from place to place, or they cannot be told apart."""


class LogRatio(nn.Module):
    """Logits ``[n]`` to the log of the density ratio p_data / p_g ``[n]`` that they are the best answer to.

    Where the discriminator is the loss's optimal one, this is the true ratio; of a trained one it is a reading. Linear
    between the places of a table, as a sum of clamped pieces: it can be exported.
    """

    starts: Tensor
    lengths: Tensor
    slopes: Tensor

    def __init__(self, logits: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        super().__init__()
        lengths = np.diff(logits)
        self.register_buffer("starts", torch.from_numpy(logits[:-1].copy()))
        self.register_buffer("lengths", torch.from_numpy(lengths))
        self.register_buffer("slopes", torch.from_numpy(np.diff(LOG_ODDS) / lengths))

    def forward(self, logits: Tensor) -> Tensor:
        """Return the log ratio."""
        inside = (logits.double()[:, None] - self.starts).clamp_min(0.0).minimum(self.lengths)
        ratio: Tensor = float(LOG_ODDS[0]) + (inside * self.slopes).sum(dim=1)
        return ratio


def log_ratio_of(loss: GANLoss) -> LogRatio | None:
    """Return what reads the density ratio from logits; None where the loss's optimal discriminator does not say it.

    It says it if to each ratio one finite logit is best, and a higher one to a higher ratio: not for Wasserstein, nor
    for hinge, nor where a sample's loss depends on other samples.
    """
    if not isinstance(loss, SeparableLoss):
        return None
    low, high = best_logits(terms_of(loss), LOG_ODDS, window_of(loss))
    best = middle(low, high)
    if not np.isfinite(best).all() or not (low == high).all() or not (np.diff(best) > APART).all():
        return None
    return LogRatio(best)
