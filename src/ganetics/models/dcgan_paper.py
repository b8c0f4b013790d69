"""The CIFAR-10 networks that Akhmedova and Körber trained (arXiv 2406.05023, their published script).

Kernels 3x3, LeakyReLU 0.2, no normalisation. Keras pads a stride-2 convolution of an even side after the last
pixel, PyTorch before the first: the nets are the mirror images of theirs, with the same number of weights.
"""

from __future__ import annotations

from torch import nn

from ganetics._check import InputError
from ganetics.models.layers import Dropout, Logits, Pixels
from ganetics.records import Recipe

SIDE, CHANNELS = 32, 3


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2, inplace=True)


def _encoder() -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(CHANNELS, 64, 3, padding=1), _leaky()]
    for before, after in ((64, 128), (128, 128), (128, 256)):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), _leaky()]
    return layers


def _check_shape(recipe: Recipe) -> None:
    if (recipe.image_size, recipe.channels) != (SIDE, CHANNELS):
        raise InputError(
            f"dcgan-paper makes images of {SIDE} pixels and {CHANNELS} channels, "
            f"got {recipe.image_size} pixels and {recipe.channels} channels"
        )


def generator(recipe: Recipe) -> nn.Module:
    """Return ``[n, latent] -> [n, 3, 32, 32]`` in [-1, 1]; 28,110,086 weights at 100 latent dimensions.

    Raises:
        InputError: another image size or number of channels.
    """
    _check_shape(recipe)
    layers: list[nn.Module] = [
        nn.Linear(recipe.latent_dim, 256 * SIDE * SIDE),
        _leaky(),
        Pixels(256, SIDE, channels_last=recipe.channels_last),
        nn.Conv2d(256, CHANNELS, 3, padding=1),
        _leaky(),
        *_encoder(),
    ]
    for before, after in ((256, 256), (256, 128), (128, 128)):
        layers += [nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1), _leaky()]
    return nn.Sequential(
        *layers,
        nn.ConvTranspose2d(128, 64, 3, padding=1),
        _leaky(),
        nn.ConvTranspose2d(64, CHANNELS, 3, padding=1),
        nn.Tanh(),
    )


def discriminator(recipe: Recipe) -> nn.Module:
    """Return ``[n, 3, 32, 32] -> [n]`` raw logits; 522,497 weights. Its dropout needs a generator to train.

    Raises:
        InputError: another image size or number of channels.
    """
    _check_shape(recipe)
    return Logits(*_encoder(), nn.Flatten(), Dropout(0.4), nn.Linear(256 * 4 * 4, 1))
