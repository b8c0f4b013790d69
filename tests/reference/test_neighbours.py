"""Precision, recall, density, coverage and copies against their definitions, sample by sample; equal exactly."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics._check import InputError
from ganetics.metrics import NeighbourhoodScores, copy_rate, neighbourhood_scores

Array = npt.NDArray[np.float64]


def radius(sample: int, samples: Array, k: int) -> float:
    """Distance to the k-th nearest of the others."""
    return sorted(math.dist(samples[sample], other) for i, other in enumerate(samples) if i != sample)[k - 1]


def by_definition(real: Array, fake: Array, k: int) -> NeighbourhoodScores:
    real_balls = [(centre, radius(i, real, k)) for i, centre in enumerate(real)]
    fake_balls = [(centre, radius(i, fake, k)) for i, centre in enumerate(fake)]

    def in_some(sample: Array, balls: list[tuple[Array, float]]) -> bool:
        return any(math.dist(sample, centre) <= reach for centre, reach in balls)

    return NeighbourhoodScores(
        # Kynkäänniemi et al. 2019 (arXiv 1904.06991), equations 1 to 3
        precision=sum(in_some(sample, real_balls) for sample in fake) / len(fake),
        recall=sum(in_some(sample, fake_balls) for sample in real) / len(real),
        # Naeem et al. 2020 (arXiv 2002.09797), equations 3 and 4
        density=sum(math.dist(f, c) <= reach for f in fake for c, reach in real_balls) / (k * len(fake)),
        coverage=sum(any(math.dist(f, c) <= reach for f in fake) for c, reach in real_balls) / len(real),
    )


def assert_equal(found: NeighbourhoodScores, expected: NeighbourhoodScores) -> None:
    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-12), name


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("n", "m", "shift"), [(60, 40, 0.0), (25, 50, 0.8), (30, 30, 2.0)])
def test_scores_of_random_features(n: int, m: int, shift: float, k: int) -> None:
    rng = np.random.default_rng(n)
    real, fake = rng.normal(size=(n, 3)), rng.normal(shift, 1.3, (m, 3))
    expected = by_definition(real, fake, k)
    assert 0 < expected.precision < 1 or shift != 0.8
    assert_equal(neighbourhood_scores(real, fake, k=k), expected)


Points = list[tuple[int, int]]
GRID = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=4, max_size=20)


@given(real=GRID, fake=GRID, k=st.integers(1, 3))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_scores_with_ties_and_repeated_samples(real: Points, fake: Points, k: int) -> None:
    x, y = np.array(real, dtype=np.float64), np.array(fake, dtype=np.float64)
    assert_equal(neighbourhood_scores(x, y, k=k), by_definition(x, y, k))


@given(train=GRID, held_out=GRID, fake=GRID)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_copies(train: Points, held_out: Points, fake: Points) -> None:
    others = [h for h in held_out if h not in train]
    arrays = [np.array(samples, dtype=np.float64) for samples in (train, held_out, fake)]
    if not others:
        with pytest.raises(InputError, match="got all"):
            copy_rate(*arrays)
        return
    threshold = min(math.dist(h, t) for h in others for t in train)
    copies = [min(math.dist(f, t) for t in train) < threshold for f in fake]
    found = copy_rate(*arrays)
    assert found.held_out_in_train == len(held_out) - len(others)
    assert found.threshold == pytest.approx(threshold)
    assert found.rate == pytest.approx(sum(copies) / len(copies))
