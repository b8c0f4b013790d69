"""From a recipe to a pair of networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ganetics import _check
from ganetics._check import InputError
from ganetics.models import dcgan, dcgan_paper, fanogan, resnet
from ganetics.models.initialise import glorot_, normal_
from ganetics.records import Recipe


@dataclass(frozen=True)
class Gan:
    """A generator ``[n, latent] -> [n, c, h, w]`` in [-1, 1] and a discriminator ``[n, c, h, w] -> [n]`` logits.

    With classes both take labels, int64 ``[n]``, as a second argument.
    """

    generator: nn.Module
    discriminator: nn.Module


@dataclass(frozen=True)
class _Architecture:
    generator: Callable[[Recipe], nn.Module]
    discriminator: Callable[[Recipe], nn.Module]
    initialise_: Callable[[nn.Module, torch.Generator], None]
    loss: str
    """What it was published with, in the catalogue."""
    classes: bool = False
    """Whether there is one of classes."""


_ARCHITECTURES = {
    "dcgan": _Architecture(dcgan.generator, dcgan.discriminator, normal_, "non-saturating", classes=True),
    "dcgan-paper": _Architecture(dcgan_paper.generator, dcgan_paper.discriminator, glorot_, "ganetic"),
    "resnet": _Architecture(resnet.generator, resnet.discriminator, resnet.initialise_, "hinge", classes=True),
    "fanogan": _Architecture(fanogan.generator, fanogan.discriminator, fanogan.initialise_, "wasserstein"),
}

BASELINES = {model: architecture.loss for model, architecture in _ARCHITECTURES.items()}
"""Model → the catalogue's name of the loss that it was published with."""


def build_gan(recipe: Recipe, *, generator: torch.Generator) -> Gan:
    """Build the recipe's two networks on the CPU in float32, their weights drawn from ``generator`` alone.

    The weights depend on the generator's state only, so equal seeds give equal networks; PyTorch's global random
    state is neither read nor changed.

    Raises:
        InputError: the architecture cannot make images of this size, or of classes.

    >>> recipe = Recipe(name="small", image_size=8, channels=1, width=4, latent_dim=16, steps=1,
    ...                 learning_rate=1e-3, extractor="digits-classifier")
    >>> gan = build_gan(recipe, generator=torch.Generator().manual_seed(0))
    >>> images = gan.generator(torch.zeros(2, 16))
    >>> images.shape, gan.discriminator(images).shape
    (torch.Size([2, 1, 8, 8]), torch.Size([2]))
    """
    architecture = _ARCHITECTURES[_check.one_of("model", recipe.model, _ARCHITECTURES)]
    if recipe.classes and not architecture.classes:
        able = " and ".join(name for name, one in _ARCHITECTURES.items() if one.classes)
        raise InputError(f"{recipe.model} makes images of no class, got {recipe.classes} classes; {able} do")
    # On the meta device modules draw no initial weights, which would come from the global generator.
    with torch.device("meta"):
        nets = architecture.generator(recipe), architecture.discriminator(recipe)
    for net in nets:
        net.to_empty(device="cpu")
        architecture.initialise_(net, generator)
    return Gan(*nets)
