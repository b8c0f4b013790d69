from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from ganetics._check import InputError
from ganetics._random import numpy_generator
from ganetics.metrics.detection import Resamples
from ganetics.metrics.localisation import LIMIT, pixel_auroc, region_overlap


def scene(count: int = 6, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Masks with a large and a small region each but the last, and maps that see them through noise."""
    random = np.random.default_rng(seed)
    masks, maps = [], []
    for i in range(count):
        mask = np.zeros((16, 20), dtype=bool)
        if i < count - 1:
            mask[2:9, 3 : 8 + i] = True
            mask[12, 15] = mask[13, 16] = True  # touch at a corner: one region
        masks.append(mask)
        maps.append(np.round(random.normal(size=mask.shape) + 1.5 * mask, 1))  # rounded: with ties
    return masks, maps


def overlap_by_hand(masks: list[np.ndarray], maps: list[np.ndarray], limit: float) -> float:
    """As the evaluation code of MVTec AD defines it: every threshold, every region."""
    normal = np.concatenate([values[~mask] for mask, values in zip(masks, maps, strict=True)])
    regions = []
    for mask, values in zip(masks, maps, strict=True):
        numbers, count = ndimage.label(mask, structure=np.ones((3, 3)))
        regions += [values[numbers == i + 1] for i in range(count)]
    xs, ys = [0.0], [0.0]
    for threshold in np.unique(np.concatenate(maps))[::-1]:
        xs.append(float((normal >= threshold).mean()))
        ys.append(float(np.mean([(region >= threshold).mean() for region in regions])))
    fine = np.linspace(0, limit, 200_001)
    return float(np.trapezoid(np.interp(fine, xs, ys), fine) / limit)


def test_region_overlap_is_its_definition() -> None:
    masks, maps = scene()
    assert region_overlap(masks, maps).value == pytest.approx(overlap_by_hand(masks, maps, LIMIT), abs=1e-6)
    assert region_overlap(masks, maps, limit=0.05).value == pytest.approx(overlap_by_hand(masks, maps, 0.05), abs=1e-5)


def test_best_and_useless_maps() -> None:
    masks, _ = scene()
    assert region_overlap(masks, [mask.astype(float) for mask in masks]).value == pytest.approx(1.0)
    constant = [np.zeros(mask.shape) for mask in masks]
    assert region_overlap(masks, constant).value == pytest.approx(LIMIT / 2)
    assert pixel_auroc(masks, constant).value == pytest.approx(0.5)


def test_a_small_region_counts_as_much_as_a_large_one() -> None:
    masks, _ = scene()
    large_only = [mask & (np.arange(16)[:, None] < 10) for mask in masks]
    found = region_overlap(masks, [mask.astype(float) for mask in large_only]).value
    assert found == pytest.approx(0.5 + 0.5 * LIMIT / 2, abs=1e-3)


def test_intervals_are_of_groups_of_images() -> None:
    masks, maps = scene(9)
    groups = [f"g{i // 3}" for i in range(9)]
    resamples = Resamples(groups, generator=numpy_generator(0, "bootstrap"), resamples=100)
    areas, overlaps = [], []
    for counts in resamples.counts:
        chosen = [i for i in range(9) for _ in range(counts[i // 3])]
        kept, seen = [masks[i] for i in chosen], [maps[i] for i in chosen]
        areas.append(roc_auc_score(np.concatenate(kept).ravel(), np.concatenate(seen).ravel()))
        overlaps.append(region_overlap(kept, seen).value)
    for found, values in (
        (pixel_auroc(masks, maps, resamples=resamples), areas),
        (region_overlap(masks, maps, resamples=resamples), overlaps),
    ):
        assert found.low <= found.value <= found.high  # type: ignore[operator]
        assert [found.low, found.high] == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=2e-3)


def test_one_kind_of_pixel_has_no_value() -> None:
    _, maps = scene(2)
    for fill, reason in ((False, "no pixel is abnormal"), (True, "no pixel is normal")):
        masks = [np.full((16, 20), fill)] * 2
        for figure in (pixel_auroc, region_overlap):
            assert (figure(masks, maps).value, figure(masks, maps).reason) == (None, reason)


@pytest.mark.parametrize(
    ("masks", "maps", "message"),
    [
        ([np.zeros((2, 2), bool)], [], "there must be as many masks as maps, and at least one, got 1 and 0"),
        (
            [np.zeros((2, 2), bool)],
            [np.zeros((2, 3))],
            r"masks and maps must have one shape \[h, w\], got \[2, 2\] and \[2, 3\] at 0",
        ),
        ([np.zeros((1, 1), bool)], [[[np.inf]]], "maps must be finite, that at 0 is not"),
    ],
)
def test_what_does_not_fit_is_refused(masks: list[np.ndarray], maps: list[np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        pixel_auroc(masks, maps)


def test_draws_without_an_abnormal_image_count_for_nothing() -> None:
    mask = np.zeros((8, 8), dtype=bool)
    mask[:4] = True
    two = [mask, np.zeros((8, 8), dtype=bool)]
    resamples = Resamples(["a", "b"], generator=numpy_generator(0, "bootstrap"), resamples=100)
    assert (resamples.counts[:, 0] == 0).any()
    for figure in (pixel_auroc, region_overlap):
        found = figure(two, [one.astype(float) for one in two], resamples=resamples)
        assert [found.low, found.high] == pytest.approx([1.0, 1.0])
