"""How well scores tell abnormal images from normal ones; intervals by resampling groups of images.

Scores: higher is more abnormal. Labels: 1 is abnormal, 0 normal. Images of one patient, sequence … are alike, so what
is resampled is groups, never images (the cluster bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from ganetics._check import InputError, number

Array = npt.NDArray[np.float64]
Statistic = Callable[[Array], Array]
"""Weights of the images ``[b, n]`` to a value of each row ``[b]``, NaN where it is not defined."""

CONFIDENCE = 0.95
FEW_GROUPS = 10
"""Of fewer no p-value is given: it would come out too small."""
MOST_TRAININGS = 100
RESAMPLES = 2000
BLOCK = 2**21
"""Weights that are held at a time."""


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval.

    Attributes:
        value: None where it is not defined.
        low: lower end; None without a value, or with fewer than two groups.
        high: upper end.
        reason: why there is no value.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Difference:
    """A paired difference with its 95 % interval and two-sided p-value; None where they are not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str = ""


class Resamples:
    """Draws of groups, and of trainings, with replacement; the same for everything that is compared."""

    def __init__(self, groups: Sequence[str], *, generator: np.random.Generator, resamples: int = RESAMPLES) -> None:
        """Draw.

        Args:
            groups: patient, sequence … of each image.
            generator: of the draws.
            resamples: how many.

        Raises:
            InputError: no image, or fewer than 1 resample.
        """
        number("resamples", resamples, low=1)
        if not len(groups):
            raise InputError("groups must be those of at least 1 image, got none")
        names, self.index = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
        self.groups = len(names)
        self.counts = generator.multinomial(self.groups, np.full(self.groups, 1 / self.groups), size=resamples)
        self._trainings, self._others = generator.random((2, resamples, MOST_TRAININGS))

    def values(self, statistic: Statistic) -> Array:
        """Return the statistic of each resample ``[resamples]``."""
        return np.concatenate([statistic(weights) for weights in self._blocks()])

    def mean_values(self, statistics: Sequence[Statistic], *, apart: bool = False) -> Array:
        """Return the mean of each training's statistic, over trainings that are drawn with replacement, too.

        ``apart``: by draws of their own, not those that other trainings are paired by.
        """
        count = int(number("trainings", len(statistics), low=1, high=MOST_TRAININGS))
        values = np.stack([self.values(statistic) for statistic in statistics], axis=1)
        drawn = ((self._others if apart else self._trainings)[:, :count] * count).astype(np.int64)
        return np.asarray(np.take_along_axis(values, drawn, axis=1).mean(axis=1))

    def _blocks(self) -> Iterator[Array]:
        rows = max(1, BLOCK // len(self.index))
        for start in range(0, len(self.counts), rows):
            yield self.counts[start : start + rows][:, self.index].astype(np.float64)

    def interval(self, statistic: Statistic) -> tuple[float | None, float | None]:
        """Return the percentile interval; resamples in which the statistic is not defined are left out."""
        return interval_of(self.values(statistic)) if self.groups > 1 else (None, None)


def interval_of(values: Array) -> tuple[float | None, float | None]:
    """Return the 2.5 and the 97.5 % quantile of those values that are finite; None if none is."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None, None
    low, high = np.quantile(finite, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def one_class(labels: npt.ArrayLike) -> str:
    """Return why nothing can be said of telling two classes apart; empty if it can.

    >>> one_class([1, 1]), one_class([0, 1])
    ('all 2 test images are abnormal, and two classes are needed', '')
    """
    y = np.asarray(labels)
    if 0 < np.count_nonzero(y) < len(y):
        return ""
    what = "abnormal" if len(y) and y[0] else "normal"
    return f"all {len(y)} test images are {what}, and two classes are needed"


def auroc(labels: npt.ArrayLike, scores: npt.ArrayLike, *, resamples: Resamples | None = None) -> Figure:
    """Return the area under the receiver operating characteristic: how often an abnormal image is above a normal one.

    Ties count half. No value, and the reason, with one class alone.

    Raises:
        InputError: as for :func:`checked`.

    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value
    0.75
    """
    y, s = checked(labels, scores)
    if reason := one_class(y):
        return Figure(None, reason=reason)
    low, high = (None, None) if resamples is None else resamples.interval(weighted_auroc(y, s))
    return Figure(float(roc_auc_score(y, s)), low, high)


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike, *, resamples: Resamples | None = None) -> Figure:
    """Return the average precision. Chance is the prevalence of the test set: report it beside.

    Raises:
        InputError: as for :func:`checked`.
    """
    y, s = checked(labels, scores)
    if reason := one_class(y):
        return Figure(None, reason=reason)
    low, high = (None, None) if resamples is None else resamples.interval(weighted_average_precision(y, s))
    return Figure(float(average_precision_score(y, s)), low, high)


def share_above(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    threshold: float,
    *,
    label: int,
    resamples: Resamples | None = None,
) -> Figure:
    """Return the share of the images with this label whose score is above the threshold.

    For ``label`` 1 the sensitivity; for 0 one minus the specificity.

    Raises:
        InputError: as for :func:`checked`.
    """
    y, s = checked(labels, scores)
    chosen, above = (y == label).astype(np.float64), (s > threshold).astype(np.float64)
    if not chosen.any():
        return Figure(None, reason=f"no test image is {'abnormal' if label else 'normal'}")

    def statistic(weights: Array) -> Array:
        drawn_of(weights, len(s))
        with np.errstate(invalid="ignore"):
            found: Array = (weights @ (chosen * above)) / (weights @ chosen)
        return found

    low, high = (None, None) if resamples is None else resamples.interval(statistic)
    return Figure(float(above[y == label].mean()), low, high)


def mean_auroc(labels: npt.ArrayLike, scores: npt.ArrayLike, *, resamples: Resamples | None = None) -> Figure:
    """Return the mean of the AUROCs of several trainings on the same images.

    The interval says what other groups of images would change, and other trainings: both are drawn with replacement.
    Of one training it says nothing of others.

    Args:
        labels: of the images ``[n]``.
        scores: ``[seeds, n]``.
        resamples: of the images' groups.

    Raises:
        InputError: as for :func:`checked`.
    """
    y = np.asarray(labels)
    if reason := one_class(y):
        return Figure(None, reason=reason)
    singles = _aurocs(labels, scores)
    value = _mean_of(singles, len(y))
    if resamples is None or resamples.groups < 2:
        return Figure(value)
    return Figure(value, *interval_of(resamples.mean_values(singles)))


def paired_difference(
    labels: npt.ArrayLike, one: npt.ArrayLike, other: npt.ArrayLike, *, resamples: Resamples
) -> Difference:
    """Return how much higher the AUROC of ``one`` is than that of ``other`` on the same images.

    Of several trainings on a side these are drawn with replacement as well, in pairs where there are as many on both,
    else each side for itself: or a difference between two losses would be shown where it is one between lucky and
    unlucky seeds.

    Args:
        labels: of the images ``[n]``.
        one: scores ``[n]``, or ``[seeds, n]`` of several trainings: the mean of their AUROCs is compared.
        other: as ``one``; may be of another number of trainings. As many are paired in order: put them by seed.
        resamples: of the images' groups; both sides see the same draws.

    Raises:
        InputError: as for :func:`checked`.
    """
    y = np.asarray(labels)
    if reason := one_class(y):
        return Difference(None, reason=reason)
    first, second = _aurocs(labels, one), _aurocs(labels, other)
    value = _mean_of(first, len(y)) - _mean_of(second, len(y))
    if resamples.groups < 2:
        return _difference(value, np.array([]), resamples.groups)
    others = resamples.mean_values(second, apart=len(first) != len(second))
    return _difference(value, resamples.mean_values(first) - others, resamples.groups)


def difference_of(first: Statistic, second: Statistic, *, count: int, resamples: Resamples) -> Difference:
    """Return how much higher one statistic of ``count`` images is than another, over the same draws of their groups."""

    def statistic(weights: Array) -> Array:
        return first(weights) - second(weights)

    value = float(statistic(np.ones((1, count)))[0])
    drawn = resamples.values(statistic) if resamples.groups > 1 else np.array([])
    return _difference(value, drawn, resamples.groups)


def _difference(value: float, drawn: Array, groups: int) -> Difference:
    """Return a difference with what its draws say."""
    if groups < 2:
        return Difference(value, reason="an interval needs at least 2 groups")
    drawn = drawn[np.isfinite(drawn)]
    low, high = interval_of(drawn)
    if groups < FEW_GROUPS:
        return Difference(value, low, high, reason=f"a p-value needs at least {FEW_GROUPS} groups, there are {groups}")
    # the draw that was made counts as one, so that no p-value is 0
    tails = [(1 + np.count_nonzero(side)) / (1 + len(drawn)) for side in (drawn <= 0, drawn >= 0)]
    return Difference(value, low, high, min(1.0, 2 * float(min(tails))))


def _aurocs(labels: npt.ArrayLike, scores: npt.ArrayLike) -> list[Statistic]:
    """Return the AUROC of each training as a function of the images' weights."""
    return [weighted_auroc(*checked(labels, row)) for row in np.atleast_2d(np.asarray(scores))]


def _mean_of(singles: Sequence[Statistic], count: int) -> float:
    return float(np.mean([single(np.ones((1, count)))[0] for single in singles]))


def checked(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], Array]:
    """Return both as arrays ``[n]``.

    Raises:
        InputError: another shape, no image, labels other than 0 and 1, scores that are not finite.
    """
    y, s = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if y.ndim != 1 or y.shape != s.shape or not len(y):
        raise InputError(f"labels and scores must have one shape [n], got {list(y.shape)} and {list(s.shape)}")
    if not np.isin(y, (0, 1)).all():
        raise InputError(f"labels must be 0 (normal) or 1 (abnormal), got {y[~np.isin(y, (0, 1))][0]}")
    if not np.isfinite(s).all():
        raise InputError(f"scores must be finite, got {np.count_nonzero(~np.isfinite(s))} of {len(s)} that are not")
    return y.astype(np.int64), s


def drawn_of(weights: Array, count: int) -> None:
    """Check that weights ``[b, n]`` are of so many images.

    Raises:
        InputError: they are of others.
    """
    if weights.shape[1] != count:
        raise InputError(f"draws must be of the {count} images that are scored, got those of {weights.shape[1]}")


def counted(labels: npt.NDArray[np.int64], scores: Array) -> Callable[[Array], tuple[Array, Array]]:
    """Return what counts hits and false alarms at every threshold, from the highest, for weights of the images.

    Weights ``[b, n]`` to two arrays ``[b, t]`` of the t different scores: the weight of the abnormal, and of the normal
    images at or above each.
    """
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    abnormal = labels[order] == 1

    def count(weights: Array) -> tuple[Array, Array]:
        drawn_of(weights, len(scores))
        ranked = weights[:, order]
        hits, alarms = (np.add.reduceat(ranked * side, starts, axis=1) for side in (abnormal, ~abnormal))
        return np.cumsum(hits, axis=1), np.cumsum(alarms, axis=1)

    return count


def weighted_auroc(labels: npt.NDArray[np.int64], scores: Array) -> Statistic:
    """Return the AUROC as a function of the images' weights."""
    count = counted(labels, scores)

    def statistic(weights: Array) -> Array:
        hits, alarms = count(weights)
        new = np.diff(hits, axis=1, prepend=0.0)
        below = alarms[:, -1:] - alarms + np.diff(alarms, axis=1, prepend=0.0) / 2
        with np.errstate(invalid="ignore"):
            found: Array = (new * below).sum(axis=1) / (hits[:, -1] * alarms[:, -1])
        return found

    return statistic


def weighted_average_precision(labels: npt.NDArray[np.int64], scores: Array) -> Statistic:
    """Return the average precision as a function of the images' weights."""
    count = counted(labels, scores)

    def statistic(weights: Array) -> Array:
        hits, alarms = count(weights)
        new = np.diff(hits, axis=1, prepend=0.0)
        with np.errstate(invalid="ignore"):
            precision = np.where(new > 0, hits / (hits + alarms), 0.0)
            found = (new * precision).sum(axis=1) / hits[:, -1]
        # without any normal image every order is perfect: that says nothing
        return np.where(alarms[:, -1] > 0, found, np.nan)

    return statistic
