"""How well classes are told apart, with intervals by resampling groups of images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ganetics._check import InputError
from ganetics.metrics.detection import Array, Difference, Figure, Resamples, Statistic, difference_of


def balanced_accuracy(labels: npt.ArrayLike, told: npt.ArrayLike, *, resamples: Resamples | None = None) -> Figure:
    """Return the mean over the classes of the share of a class's images that are told right; chance is 1 over them.

    Args:
        labels: numbers of the classes ``[n]``; a class that none has is not among those of the mean.
        told: what a classifier says ``[n]``.
        resamples: of the images' groups; gives the interval. Draws that miss a class are left out of it.

    Raises:
        InputError: another shape, or no image.

    >>> balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0]).value
    0.5
    """
    statistic = weighted_balanced_accuracy(labels, told)
    low, high = (None, None) if resamples is None else resamples.interval(statistic)
    return Figure(float(statistic(np.ones((1, np.asarray(labels).size)))[0]), low, high)


def balanced_difference(
    labels: npt.ArrayLike, one: npt.ArrayLike, other: npt.ArrayLike, *, resamples: Resamples
) -> Difference:
    """Return how much higher the balanced accuracy of ``one`` is than that of ``other`` on the same images.

    Raises:
        InputError: as for :func:`balanced_accuracy`.
    """
    first, second = weighted_balanced_accuracy(labels, one), weighted_balanced_accuracy(labels, other)
    return difference_of(first, second, count=np.asarray(labels).size, resamples=resamples)


def weighted_balanced_accuracy(labels: npt.ArrayLike, told: npt.ArrayLike) -> Statistic:
    """Return the balanced accuracy as a function of the images' weights ``[b, n]``.

    Raises:
        InputError: as for :func:`balanced_accuracy`.
    """
    y, said = np.asarray(labels), np.asarray(told)
    if y.ndim != 1 or y.shape != said.shape or not len(y):
        raise InputError(f"labels must have one shape [n], got {list(y.shape)} and {list(said.shape)}")
    members = np.stack([y == label for label in np.unique(y)]).astype(np.float64)
    right = members * (y == said)

    def statistic(weights: Array) -> Array:
        with np.errstate(invalid="ignore"):
            shares = (weights @ right.T) / (weights @ members.T)
        return np.asarray(shares.mean(axis=1))

    return statistic
