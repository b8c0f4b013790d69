"""From a trained generator to images."""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch import Tensor, nn

from ganetics._random import torch_generator
from ganetics.training.state import TrainingState

BATCH = 250
"""Images generated at a time."""


def latents(count: int, dimension: int, *, generator: torch.Generator) -> Tensor:
    """Return standard normal latents ``[count, dimension]``; the first do not depend on how many there are."""
    # torch draws in sixteens, and what is left over in another way
    return torch.randn(count + -count % 16, dimension, generator=generator)[:count]


def fixed_latents(state: TrainingState, count: int) -> Tensor:
    """Return the latents ``[count, latent_dim]`` that pictures of this seed are made from, at every step."""
    return latents(count, state.recipe.latent_dim, generator=torch_generator(state.seed, "preview"))


def fixed_labels(state: TrainingState, count: int) -> Tensor | None:
    """Return labels ``[count]`` in which the classes take turns, or None if the recipe has none."""
    return torch.arange(count) % state.recipe.classes if state.recipe.classes else None


def sample(state: TrainingState, count: int, *, generator: torch.Generator, labels: Tensor | None = None) -> Tensor:
    """Draw ``count`` images from the state's generator, or from its moving average if it keeps one.

    Args:
        state: a training run.
        count: number of images.
        generator: source of the latents, on the CPU; the first of them do not depend on ``count``.
        labels: int64 ``[count]``: the images' classes, if the recipe has any; None: they take turns.

    Returns:
        uint8 ``[count, c, h, w]`` on the CPU.
    """
    z = latents(count, state.recipe.latent_dim, generator=generator)
    return decode(state.sampler, z.to(state.device), fixed_labels(state, count) if labels is None else labels)


@torch.no_grad()
def decode(net: nn.Module, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """Return the images of the latents ``[n, latent_dim]`` as uint8 ``[n, c, h, w]`` on the CPU.

    Batch normalisation uses its running statistics, so an image does not depend on the others of its batch. A net of
    classes needs ``labels``, int64 ``[n]``.
    """
    given = (z,) if labels is None else (z, labels.to(z.device))
    training = net.training
    net.eval()
    try:
        parts = zip(*(torch.split(tensor, BATCH) for tensor in given), strict=True)
        return torch.cat([_to_uint8(net(*part)).cpu() for part in parts])
    finally:
        net.train(training)


def _to_uint8(images: Tensor) -> Tensor:
    return images.float().add(1.0).mul_(127.5).round_().clamp_(0.0, 255.0).to(torch.uint8).contiguous()


def grid_png(images: Tensor, *, columns: int = 8, padding: int = 2) -> bytes:
    """Return a PNG of the images ``[n, c, h, w]`` (uint8, gray or RGB) in rows of ``columns``, on white.

    Images below 32 pixels are enlarged by a whole factor, each pixel a square.
    """
    factor = -(-32 // images.shape[-1])
    tiles = images.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    n, channels, height, width = tiles.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    canvas = torch.full(
        (channels, rows * (height + padding) + padding, columns * (width + padding) + padding), 255,
        dtype=torch.uint8,
    )  # fmt: skip
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        top, left = padding + row * (height + padding), padding + column * (width + padding)
        canvas[:, top : top + height, left : left + width] = tile
    pixels = canvas[0].numpy() if channels == 1 else canvas.permute(1, 2, 0).contiguous().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()


def preview(state: TrainingState, count: int) -> bytes:
    """Return a PNG grid of ``count`` images from the fixed latents of the state's seed; classes take turns."""
    z = fixed_latents(state, count).to(state.device)
    return grid_png(decode(state.sampler, z, fixed_labels(state, count)))
