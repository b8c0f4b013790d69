"""How well maps show where an image is abnormal, pixel by pixel; intervals by resampling groups of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from ganetics._check import InputError
from ganetics.metrics.detection import Array, Figure, Resamples, interval_of

Masks = Sequence[npt.NDArray[np.bool_]]
LIMIT = 0.3
"""Share of the normal pixels up to which the overlap is integrated (Bergmann et al. 2021)."""
BINS = 2000
"""Different values that intervals tell apart; figures themselves are exact."""


def pixel_auroc(masks: Masks, maps: Sequence[npt.ArrayLike], *, resamples: Resamples | None = None) -> Figure:
    """Return the AUROC of the pixels of all images.

    Args:
        masks: ``[h, w]`` of each image, true where it is abnormal.
        maps: ``[h, w]`` of each image, higher is more abnormal.
        resamples: of the images' groups.

    Raises:
        InputError: another number or shape, or maps that are not finite.
    """
    values = _checked(masks, maps)
    if reason := _one_kind(masks):
        return Figure(None, reason=reason)
    value = roc_auc_score(np.concatenate([mask.ravel() for mask in masks]), np.concatenate(values))
    if resamples is None or resamples.groups < 2:
        return Figure(float(value))
    bins = _bins(values)
    found = [
        _histogram(resamples, [where(mask) for mask in masks], bins) for where in (_abnormal_pixels, _normal_pixels)
    ]

    def area(hits: Array, alarms: Array) -> Array:
        before = np.cumsum(hits, axis=1) - hits / 2
        with np.errstate(invalid="ignore"):
            total: Array = (alarms * before).sum(axis=1) / (hits.sum(axis=1) * alarms.sum(axis=1))
        return total

    drawn = area(*(resamples.counts @ part for part in found))
    return Figure(float(value), *interval_of(drawn))


def region_overlap(
    masks: Masks, maps: Sequence[npt.ArrayLike], *, limit: float = LIMIT, resamples: Resamples | None = None
) -> Figure:
    """Return the per-region overlap: the area under the curve of the mean share of each region that is found, over the
    share of normal pixels that are flagged, up to ``limit``, of 1 for a perfect map.

    Each region, large or small, counts the same. Regions are what hangs together in a mask, corners included.
    Source: Bergmann et al. 2021 (Int. J. Comput. Vis. 129, 1038 to 1059), section 5.3. Chance is ``limit`` / 2.

    Raises:
        InputError: as for :func:`pixel_auroc`.
    """
    values = _checked(masks, maps)
    if reason := _one_kind(masks):
        return Figure(None, reason=reason)
    overlap, alarms = [_region_pixels(mask) for mask in masks], [_normal_pixels(mask) for mask in masks]
    every = np.concatenate(values)
    order = np.argsort(-every, kind="stable")
    last = np.flatnonzero(np.diff(every[order], append=-np.inf))  # of each value
    found, flagged = (np.cumsum(np.concatenate(part)[order])[last][None] for part in (overlap, alarms))
    value = float(_area_up_to(found, flagged, limit)[0])
    if resamples is None or resamples.groups < 2:
        return Figure(value)
    bins, counts = _bins(values), resamples.counts
    found, flagged = (np.cumsum(counts @ _histogram(resamples, part, bins), axis=1) for part in (overlap, alarms))
    return Figure(value, *interval_of(_area_up_to(found, flagged, limit)))


def _area_up_to(overlap: Array, alarms: Array, limit: float) -> Array:
    """Return the areas ``[b]`` under curves given by their cumulated, not yet normalised values ``[b, t]``."""
    areas = np.full(len(overlap), np.nan)
    for row, (found, flagged) in enumerate(zip(overlap, alarms, strict=True)):
        if found[-1] > 0 and flagged[-1] > 0:
            xs, ys = np.concatenate([[0.0], flagged / flagged[-1]]), np.concatenate([[0.0], found / found[-1]])
            inside = xs < limit
            end = np.interp(limit, xs, ys)
            areas[row] = np.trapezoid([*ys[inside], end], [*xs[inside], limit]) / limit
    return areas


def _checked(masks: Masks, maps: Sequence[npt.ArrayLike]) -> list[Array]:
    """Return the values of each map, flat."""
    arrays = [np.asarray(one, dtype=np.float64) for one in maps]
    if not arrays or len(masks) != len(arrays):
        raise InputError(f"there must be as many masks as maps, and at least one, got {len(masks)} and {len(arrays)}")
    for place, (mask, values) in enumerate(zip(masks, arrays, strict=True)):
        if mask.shape != values.shape or mask.ndim != 2:
            raise InputError(
                f"masks and maps must have one shape [h, w], got {list(mask.shape)} and {list(values.shape)} at {place}"
            )
        if not np.isfinite(values).all():
            raise InputError(f"maps must be finite, that at {place} is not")
    return [values.ravel() for values in arrays]


def _one_kind(masks: Masks) -> str:
    if not any(mask.any() for mask in masks):
        return "no pixel is abnormal"
    return "no pixel is normal" if all(mask.all() for mask in masks) else ""


def _bins(values: Sequence[Array]) -> list[npt.NDArray[np.int64]]:
    """Return the bin of each pixel, 0 for the highest values; all bins hold about as many pixels."""
    every = np.concatenate(values)
    edges = np.unique(np.quantile(every, np.linspace(0.0, 1.0, BINS + 1)[1:-1]))
    return [len(edges) - np.searchsorted(edges, one, side="right") for one in values]


def _histogram(resamples: Resamples, weights: Sequence[Array], bins: Sequence[npt.NDArray[np.int64]]) -> Array:
    """Return ``[groups, bins]``: the sum of the weights of the pixels of each group in each bin."""
    if len(weights) != len(resamples.index):
        raise InputError(f"groups must be those of the {len(weights)} images, got {len(resamples.index)}")
    found = np.zeros((resamples.groups, BINS))
    for group, each, place in zip(resamples.index, weights, bins, strict=True):
        found[group] += np.bincount(place, each, minlength=BINS)
    return found


def _abnormal_pixels(mask: npt.NDArray[np.bool_]) -> Array:
    return mask.ravel().astype(np.float64)


def _normal_pixels(mask: npt.NDArray[np.bool_]) -> Array:
    return (~mask.ravel()).astype(np.float64)


def _region_pixels(mask: npt.NDArray[np.bool_]) -> Array:
    """Return the weight of each pixel: one over the size of its region, 0 outside of all."""
    regions, count = ndimage.label(mask, structure=np.ones((3, 3), dtype=np.int64))
    sizes = np.bincount(regions.ravel(), minlength=count + 1).astype(np.float64)
    weight = np.divide(1.0, sizes, where=sizes > 0, out=np.zeros_like(sizes))
    weight[0] = 0.0
    return np.asarray(weight[regions.ravel()])
