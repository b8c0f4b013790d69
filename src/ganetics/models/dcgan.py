"""DCGAN for small images (Radford, Metz, Chintala, arXiv 1511.06434)."""

from __future__ import annotations

from torch import nn

from ganetics._check import InputError
from ganetics.models.layers import Logits, Pixels
from ganetics.records import Recipe


def base_and_halvings(image_size: int) -> tuple[int, int]:
    """Return the smallest side (4 to 7 pixels) and how often the image is halved to reach it.

    Raises:
        InputError: the size is not 4, 5, 6 or 7 times a power of two.

    >>> base_and_halvings(28), base_and_halvings(64)
    ((7, 2), (4, 4))
    >>> base_and_halvings(30)
    Traceback (most recent call last):
    ganetics._check.InputError: image size must be 4, 5, 6 or 7 times 2, 4, 8 or 16, nearest 28 or 32, got 30
    """
    halvings = (image_size // 4).bit_length() - 1
    unit = 1 << max(halvings, 0)
    if halvings < 1 or image_size % unit:
        below = max(image_size // unit * unit, 8)
        raise InputError(
            f"image size must be 4, 5, 6 or 7 times 2, 4, 8 or 16, nearest {below} or {below + unit}, got {image_size}"
        )
    return image_size // unit, halvings


def generator(recipe: Recipe) -> nn.Module:
    """Return ``[n, latent] -> [n, c, h, w]`` in [-1, 1]: project, then 4x4 stride-2 transposed convolutions."""
    base, halvings = base_and_halvings(recipe.image_size)
    widths = [recipe.width << level for level in reversed(range(halvings))]
    layers: list[nn.Module] = [
        nn.Linear(recipe.latent_dim, widths[0] * base * base, bias=False),
        Pixels(widths[0], base),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(inplace=True),
    ]
    for before, after in zip(widths[:-1], widths[1:], strict=True):
        layers += [
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(
        *layers, nn.ConvTranspose2d(widths[-1], recipe.channels, 4, stride=2, padding=1), nn.Tanh()
    )


def discriminator(recipe: Recipe) -> nn.Module:
    """Return ``[n, c, h, w] -> [n]`` raw logits: 4x4 stride-2 convolutions, no normalisation in the first."""
    base, halvings = base_and_halvings(recipe.image_size)
    widths = [recipe.width << level for level in range(halvings)]
    layers: list[nn.Module] = [
        nn.Conv2d(recipe.channels, widths[0], 4, stride=2, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
    ]
    for before, after in zip(widths[:-1], widths[1:], strict=True):
        layers += [
            nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return Logits(*layers, nn.Flatten(), nn.Linear(widths[-1] * base * base, 1))
