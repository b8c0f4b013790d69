"""From one generated image to another: what lies between two latents shows whether a generator has learnt a space.

Images that change at every step along the way speak for one; images that stay and then jump hint at images learnt by
heart (Radford, Metz, Chintala, arXiv 1511.06434, section 6.1).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganetics import _check
from ganetics._files import write_atomically
from ganetics._random import torch_generator
from ganetics.generation.results import stored_configuration
from ganetics.generation.sample import best_state, label_of, prepare_folder
from ganetics.training.sampling import decode, grid_png, latents

ROWS = 8


@dataclass(frozen=True)
class Interpolation:
    """Rows of images, each from one latent to another."""

    images: Tensor
    """uint8 ``[rows, steps + 2, c, h, w]``: the two ends, and between them the steps."""
    seeds: tuple[tuple[int, int], ...]
    """Of the ends of each row: the image that ``ganetics sample --count 1 --seed`` makes, of the row's class."""
    labels: tuple[int, ...] | None
    """Class of each row, if the generator knows any."""
    classes: tuple[str, ...] | None
    """The same by name."""


def spherical(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """Return latents ``[k, d]`` on the great circle from ``start`` to ``end``, ``[d]``, at the shares ``[k]`` of it.

    A straight line between two Gaussian latents leads through the middle, where there are next to none; this one keeps
    the length (White 2016, arXiv 1609.04468). The ends, shares 0 and 1, are exact.

    >>> spherical(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([0.0, 0.5])).round(decimals=3)
    tensor([[1.0000, 0.0000],
            [0.7070, 0.7070]])
    """
    a, b, t = start.double(), end.double(), shares.double()[:, None]
    angle = torch.arccos((a @ b / (a.norm() * b.norm())).clamp(-1.0, 1.0))
    if torch.sin(angle) < 1e-6:  # there is no one great circle
        return ((1.0 - t) * a + t * b).to(start.dtype)
    weights = torch.sin((1.0 - t) * angle) / torch.sin(angle), torch.sin(t * angle) / torch.sin(angle)
    return (weights[0] * a + weights[1] * b).to(start.dtype)


def interpolate_run(
    run: Path,
    steps: int,
    *,
    rows: int = ROWS,
    seed: int = 0,
    of_class: str | None = None,
    device: str = "cpu",
) -> Interpolation:
    """Return rows of images of the run's best checkpoint, or its last, between pairs of latents.

    Row r goes from the latent of seed ``seed + 2r`` to that of ``seed + 2r + 1``, in one class.

    Args:
        run: folder of a training run.
        steps: images between the two ends, at least 1.
        rows: at least 1.
        seed: of the first end.
        of_class: name of the class; None: the rows take turns, if the generator knows any.
        device: where they are made.

    Raises:
        InputError: a number is too small; as for :func:`ganetics.generation.sample.sample_run`.
    """
    _check.number("interpolation: steps", steps, low=1)
    _check.number("interpolation: rows", rows, low=1)
    state = best_state(run, device=device)
    labels = None if of_class is None else (label_of(run, of_class),) * rows
    if labels is None and state.recipe.classes:
        labels = tuple(row % state.recipe.classes for row in range(rows))
    seeds = tuple((seed + 2 * row, seed + 2 * row + 1) for row in range(rows))
    shares = torch.linspace(0.0, 1.0, steps + 2, dtype=torch.float64)

    def latent(of: int) -> Tensor:
        return latents(1, state.recipe.latent_dim, generator=torch_generator(of, "sample"))[0]

    z = torch.cat([spherical(latent(first), latent(last), shares) for first, last in seeds])
    told = None if labels is None else torch.tensor(labels).repeat_interleave(steps + 2)
    images = decode(state.sampler, z.to(state.device), told)
    names = None if labels is None else tuple(stored_configuration(run).classes[label] for label in labels)
    return Interpolation(images.view(rows, steps + 2, *images.shape[1:]), seeds, labels, names)


def write_interpolation(found: Interpolation, out: Path) -> Path:
    """Write one picture, a row from left to right, to ``out/interpolation.png``.

    Raises:
        InputError: ``out`` is a file, or holds PNG files already.
    """
    prepare_folder(out)
    path = out / "interpolation.png"
    write_atomically(path, grid_png(found.images.flatten(0, 1), columns=found.images.shape[1]))
    return path


def write_frames(found: Interpolation, out: Path) -> Path:
    """Write ``out/interpolation.npz``: ``images``, uint8 ``[rows, steps + 2, h, w, c]``, and ``seeds``, ``[rows, 2]``.

    With classes also ``labels``, ``[rows]``.
    """
    out.mkdir(parents=True, exist_ok=True)
    images, seeds = found.images.permute(0, 1, 3, 4, 2).numpy(), np.array(found.seeds)
    file = io.BytesIO()
    if found.labels is None:
        np.savez_compressed(file, images=images, seeds=seeds)
    else:
        np.savez_compressed(file, images=images, seeds=seeds, labels=np.array(found.labels))
    path = out / "interpolation.npz"
    write_atomically(path, file.getvalue())
    return path
