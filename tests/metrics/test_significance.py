from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics.metrics.significance import holm


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferronis(p_values: list[float]) -> None:
    # Marcus, Peritz and Gabriel 1976: a hypothesis is rejected if all intersections that it is part of are
    every = range(len(p_values))
    families = [family for size in every for family in combinations(every, size + 1)]
    expected = [
        max(min(1.0, len(family) * min(p_values[i] for i in family)) for family in families if one in family)
        for one in every
    ]
    assert holm(p_values) == pytest.approx(expected)


def test_holm_counts_what_was_not_tested() -> None:
    assert holm([0.01, None, 0.02, None]) == [pytest.approx(0.04), None, pytest.approx(0.06), None]
    assert holm([]) == []
