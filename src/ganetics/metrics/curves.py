"""Receiver operating and precision-recall curves with bands, for pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import precision_recall_curve, roc_curve

from ganetics.metrics.detection import CONFIDENCE, Array, Resamples, checked, counted, one_class

PLACES = np.linspace(0.0, 1.0, 101)
"""Where a band is given."""


@dataclass(frozen=True)
class Curve:
    """A curve, and its pointwise 95 % band at :data:`PLACES`; no band with fewer than two groups."""

    xs: Array
    ys: Array
    lows: Array | None
    highs: Array | None


def roc(labels: npt.ArrayLike, scores: npt.ArrayLike, *, resamples: Resamples) -> Curve | None:
    """Return sensitivity over one minus specificity; None with one class alone.

    Raises:
        InputError: as for :func:`ganetics.metrics.detection.checked`.
    """
    y, s = checked(labels, scores)
    if one_class(y):
        return None
    xs, ys, _ = roc_curve(y, s)

    def at_places(hits: Array, alarms: Array) -> Array:
        return np.asarray(np.interp(PLACES, [0.0, *alarms / alarms[-1]], [0.0, *hits / hits[-1]]))

    return Curve(xs, ys, *_band(y, s, resamples, at_places))


def precision_recall(labels: npt.ArrayLike, scores: npt.ArrayLike, *, resamples: Resamples) -> Curve | None:
    """Return precision over rising recall; None with one class alone. A step, since a line between two flatters.

    Raises:
        InputError: as for :func:`ganetics.metrics.detection.checked`.
    """
    y, s = checked(labels, scores)
    if one_class(y):
        return None
    precision, recall, _ = precision_recall_curve(y, s)

    def at_places(hits: Array, alarms: Array) -> Array:
        # of the first threshold that reaches the recall; one of which nothing was drawn is none
        made = hits + alarms > 0
        hits, alarms = hits[made], alarms[made]
        reached = np.searchsorted(hits / hits[-1], PLACES - 1e-12)
        return np.asarray((hits / (hits + alarms))[reached])

    return Curve(recall[::-1], precision[::-1], *_band(y, s, resamples, at_places))


def _band(
    labels: npt.NDArray[np.int64], scores: Array, resamples: Resamples, at_places: Callable[[Array, Array], Array]
) -> tuple[Array | None, Array | None]:
    count = counted(labels, scores)

    def statistic(weights: Array) -> Array:
        rows = zip(*count(weights), strict=True)
        nothing = np.full(len(PLACES), np.nan)
        return np.stack([at_places(hits, alarms) if hits[-1] * alarms[-1] else nothing for hits, alarms in rows])

    if resamples.groups < 2:
        return None, None
    drawn = resamples.values(statistic)
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    if not len(drawn):
        return None, None
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return low, high
