"""DCGAN (Radford, Metz, Chintala, arXiv 1511.06434).

With classes the generator's latents are joined by an embedding of the label, and the discriminator's last layer is a
projection (Miyato, Koyama 2018, arXiv 1802.05637).
"""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from ganetics._check import InputError
from ganetics.models.layers import LabelledLatents, LabelledLogits, Logits, Pixels, Projection
from ganetics.records import Recipe

WIDEST = 16
"""Times the width: maps do not get wider than this, which the paper's 64 pixels (8) never meet."""


def base_and_halvings(image_size: int) -> tuple[int, int]:
    """Return the smallest side (4 to 7 pixels) and how often the image is halved to reach it.

    Raises:
        InputError: the size is not 4, 5, 6 or 7 times a power of two.

    >>> base_and_halvings(28), base_and_halvings(64)
    ((7, 2), (4, 4))
    >>> base_and_halvings(30)
    Traceback (most recent call last):
    ganetics._check.InputError: image size must be 4, 5, 6 or 7 times 2, 4, 8, 16, 32 or 64, nearest 28 or 32, got 30
    """
    halvings = (image_size // 4).bit_length() - 1
    unit = 1 << max(halvings, 0)
    if halvings < 1 or image_size % unit:
        below = max(image_size // unit * unit, 8)
        raise InputError(
            "image size must be 4, 5, 6 or 7 times 2, 4, 8, 16, 32 or 64, "
            f"nearest {below} or {below + unit}, got {image_size}"
        )
    return image_size // unit, halvings


def _widths(recipe: Recipe) -> tuple[int, list[tuple[int, int, int]]]:
    """Return the smallest side, and (channels near the image, channels away from it, stride) of the inner layers.

    An image that is halved only once would have no inner layer at all: it gets one of stride 1.
    """
    base, halvings = base_and_halvings(recipe.image_size)
    widths = [recipe.width * min(1 << level, WIDEST) for level in range(max(halvings, 2))]
    stride = 2 if halvings > 1 else 1
    return base, [(near, far, stride) for near, far in pairwise(widths)]


def _kernel(stride: int) -> int:
    return 4 if stride == 2 else 3


def generator(recipe: Recipe) -> nn.Module:
    """Return ``[n, latent] -> [n, c, h, w]`` in [-1, 1]: project, then 4x4 stride-2 transposed convolutions.

    With classes it takes labels, int64 ``[n]``, too.
    """
    base, inner = _widths(recipe)
    widest = inner[-1][1]
    given = recipe.latent_dim * (2 if recipe.classes else 1)
    layers: list[nn.Module] = [
        nn.Linear(given, widest * base * base, bias=False),
        Pixels(widest, base),
        nn.BatchNorm2d(widest),
        nn.ReLU(inplace=True),
    ]
    for near, far, stride in reversed(inner):
        layers += [
            nn.ConvTranspose2d(far, near, _kernel(stride), stride, padding=1, bias=False),
            nn.BatchNorm2d(near),
            nn.ReLU(inplace=True),
        ]
    last = nn.ConvTranspose2d(recipe.width, recipe.channels, 4, stride=2, padding=1)
    net = nn.Sequential(*layers, last, nn.Tanh())
    if not recipe.classes:
        return net
    return LabelledLatents(net, classes=recipe.classes, latent_dim=recipe.latent_dim)


def discriminator(recipe: Recipe) -> nn.Module:
    """Return ``[n, c, h, w] -> [n]`` raw logits: 4x4 stride-2 convolutions, no normalisation in the first.

    With classes it takes labels, int64 ``[n]``, too.
    """
    base, inner = _widths(recipe)
    layers: list[nn.Module] = [
        nn.Conv2d(recipe.channels, recipe.width, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
    ]
    for near, far, stride in inner:
        layers += [
            nn.Conv2d(near, far, _kernel(stride), stride, padding=1, bias=False),
            nn.BatchNorm2d(far),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    features = inner[-1][1] * base * base
    if not recipe.classes:
        return Logits(*layers, nn.Flatten(), nn.Linear(features, 1))
    last = Projection(nn.Linear(features, 1), nn.Linear(features, recipe.classes, bias=False))
    return LabelledLogits(nn.Sequential(*layers, nn.Flatten()), last)
