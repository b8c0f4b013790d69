from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ganetics.benchmark.estimate import estimate, ratio


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_interval_is_that_of_scipy(n: int) -> None:
    values = np.exp(np.random.default_rng(n).normal(3.0, 0.4, n))
    found = estimate(values.tolist())
    logs = np.log(values)
    low, high = stats.t.interval(0.95, n - 1, loc=logs.mean(), scale=stats.sem(logs))
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert [found.mean, found.low, found.high] == pytest.approx([math.exp(logs.mean()), math.exp(low), math.exp(high)])
    assert found.n == n


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    found = [estimate(np.exp(random.normal(2.0, 0.5, 5)).tolist()) for _ in range(2000)]
    hits = sum(one is not None and one.contains(math.exp(2.0)) for one in found)
    assert 0.93 < hits / 2000 < 0.97


def test_few_values() -> None:
    assert estimate([]) is None
    one = estimate([7.0])
    assert one is not None
    assert (one.mean, one.low, one.high) == (pytest.approx(7.0), None, None)
    assert one.contains(1e9)
    zero = estimate([0.0, 0.0])
    assert zero is not None
    assert zero.mean == pytest.approx(1e-12)


def test_ratio_compares_equal_seeds_only() -> None:
    found = ratio({1: 10.0, 2: 30.0, 3: 1e6}, {2: 10.0, 1: 10.0, 4: 1e-6})
    assert found is not None
    assert found.n == 2
    assert found.mean == pytest.approx(math.sqrt(3.0))
    assert ratio({1: 10.0}, {2: 10.0}) is None


def test_overlap() -> None:
    low, high, wide, none = (estimate(v) for v in ([1.0, 1.01], [2.0, 2.01], [1.0, 2.0], [5.0]))
    assert low is not None
    assert high is not None
    assert wide is not None
    assert none is not None
    assert not low.overlaps(high)
    assert not high.overlaps(low)
    assert low.overlaps(wide)
    assert high.overlaps(none)
