"""Residual networks for anomaly detection: generator, discriminator and encoder of f-AnoGAN, small enough for a CPU.

After Schlegl et al. 2019 (Med. Image Anal. 54, 30 to 44), who take the residual networks of Gulrajani et al. 2017
(arXiv 1704.00028, appendix C). Cheaper here: the image is halved in the first layer, and each block changes its size
between its two convolutions. Sizes are doubled bilinearly: by nearest neighbours, and by a last transposed convolution,
a short training leaves a grid in images and heat maps. The discriminator and the encoder have layer normalisation,
never batch normalisation: an image's logit, gradient and code depend on that image alone.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn

from ganetics.models.dcgan import base_and_halvings
from ganetics.models.layers import Pixels


class Size(Protocol):
    """What decides the networks; a recipe is one."""

    @property
    def image_size(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def latent_dim(self) -> int: ...


class Down(nn.Module):
    """A residual block that halves the size: ``[n, c, h, w] -> [n, out, h/2, w/2]``."""

    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = _layer_norm(inside), _layer_norm(inside)
        self.conv1 = nn.Conv2d(inside, inside, 3, padding=1)
        self.conv2 = nn.Conv2d(inside, out, 3, padding=1)
        self.skip = nn.Conv2d(inside, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y = self.conv1(self.norm1(x).relu())
        y = self.conv2(nn.functional.avg_pool2d(self.norm2(y).relu(), 2))
        found: Tensor = y + self.skip(nn.functional.avg_pool2d(x, 2))
        return found


class Up(nn.Module):
    """A residual block that doubles the size: ``[n, c, h, w] -> [n, out, 2h, 2w]``."""

    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(inside), nn.BatchNorm2d(out)
        self.conv1 = nn.Conv2d(inside, out, 3, padding=1)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Conv2d(inside, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y = self.norm2(self.conv1(self.norm1(x).relu())).relu()
        found: Tensor = self.conv2(_doubled(y)) + _doubled(self.skip(x))
        return found


class Body(nn.Module):
    """The part that discriminator and encoder share: ``[n, c, h, w] -> [n, d]``, features before the last layer."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        base, widths = _widths(size)
        self.stem = nn.Conv2d(size.channels, size.width, 4, stride=2, padding=1)
        self.blocks = nn.Sequential(*(Down(near, far) for near, far in pairwise(widths)))
        self.norm = _layer_norm(widths[-1])
        self.dimension = widths[-1] * base * base

    def forward(self, images: Tensor) -> Tensor:
        """Return the features."""
        features: Tensor = self.norm(self.blocks(self.stem(images))).relu().flatten(1)
        return features


class Discriminator(nn.Module):
    """``[n, c, h, w] -> [n]`` raw logits; :attr:`body` gives the features that residuals are taken of."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.body = Body(size)
        self.last = nn.Linear(self.body.dimension, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.of_features(self.body(images))

    def of_features(self, features: Tensor) -> Tensor:
        """Return the logits of features."""
        logits: Tensor = self.last(features).squeeze(1)
        return logits


def discriminator(size: Size) -> Discriminator:
    """Return ``[n, c, h, w] -> [n]`` raw logits."""
    return Discriminator(size)


def encoder(size: Size) -> nn.Module:
    """Return ``[n, c, h, w] -> [n, latent]``; its last layer is linear, as the generator's latents have no bounds."""
    body = Body(size)
    return nn.Sequential(body, nn.Linear(body.dimension, size.latent_dim))


def generator(size: Size) -> nn.Module:
    """Return ``[n, latent] -> [n, c, h, w]`` in [-1, 1]; with batch normalisation, so score in eval mode."""
    base, widths = _widths(size)
    blocks = [Up(far, near) for near, far in reversed(list(pairwise(widths)))]
    return nn.Sequential(
        nn.Linear(size.latent_dim, widths[-1] * base * base),
        Pixels(widths[-1], base),
        *blocks,
        nn.BatchNorm2d(size.width),
        nn.ReLU(),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(size.width, size.channels, 3, padding=1),
        nn.Tanh(),
    )


@torch.no_grad()
def initialise_(net: nn.Module, generator: torch.Generator) -> None:
    """Fill with He's normal distribution (arXiv 1502.01852, eq. 10), the last of each residual block's branch smaller.

    Biases are 0, scales of normalisation 1.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.GroupNorm | nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
    for module in net.modules():
        if isinstance(module, Down | Up):
            module.conv2.weight.mul_(0.5)  # so that the sum with the short way does not grow from block to block


def _widths(size: Size) -> tuple[int, list[int]]:
    base, halvings = base_and_halvings(size.image_size)
    return base, [size.width << level for level in range(halvings)]


def _layer_norm(channels: int) -> nn.Module:
    """Return layer normalisation over channels and places: one group."""
    return nn.GroupNorm(1, channels)


def _doubled(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear")
