from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics._check import InputError
from ganetics.data.splits import SHARES, Indices, split_indices

FIXED = settings(max_examples=100, deadline=None, derandomize=True)
CLASSES = st.lists(st.integers(0, 6), min_size=30, max_size=400)


def assert_partition(parts: dict[str, Indices], count: int) -> None:
    assert list(parts) == list(SHARES)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(count))
    for part in parts.values():
        assert len(part) > 0
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()


@given(classes=CLASSES)
@FIXED
def test_every_class_is_split_in_the_same_shares(classes: list[int]) -> None:
    parts = split_indices(classes)
    assert_partition(parts, len(classes))
    for name, share in SHARES.items():
        assert abs(len(parts[name]) - share * len(classes)) < 2
    # as a reference needs, also where as many images as may be cannot be read
    assert len(parts["validation"]) - max(1, int(0.05 * len(classes))) >= 4
    for name, share in SHARES.items():
        for label, count in Counter(classes).items():
            found = sum(classes[i] == label for i in parts[name])
            assert abs(found - share * count) < 2


@given(sizes=st.lists(st.integers(1, 40), min_size=3, max_size=60).filter(lambda sizes: sum(sizes) >= 30))
@FIXED
def test_a_group_is_in_one_split_and_none_is_empty(sizes: list[int]) -> None:
    groups = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
    groups = [groups[i] for i in np.random.default_rng(len(groups)).permutation(len(groups))]
    parts = split_indices([0] * len(groups), groups)
    assert_partition(parts, len(groups))
    found = [{groups[i] for i in part} for part in parts.values()]
    assert sum(map(len, found)) == len(sizes)
    for name, share in SHARES.items():
        assert abs(len(parts[name]) - share * len(groups)) <= 2 * max(sizes)


def test_groups_of_very_different_size_are_all_used() -> None:
    groups = ["a"] * 100 + ["b", "c"]
    assert {name: len(part) for name, part in split_indices([0] * 102, groups).items()} == {
        "train": 100,
        "validation": 1,
        "test": 1,
    }


def test_small_classes_leave_no_split_empty() -> None:
    parts = split_indices([*range(15), *range(15)])
    assert {name: len(part) for name, part in parts.items()} == {"train": 21, "validation": 5, "test": 4}


def test_large_sets_have_the_shares_exactly() -> None:
    assert [len(part) for part in split_indices([0] * 2000 + [1] * 1000).values()] == [2100, 450, 450]
    groups = [str(i // 20) for i in range(3000)]
    assert [len(part) for part in split_indices([0] * 3000, groups).values()] == [2100, 460, 440]


def test_the_split_is_pinned() -> None:
    """Another one would make old figures on folders incomparable."""
    parts = split_indices([0, 1] * 15)
    assert parts["validation"].tolist() == [8, 9, 25, 28, 29]
    assert parts["test"].tolist() == [5, 10, 15, 18]


def test_too_few_are_refused() -> None:
    with pytest.raises(InputError, match="must be at least 30 images to split, got 29"):
        split_indices([0] * 29)
    with pytest.raises(InputError, match="must be at least 3 groups to split, got 2"):
        split_indices([0] * 30, ["a", "b"] * 15)
