"""What nearest neighbours tell of generated samples: precision, recall, density, coverage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ganetics import _check
from ganetics._check import InputError

Array = npt.NDArray[np.float64]
BLOCK = 1024
"""Rows of the distance matrix that are held at a time."""
ROUNDING = 1e-5
"""Two samples are one if they are no further apart than this part of their length: the features of one image differ a
little from batch to batch."""


@dataclass(frozen=True)
class NeighbourhoodScores:
    """All from 0; precision, recall and coverage to 1, density can be above 1 (1 for equal distributions)."""

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhood_scores(real: npt.ArrayLike, fake: npt.ArrayLike, *, k: int = 5) -> NeighbourhoodScores:
    """Return precision, recall (Kynkäänniemi et al. 2019, arXiv 1904.06991), density, coverage (Naeem et al. 2020).

    Each sample has a ball that reaches to its k-th nearest neighbour of its own kind. Precision: share of fakes in a
    real ball; recall: share of reals in a fake ball; density: real balls that a fake lies in, divided by k, mean over
    the fakes; coverage: share of real balls that hold a fake (arXiv 2002.09797).

    Args:
        real: features ``[n, d]``, n above k.
        fake: features ``[m, d]``, m above k.
        k: neighbours, at least 1.

    Raises:
        InputError: another shape, different d, too few samples, or not finite.
    """
    _check.number("k", k, low=1)
    x = _check.features("real features", real, at_least=k + 1)
    y = _check.features("fake features", fake, at_least=k + 1)
    same_dimension(x, y)
    real_radius, fake_radius = _radii(x, k), _radii(y, k)
    in_real_balls = np.zeros(len(y))
    recalled = np.zeros(len(x), dtype=bool)
    covered = np.zeros(len(x), dtype=bool)
    for rows, distances in blocks(x, y):
        inside = distances <= real_radius[rows, None]
        in_real_balls += inside.sum(axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (distances <= fake_radius[None, :]).any(axis=1)
    return NeighbourhoodScores(
        precision=float((in_real_balls > 0).mean()),
        recall=float(recalled.mean()),
        density=float(in_real_balls.mean() / k),
        coverage=float(covered.mean()),
    )


def _radii(x: Array, k: int) -> Array:
    """Return each sample's distance to its k-th nearest neighbour, itself not counted."""
    radii = np.empty(len(x))
    for rows, distances in blocks(x, x):
        radii[rows] = np.partition(distances, k, axis=1)[:, k]
    return radii


def blocks(x: Array, y: Array) -> Iterator[tuple[slice, Array]]:
    """Yield Euclidean distances of rows of x to all of y, a block of rows at a time."""
    norms = np.square(y).sum(axis=1)
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        squares = np.square(x[rows]).sum(axis=1)[:, None] + norms[None, :] - 2.0 * (x[rows] @ y.T)
        yield rows, np.sqrt(np.clip(squares, 0.0, None))


def same_dimension(x: Array, y: Array) -> None:
    """Check that features can be compared.

    Raises:
        InputError: they have different dimensions.
    """
    if x.shape[1] != y.shape[1]:
        raise InputError(f"features must have one dimension, got {x.shape[1]} and {y.shape[1]}")
