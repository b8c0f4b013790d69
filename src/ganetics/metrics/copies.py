"""Which generated samples are copies of training samples, seen in one or in several ways.

A *view* is a space in which samples are points. In it a sample is a copy if both are true of its nearest training
sample, measured by the training samples themselves, each of which has a nearest one among those of other groups
(patients, sequences …), a stranger:

- it is *near*: nearer than all but 5 % of the training samples are to their nearest stranger;
- it is *singled out*: the ratio of its distance to that of the next training sample of another group is below that
  ratio of all but 1 % of the training samples. Without this an average of many images, which is near to all, would
  count as a copy; with a distance alone, the same distance would have to do where images lie close and where they do
  not. (Lowe 2004, IJCV 60, section 7.1, matches features so; Carlini et al. 2023, arXiv 2301.13188, section 4.2, find
  copies by a distance over those of the next ones.)

A sample that is a copy in any view counts. Held-out samples play no part in the rule, so that what it says of them is a
control.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from ganetics import _check
from ganetics._check import InputError
from ganetics.metrics.neighbours import ROUNDING, blocks, same_dimension

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
NEAR, SINGLED_OUT = 0.05, 0.01
"""Share of the training samples that pass for a copy of a stranger by either condition."""
LOOKED_AT = 2000
"""Training samples that these are shares of, at most: every so manieth, so that all parts of a list are seen."""
FEWEST_GROUPS = 3
"""Below it there is no next one of another group: then every sample is a stranger to every other."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Nearest:
    """The nearest training sample of each sample.

    Attributes:
        distance: to it ``[n]``.
        row: which one it is ``[n]``.
        ratio: of ``distance`` and that to the nearest one of another group than its own ``[n]``; 0 for a training
            sample itself.
    """

    distance: Array
    row: Codes
    ratio: Array


@dataclass(frozen=True)
class Copies:
    """How near samples come to training samples.

    Attributes:
        closeness: of the two conditions the one that is less fulfilled, each over its limit, in the view in which it is
            smallest ``[n]``; below 1: a copy.
        row: the nearest training sample in that view ``[n]``.
        duplicates: samples that are training samples in every view, up to the rounding of float32 ``[n]``.
    """

    closeness: Array
    row: Codes
    duplicates: npt.NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Samples that are copies."""
        return int(np.count_nonzero(self.closeness < 1))

    @property
    def rate(self) -> float:
        """Share of the samples that are copies, 0 to 1; 0 of none."""
        return self.count / max(1, len(self.closeness))


@dataclass(frozen=True)
class Known:
    """Training samples ``[n, d]`` in one view, their groups ``[n]``, and the limits; from :func:`known`."""

    train: Array
    groups: Codes
    distance: float
    ratio: float


def known(versions: Sequence[npt.ArrayLike], *, groups: Sequence[str] = ()) -> Known:
    """Return the training samples of a view with the limits within which another sample is a copy.

    Training samples that are there twice in different groups, so at distance 0, are no measure and left out of it.

    Args:
        versions: features ``[n, d]`` of the training samples as they are, then of those turned, mirrored … in the same
            order: how near two samples are is how near one comes to the other in any version.
        groups: patient, sequence … of each; without them, or with fewer than three, each is a group of its own.

    Raises:
        InputError: another shape, not finite, or fewer than three different samples.

    >>> found = known([[[0.0], [1.0], [5.0], [7.0]]], groups=["a", "a", "b", "c"])
    >>> round(found.distance, 3)  # 2 from b to c; a's two samples are no strangers to each other
    2.0
    """
    train = _check.features("training features", versions[0], at_least=3)
    codes = np.arange(len(train))
    if len(set(groups)) >= FEWEST_GROUPS:
        codes = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)[1].astype(np.int64)
    rows = np.unique(np.linspace(0, len(train) - 1, min(len(train), LOOKED_AT)).round().astype(np.int64))
    looked_at = [np.asarray(version, dtype=np.float64)[rows] for version in versions]
    found = nearest(looked_at, train, codes, own=codes[rows])
    different = found.ratio > 0
    if not different.any():
        raise InputError(f"training samples must be at least 3 different ones, got {len(train)} that are the same")
    limits = np.quantile(found.distance[different], NEAR), np.quantile(found.ratio[different], SINGLED_OUT)
    return Known(train, codes, *map(float, limits))


def look(views: Sequence[tuple[Known, Sequence[npt.ArrayLike]]]) -> Copies:
    """Say how near samples come to training samples.

    Args:
        views: of each view the training samples, and the features ``[m, d]`` of the samples in all versions.

    Raises:
        InputError: another shape, different d, or not finite.
    """
    found = [(view, nearest(versions, view.train, view.groups)) for view, versions in views]
    closeness = np.stack([np.maximum(one.distance / view.distance, one.ratio / view.ratio) for view, one in found])
    rows, ratios = (np.stack(part) for part in ([one.row for _, one in found], [one.ratio for _, one in found]))
    first, every = closeness.argmin(axis=0), np.arange(closeness.shape[1])
    return Copies(closeness[first, every], rows[first, every], (ratios == 0).all(axis=0))


def nearest(versions: Sequence[npt.ArrayLike], train: Array, groups: Codes, *, own: Codes | None = None) -> Nearest:
    """Return the training sample that is nearest to each sample in any of its versions, at exact distances.

    Args:
        versions: features ``[m, d]`` of the samples.
        train: features ``[n, d]``.
        groups: of the training samples ``[n]``.
        own: group of each sample ``[m]``: training samples of it are not looked at.

    Raises:
        InputError: another shape, different d, or not finite.
    """
    samples = [_check.features("features", version, at_least=1) for version in versions]
    for version in samples:
        same_dimension(version, train)
    rows_of = np.empty((2, len(samples[0])), dtype=np.int64)
    for parts in zip(*(blocks(version, train) for version in samples), strict=True):
        rows = parts[0][0]
        distances = np.minimum.reduce([one for _, one in parts])
        if own is not None:
            distances[own[rows, None] == groups[None, :]] = np.inf
        rows_of[0, rows] = distances.argmin(axis=1)
        distances[groups[rows_of[0, rows], None] == groups[None, :]] = np.inf
        rows_of[1, rows] = distances.argmin(axis=1)
    # the fast form above loses half the digits near zero, where it matters here
    distance, next_one = (
        np.min([np.linalg.norm(one - train[row], axis=1) for one in samples], axis=0) for row in rows_of
    )
    same = distance <= ROUNDING * np.linalg.norm(samples[0], axis=1)
    return Nearest(distance, rows_of[0], np.where(same, 0.0, distance / np.where(same, 1.0, next_one)))


def proportion_interval(count: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of ``count / n`` after Clopper and Pearson (Biometrika 26, 1934): never too narrow.

    >>> [round(end, 4) for end in proportion_interval(0, 300)]
    [0.0, 0.0122]
    """
    tail = (1 - CONFIDENCE) / 2
    low = special.betaincinv(count, n - count + 1, tail) if count else 0.0
    high = special.betaincinv(count + 1, n - count, 1 - tail) if count < n else 1.0
    return float(low), float(high)
