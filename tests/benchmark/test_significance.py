from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ganetics.benchmark.significance import paired_t, signed_rank, smallest_detectable

SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
"""Differences of Student 1908, table of sleep; R prints p-value = 0.002833 for them."""


@pytest.mark.parametrize("n", [2, 5, 25])
def test_paired_t_is_scipys(n: int) -> None:
    random = np.random.default_rng(n)
    one, two = random.normal(size=(2, n))
    assert paired_t(one - two) == pytest.approx(stats.ttest_rel(one, two).pvalue, rel=1e-12)


def test_paired_t_of_a_published_example() -> None:
    assert paired_t(SLEEP) == pytest.approx(0.002833, abs=5e-7)


@pytest.mark.parametrize("test", [paired_t, signed_rank])
def test_no_difference_and_too_few(test) -> None:  # type: ignore[no-untyped-def]
    assert test([]) is None
    assert test([0.3]) is None
    assert test([0.0, 0.0, 0.0]) == 1.0


@pytest.mark.parametrize("n", [2, 10, 25, 50])
def test_signed_rank_without_ties_is_scipys(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.3, 1.0, n)
    assert signed_rank(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue, rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.sampled_from([-math.inf, -2.0, -1.5, -1.0, 0.0, 0.5, 1.0, 1.5, 3.0, math.inf]), min_size=2, max_size=9
    ).filter(any)
)
def test_signed_rank_is_that_of_all_signs(differences: list[float]) -> None:
    sizes = np.array([min(abs(one), 9.0) for one in differences if one])
    ranks = stats.rankdata(sizes)
    middle = ranks.sum() / 2
    seen = abs(sum(rank for rank, one in zip(ranks, filter(None, differences), strict=True) if one > 0) - middle)
    sums = [abs(ranks[np.array(signs)].sum() - middle) for signs in product([False, True], repeat=len(ranks))]
    assert signed_rank(differences) == pytest.approx(np.mean([one >= seen - 1e-9 for one in sums]))


def test_smallest_detectable_of_published_examples() -> None:
    # pwr.t.test(d = 0.5, sig.level = 0.05, power = 0.8, type = "paired"): n = 33.36713
    assert smallest_detectable(1.0, 33.36713) == pytest.approx(math.exp(0.5), rel=1e-5)
    # pwr.t.test(d = 0.5, sig.level = 0.01, power = 0.9, type = "paired"): n = 62.87021
    assert smallest_detectable(1.0, 62.87021, level=0.01, power=0.9) == pytest.approx(math.exp(0.5), rel=1e-5)


@pytest.mark.parametrize(("n", "level"), [(3, 0.05), (10, 0.05 / 7), (25, 0.05)])
def test_the_smallest_detectable_is_found_as_often_as_it_says(n: int, level: float) -> None:
    ratio = smallest_detectable(0.3, n, level=level)
    assert ratio is not None
    differences = np.random.default_rng(n).normal(math.log(ratio), 0.3, (40_000, n))
    found = stats.ttest_1samp(differences, 0.0, axis=1)
    assert ((found.pvalue < level) & (found.statistic > 0)).mean() == pytest.approx(0.8, abs=0.01)


def test_smallest_detectable_at_the_ends() -> None:
    assert smallest_detectable(0.3, 1) is None
    assert smallest_detectable(0.0, 10) == 1.0
    assert smallest_detectable(100.0, 2) is None  # exp of 1100
    few, many = smallest_detectable(0.3, 2), smallest_detectable(0.3, 1000)
    assert few is not None
    assert many is not None
    assert few > 30.0 > 1.03 > many > 1.0


@pytest.mark.parametrize("family", [1, 4, 9, 15, 19])
def test_more_seeds_detect_smaller_ratios_at_every_family(family: int) -> None:
    found = [smallest_detectable(0.1, n, level=0.05 / family) for n in range(2, 60)]  # SciPy has NaN on the way at some
    assert None not in found
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)
