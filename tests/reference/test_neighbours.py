"""Precision, recall, density, coverage and copies against their definitions, sample by sample; equal exactly."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics._check import InputError
from ganetics.metrics import NeighbourhoodScores, known, look, neighbourhood_scores

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


def mirrored(points: Points) -> Points:
    return [(-x, y) for x, y in points]


def distance(one: tuple[int, int], other: tuple[int, int]) -> float:
    return min(math.dist(one, other), math.dist(mirrored([one])[0], other))


def by_rule(sample: tuple[int, int], train: Points, groups: list[str], own: str | None) -> tuple[float, float]:
    """Distance to the nearest training sample, and its ratio to that of the next one of another group; 0 for itself."""
    near = sorted((distance(sample, t), i) for i, t in enumerate(train) if groups[i] != own)
    first, row = near[0]
    second = next(d for d, i in near if groups[i] != groups[row])
    return first, 0.0 if first <= 1e-5 * math.dist(sample, (0, 0)) else first / second


@given(train=GRID, samples=GRID, patients=st.integers(1, 6))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_copies(train: Points, samples: Points, patients: int) -> None:
    """The rule of ganetics.metrics.copies, with points that are also seen mirrored at the y axis."""
    given_groups = [str(i % patients) for i in range(len(train))]
    groups = given_groups if len(set(given_groups)) >= 3 else [str(i) for i in range(len(train))]
    versions = [np.array(points, dtype=np.float64) for points in (train, mirrored(train))]
    own = [by_rule(t, train, groups, g) for t, g in zip(train, groups, strict=True)]
    if not any(ratio for _, ratio in own):
        with pytest.raises(InputError, match="at least 3 different ones"):
            known(versions, groups=given_groups)
        return
    memory = known(versions, groups=given_groups)
    assert memory.distance == pytest.approx(np.quantile([d for d, ratio in own if ratio], 0.05))
    found = look([(memory, [np.array(points, dtype=np.float64) for points in (samples, mirrored(samples))])])
    expected = [by_rule(s, train, groups, None) for s in samples]
    closeness = [max(d / memory.distance, ratio / memory.ratio) for d, ratio in expected]
    assert found.closeness == pytest.approx(np.array(closeness))
    near = [distance(s, train[row]) for s, row in zip(samples, found.row, strict=True)]
    assert near == pytest.approx([first for first, _ in expected])
    assert found.duplicates.tolist() == [ratio == 0 for _, ratio in expected]
    assert found.rate == pytest.approx(np.mean(np.array(closeness) < 1))
