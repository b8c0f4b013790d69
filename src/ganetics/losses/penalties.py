"""Regularisers of the discriminator, apart from the losses. Each returns an unweighted scalar to add to its loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from ganetics._check import InputError, number

Discriminator = Callable[[Tensor], Tensor]


def r1(discriminator: Discriminator, *, real: Tensor) -> Tensor:
    """Return half the mean squared norm of the logit's gradient at real images; weigh it with gamma.

    With batch normalisation in the discriminator the gradient is that of the batch's sum of logits, and so no longer a
    sample's alone. Source: Mescheder et al. 2018, arXiv 1801.04406, equation 9.

    >>> r1(lambda x: 3 * x.flatten(1).sum(1), real=torch.zeros(2, 1, 2, 2))  # norm² a sample: 4 pixels of 3²
    tensor(18.)
    """
    return 0.5 * _squared_norms(discriminator, real).mean()


def r2(discriminator: Discriminator, *, fake: Tensor) -> Tensor:
    """Return half the mean squared norm of the logit's gradient at generated images (Mescheder et al. 2018, eq. 10)."""
    return 0.5 * _squared_norms(discriminator, fake).mean()


def gradient_penalty(
    discriminator: Discriminator,
    *,
    real: Tensor,
    fake: Tensor,
    generator: torch.Generator,
    center: float = 1.0,
) -> Tensor:
    """Return the mean squared distance of the gradient's norm to ``center`` between real and generated images.

    One norm a sample, over all its pixels and channels, at a point drawn on the line between a real image and a
    generated one, one draw a sample.

    Source: Gulrajani et al. 2017, arXiv 1704.00028, equation 3 (weigh it with 10); center 0: Thanh-Tung et al. 2019.

    Args:
        discriminator: images ``[n, c, h, w]`` to logits ``[n]`` or ``[n, 1]``; must treat samples independently for the
            norm to be a sample's (no batch normalisation).
        real: real images.
        fake: generated images of the same shape.
        generator: source of the points, on the images' device.
        center: 1 or 0.

    Raises:
        InputError: the shapes differ.
    """
    if real.shape != fake.shape:
        raise InputError(f"real and fake must have one shape, got {list(real.shape)} and {list(fake.shape)}")
    share = torch.rand(len(real), *[1] * (real.dim() - 1), generator=generator, device=real.device)
    between = torch.lerp(real.detach(), fake.detach(), share.to(real.dtype))
    # the root's slope is infinite at zero, where a fresh discriminator may well be
    norms = (_squared_norms(discriminator, between) + 1e-12).sqrt()
    return (norms - center).square().mean()


@torch.no_grad()
def clip_weights_(module: nn.Module, limit: float) -> None:
    """Clip every weight to [−limit, limit] in place (Arjovsky et al. 2017, algorithm 1: 0.01).

    Raises:
        InputError: the limit is not above 0.
    """
    number("limit", limit, above=0)
    for weight in module.parameters():
        weight.clamp_(-limit, limit)


NORMALISED = (
    nn.Linear,
    nn.Bilinear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
"""Layers whose weight :func:`spectral_norm_` normalises."""


def spectral_norm_(module: nn.Module, *, generator: torch.Generator) -> None:
    """Divide the weight of every linear and convolutional layer by its largest singular value, in place.

    The value is estimated by one power iteration at each forward pass in training mode (PyTorch's parametrization);
    the estimate is part of ``state_dict``, so make the optimizer and load weights after this call.

    Source: Miyato et al. 2018, arXiv 1802.05957, algorithm 1.

    Args:
        module: a network, or one layer.
        generator: source of the first estimates, on the CPU. The global random state is as it was afterwards.

    Raises:
        InputError: there is no such layer, or one is normalised already.
    """
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, NORMALISED)}
    if not layers:
        raise InputError(f"spectral_norm_ needs a linear or convolutional layer, {type(module).__name__} has none")
    for name, layer in layers.items():
        if parametrize.is_parametrized(layer, "weight"):
            raise InputError(f"spectral_norm_: the weight of {name or 'the module'} is parametrized already")
    for layer in layers.values():
        seed = int(torch.randint(2**62, (), generator=generator))
        # PyTorch draws the estimates from the global generator of the weight's device
        device = layer.weight.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            parametrizations.spectral_norm(layer)


def _squared_norms(discriminator: Discriminator, images: Tensor) -> Tensor:
    """Return ``[n]``: the squared norm of each sample's gradient."""
    images = images.detach().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    squares: Tensor = gradient.flatten(1).square().sum(1)
    return squares
