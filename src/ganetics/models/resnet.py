"""The spectrally normalised ResNet GAN (Miyato et al. 2018, arXiv 1802.05957, appendix B.4).

Residual blocks of two 3x3 convolutions; spectral normalisation of every layer of the discriminator, batch
normalisation in the generator. With classes: batch normalisation of a class in the generator's blocks, projection
discriminator (Miyato, Koyama 2018, arXiv 1802.05637). Numbers of channels, hidden ones too, and initial weights are
those of the authors' code, pfnet-research/sngan_projection, where ``width`` is 64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganetics._check import InputError
from ganetics.models.initialise import glorot_
from ganetics.models.layers import ClassBatchNorm2d, Pixels, Projection, SpectralConv2d, SpectralLinear
from ganetics.records import Recipe


@dataclass(frozen=True)
class _Layout:
    """Channels, as multiples of the width."""

    base: int
    """Side of the generator's first maps, in pixels."""
    up: tuple[int, ...]
    """Generator: of the first maps, and after each block, which doubles the side."""
    down: tuple[int, ...]
    """Discriminator: after each of its first blocks, which halve the side."""
    level: tuple[int, ...] = ()
    """Discriminator: after each of its last blocks, which keep it."""


LAYOUTS = {
    32: _Layout(4, (4, 4, 4, 4), (2, 2), (2, 2)),  # the paper's CIFAR-10
    48: _Layout(6, (8, 4, 2, 1), (1, 2, 4, 8), (16,)),  # the paper's STL-10
    64: _Layout(4, (16, 8, 4, 2, 1), (1, 2, 4, 8, 16)),  # the authors' code
    128: _Layout(4, (16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16), (16,)),  # the paper's ImageNet
    256: _Layout(4, (16, 16, 8, 8, 4, 2, 1), (1, 2, 4, 8, 8, 16), (16,)),  # the authors' code
}
"""By image size in pixels."""


def _layout(recipe: Recipe) -> _Layout:
    if recipe.image_size not in LAYOUTS:
        *sizes, last = LAYOUTS
        raise InputError(
            f"resnet makes images of {', '.join(map(str, sizes))} or {last} pixels, got {recipe.image_size}"
        )
    return LAYOUTS[recipe.image_size]


def generator(recipe: Recipe) -> nn.Module:
    """Return ``[n, latent] -> [n, c, h, w]`` in [-1, 1]; with classes it takes labels, int64 ``[n]``, too.

    Raises:
        InputError: there is no network for this image size.
    """
    return _Generator(recipe, _layout(recipe))


def discriminator(recipe: Recipe) -> nn.Module:
    """Return ``[n, c, h, w] -> [n]`` raw logits; with classes it takes labels, int64 ``[n]``, too.

    Raises:
        InputError: there is no network for this image size.
    """
    return _Discriminator(recipe, _layout(recipe))


@torch.no_grad()
def initialise_(net: nn.Module, generator: torch.Generator) -> None:
    """Fill with Glorot's uniform distribution, √2 times as wide in the residual branches, biases with 0, in place."""
    glorot_(net, generator)
    for block in net.modules():
        if isinstance(block, _Up | _Down):
            for convolution in (block.first, block.second):
                convolution.weight.mul_(math.sqrt(2))


class _Up(nn.Module):
    """A block of the generator, which doubles the side."""

    def __init__(self, before: int, after: int, classes: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = _norm(before, classes), _norm(after, classes)
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        h = F.relu(_normalised(self.norm1, x, labels), inplace=True)
        h = F.relu(_normalised(self.norm2, self.first(_doubled(h)), labels), inplace=True)
        # convolved before it is doubled: for a 1x1 kernel the same, at a quarter of the work
        return self.second(h) + _doubled(self.shortcut(x))  # type: ignore[no-any-return]


class _Down(nn.Module):
    """A block of the discriminator. The first has no activation before its first convolution: it sees pixels."""

    def __init__(self, before: int, after: int, *, halve: bool, of_pixels: bool = False) -> None:
        super().__init__()
        self.halve, self.of_pixels = halve, of_pixels
        hidden = after if of_pixels else before
        self.first = SpectralConv2d(before, hidden, 3, padding=1)
        self.second = SpectralConv2d(hidden, after, 3, padding=1)
        self.shortcut = SpectralConv2d(before, after, 1) if halve or before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x if self.of_pixels else F.relu(x))
        h = self.second(F.relu(h, inplace=True))
        if self.halve:
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        return h + self.shortcut(x)  # type: ignore[no-any-return]


class _Generator(nn.Module):
    def __init__(self, recipe: Recipe, layout: _Layout) -> None:
        super().__init__()
        widths = [recipe.width * factor for factor in layout.up]
        self.project = nn.Linear(recipe.latent_dim, widths[0] * layout.base**2)
        self.pixels = Pixels(widths[0], layout.base)
        self.blocks = nn.ModuleList(_Up(before, after, recipe.classes) for before, after in pairwise(widths))
        self.norm = nn.BatchNorm2d(widths[-1])
        self.image = nn.Conv2d(widths[-1], recipe.channels, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        h = self.pixels(self.project(z))
        for block in self.blocks:
            h = block(h, labels)
        return torch.tanh(self.image(F.relu(self.norm(h), inplace=True)))


class _Discriminator(nn.Module):
    def __init__(self, recipe: Recipe, layout: _Layout) -> None:
        super().__init__()
        down, level = ([recipe.width * factor for factor in part] for part in (layout.down, layout.level))
        self.blocks = nn.Sequential(
            _Down(recipe.channels, down[0], halve=True, of_pixels=True),
            *(_Down(before, after, halve=True) for before, after in pairwise(down)),
            *(_Down(before, after, halve=False) for before, after in pairwise([down[-1], *level])),
            nn.ReLU(inplace=True),
        )
        features = [*down, *level][-1]
        of_class = SpectralLinear(features, recipe.classes, bias=False) if recipe.classes else None
        self.last = Projection(SpectralLinear(features, 1), of_class)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.last(self.blocks(x).sum(dim=(2, 3)), labels)
        return logits


def _norm(channels: int, classes: int) -> nn.Module:
    return ClassBatchNorm2d(channels, classes=classes) if classes else nn.BatchNorm2d(channels)


def _normalised(norm: nn.Module, x: Tensor, labels: Tensor | None) -> Tensor:
    h: Tensor = norm(x, labels) if isinstance(norm, ClassBatchNorm2d) else norm(x)
    return h


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
