from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ganetics.data import load

PINNED = {
    "train": (1197, "9ba0be5ba2e2130834a39975105a1a6eb227a319b9135ceb62d98fe4071f8d9a"),
    "validation": (300, "1c4e624fe4f6e3089fa208d8d5bb3a606fece36616cee13ad73b87197a78c3d3"),
    "test": (300, "4d58b8c3167c28a45f644e24e54a5a693c2a58f076601cb3c498080f51d15286"),
    "all": (1797, "b8f6054dededc0561caea7e2402289755ead4f49b648b87acc8aa0c9f0e3d73a"),
}
"""Images, and the hash of their bytes: another partition would make old figures incomparable."""


@pytest.mark.parametrize("split", PINNED)
def test_splits_are_pinned(split: str) -> None:
    found = load("digits", split=split)
    identity = found.identity
    assert (identity.count, identity.sha256) == PINNED[split]
    assert (identity.name, identity.split) == ("digits", split)
    assert list(found.images.shape) == [identity.count, identity.channels, identity.height, identity.width]
    assert found.skipped == ()


def test_all_are_scikit_learns_over_the_full_range() -> None:
    found, source = load("digits", split="all"), load_digits()
    assert found.labels is not None
    np.testing.assert_array_equal(found.labels.numpy(), source.target)
    np.testing.assert_array_equal(found.images[:, 0].numpy(), np.rint(source.images * 255 / 16))
    assert (found.images.min(), found.images.max()) == (0, 255)


def test_the_splits_are_a_partition() -> None:
    def rows(split: str) -> list[tuple[bytes, int]]:
        found = load("digits", split=split)
        assert found.labels is not None
        return [(i.numpy().tobytes(), int(label)) for i, label in zip(found.images, found.labels, strict=True)]

    assert sorted(rows("train") + rows("validation") + rows("test")) == sorted(rows("all"))
