from __future__ import annotations

import numpy as np
import pytest

from ganetics._check import InputError
from ganetics.metrics import NeighbourhoodScores, neighbourhood_scores
from ganetics.metrics import neighbours as module


def normal(n: int, d: int, seed: int, *, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (n, d))


def test_equal_distributions_score_high_and_distant_ones_nothing() -> None:
    x = normal(1000, 5, 0)
    same = neighbourhood_scores(x, normal(1000, 5, 1))
    assert min(same.precision, same.recall, same.coverage) > 0.85
    assert same.density == pytest.approx(1, abs=0.1)
    assert neighbourhood_scores(x, normal(1000, 5, 1, shift=50)) == NeighbourhoodScores(0, 0, 0, 0)


def test_each_score_sees_its_own_fault() -> None:
    x = normal(1000, 5, 0)
    good = neighbourhood_scores(x, normal(1000, 5, 1))
    narrow = neighbourhood_scores(x, normal(1000, 5, 1, scale=0.3))  # all plausible, most of the variety missing
    assert narrow.precision > 0.99
    assert narrow.density > 1.1
    assert narrow.recall < 0.3
    assert narrow.coverage < 0.6 * good.coverage
    wide = neighbourhood_scores(x, normal(1000, 5, 1, scale=3))  # all there, most of it implausible
    assert wide.precision < 0.4
    assert wide.recall > 0.9


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = (np.rint(normal(101, 3, seed, scale=4)) for seed in (0, 1))  # whole numbers: no rounding anywhere
    whole = neighbourhood_scores(x, y, k=3)
    monkeypatch.setattr(module, "BLOCK", 7)
    assert neighbourhood_scores(x, y, k=3) == whole


@pytest.mark.parametrize(
    ("real", "fake", "k", "message"),
    [
        (normal(9, 2, 0), normal(9, 3, 0), 2, "features must have one dimension, got 2 and 3"),
        (normal(5, 2, 0), normal(9, 2, 0), 5, "real features must have at least 6 rows, got 5"),
        (normal(9, 2, 0), normal(2, 2, 0), 2, "fake features must have at least 3 rows, got 2"),
        (normal(9, 2, 0), normal(9, 2, 0), 0, "k must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(real: np.ndarray, fake: np.ndarray, k: int, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        neighbourhood_scores(real, fake, k=k)
