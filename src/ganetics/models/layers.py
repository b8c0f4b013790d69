"""Layers that PyTorch has not, or not with a generator of one's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Dropout whose masks come from ``self.generator`` rather than from the global one.

    Set :attr:`generator` (on the device of the input) before training. In evaluation mode this is the identity.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with elements set to 0 and the others scaled by 1/(1 - probability); same shape."""
        if not self.training:
            return x
        if self.generator is None:
            raise RuntimeError("Dropout.generator must be set before training")
        keep = 1.0 - self.probability
        return x * torch.empty_like(x).bernoulli_(keep, generator=self.generator).div_(keep)


class Pixels(nn.Module):
    """Reshape vectors ``[n, c * side * side]`` to images ``[n, c, side, side]``.

    With ``channels_last`` the vector is read in the order height, width, channel, so that the result lies
    channels-last in memory without being copied.
    """

    def __init__(self, channels: int, side: int, *, channels_last: bool = False) -> None:
        super().__init__()
        self.channels, self.side, self.channels_last = channels, side, channels_last

    def forward(self, x: Tensor) -> Tensor:
        """Return the images."""
        if self.channels_last:
            return x.view(-1, self.side, self.side, self.channels).permute(0, 3, 1, 2)
        return x.view(-1, self.channels, self.side, self.side)


class Logits(nn.Sequential):
    """A chain of modules whose last gives ``[n, 1]``; returns ``[n]``."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the raw logits, one an image."""
        logits: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return logits.squeeze(1)
