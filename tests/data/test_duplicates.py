from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics.data.duplicates import ALIKE, MOST_BITS, SAME, _bands, _keys, _order, alike_pairs, equal_sets

Values = npt.NDArray[Any]


def test_equal_images_are_put_together() -> None:
    assert equal_sets(np.array([b"b", b"a", b"c", b"b", b"a", b"b"])) == [[0, 3, 5], [1, 4]]
    assert equal_sets(np.array([b"b", b"a"])) == []
    assert equal_sets(np.zeros(0, "S4")) == []


def turned(thumbnail: Values, view: int) -> Values:
    """Return a thumbnail as the hash of this number sees it: turned about its diagonal, upside down, left to right."""
    found = np.swapaxes(thumbnail, 0, 1) if view >= 4 else thumbnail
    found = np.flipud(found) if view % 4 >= 2 else found
    return np.fliplr(found) if view % 2 else found


def by_comparing_all(hashes: Values, thumbnails: Values) -> dict[tuple[int, int], float]:
    common = thumbnails.astype(float).mean(axis=0)
    found: dict[tuple[int, int], float] = {}
    for i in range(len(hashes)):
        for j in range(i + 1, len(hashes)):
            for view in range(8):
                if int(hashes[i, view] ^ hashes[j, 0]).bit_count() > MOST_BITS:
                    continue
                a, b = turned(thumbnails[i].astype(float), view), thumbnails[j].astype(float)
                same = np.sqrt(((a - b) ** 2).mean()) <= SAME
                value = 1.0 if same else float(np.corrcoef((a - common).ravel(), (b - common).ravel())[0, 1])
                if value >= ALIKE:
                    found[i, j] = max(found.get((i, j), 0.0), value)
    return found


def planted(seed: int, count: int = 60) -> tuple[Values, Values]:
    """Return hashes and thumbnails of which some are near to others, in all eight ways; much is common to all."""
    random = np.random.default_rng(seed)
    hashes = random.integers(0, 2**63, (count, 8), dtype=np.uint64) & np.uint64(0x00FFFF00FF0FF0FF)
    thumbnails = random.integers(0, 256, (count, 16, 16, 3)).astype(np.uint8)
    thumbnails[:, :8] = 40
    for target in range(1, count, 2):
        source, view = int(random.integers(0, target)), int(random.integers(0, 8))
        value = hashes[source, view]
        for bit in random.choice(64, int(random.integers(0, 7)), replace=False):
            value ^= np.uint64(1) << np.uint64(bit)
        hashes[target, 0] = value
        noise = random.normal(0, float(random.choice([0.5, 10, 25, 40])), (16, 16, 3))
        thumbnails[target] = np.clip(turned(thumbnails[source], view) + noise, 0, 255).astype(np.uint8)
    return hashes, thumbnails


@pytest.mark.parametrize("seed", range(4))
def test_all_pairs_are_found_that_comparing_all_with_all_finds(seed: int) -> None:
    hashes, thumbnails = planted(seed)
    expected = by_comparing_all(hashes, thumbnails)
    assert len(expected) >= 8  # it is not empty what they agree on
    pairs, values = alike_pairs(hashes, thumbnails)
    found = {(int(a), int(b)): float(value) for (a, b), value in zip(pairs, values, strict=True)}
    assert found == pytest.approx(expected, abs=1e-4)
    assert (np.diff(values) <= 0).all()


@given(
    value=st.integers(0, 2**64 - 1),
    flipped=st.sets(st.integers(0, 63), max_size=MOST_BITS),
    others=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_hashes_as_near_as_may_be_share_a_band(value: int, flipped: set[int], others: list[int]) -> None:
    near = value ^ sum(1 << bit for bit in flipped)
    bands = _bands(np.array(others, dtype=np.uint64))
    assert sorted(np.concatenate(bands).tolist()) == list(range(64))
    keys = [_keys(np.array([value, near], dtype=np.uint64), band) for band in bands]
    assert any(first == second for first, second in keys)


def test_bits_that_are_the_same_in_all_images_are_dealt_to_all_bands() -> None:
    """Else one band would be the dark border of all photographs, and everything would be compared with everything."""
    hashes = np.random.default_rng(0).integers(0, 2**32, 500, dtype=np.uint64)  # the upper half is zero
    constant = [int((band >= 32).sum()) for band in _bands(hashes)]
    assert max(constant) - min(constant) <= 1


def test_views_of_a_thumbnail_are_those_of_the_hashes() -> None:
    thumbnail = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    for view in range(8):
        np.testing.assert_array_equal(thumbnail.ravel()[_order(view)], turned(thumbnail, view).ravel())


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_images_are_no_special_case(count: int) -> None:
    hashes, thumbnails = np.zeros((count, 8), np.uint64), np.full((count, 16, 16, 3), 7, np.uint8)
    pairs, values = alike_pairs(hashes, thumbnails)
    assert pairs.shape == (count // 2, 2)
    assert values.tolist() == [1.0] * (count // 2)
