"""What a loss is wanted to be, against the same said plainly."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics.search.config import SearchConfig
from ganetics.search.objectives import FAILED, Objectives, best_first, hypervolume, nondominated, objectives

FEW = st.sampled_from([0.0, 1.0, 2.0, 3.5, 6.0, FAILED])  # with ties
POINTS = st.lists(st.builds(Objectives, FEW, FEW, st.integers(1, 4)), max_size=8)


def dominates(one: Objectives, other: Objectives) -> bool:
    pairs = [(one.quality, other.quality), (one.robustness, other.robustness), (one.complexity, other.complexity)]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


@given(
    values=st.dictionaries(
        st.tuples(st.sampled_from([0.3, 1.0, 3.0]), st.integers(0, 3)), st.floats(-30, FAILED), min_size=1
    )
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_quality_is_at_the_best_rate_and_robustness_the_worst_run(values: dict[tuple[float, int], float]) -> None:
    found = objectives(values, 7)
    means = {rate: statistics.fmean(v for (r, _), v in values.items() if r == rate) for rate, _ in values}
    assert found.quality == pytest.approx(min(means.values()), abs=1e-12)
    assert found.robustness == max(values.values())
    assert found.complexity == 7
    assert objectives(dict(reversed(values.items())), 7) == found  # to the last digit, in whatever order they came


@given(points=POINTS)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_front_is_what_no_other_dominates(points: list[Objectives]) -> None:
    assert nondominated(points) == [not any(dominates(other, one) for other in points) for one in points]


@given(points=POINTS)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_best_are_those_of_the_first_front_then_of_the_next(points: list[Objectives]) -> None:
    numbered = {3 * number: Objectives(p.quality, p.robustness, 1) for number, p in enumerate(points)}
    left, expected = dict(numbered), []
    while left:
        front = [n for n, p in left.items() if not any(dominates(other, p) for other in left.values())]
        expected += sorted(front, key=lambda n: (numbered[n].quality, n))
        left = {n: p for n, p in left.items() if n not in front}
    assert best_first({3 * number: point for number, point in enumerate(points)}) == expected


@given(points=POINTS, mode=st.sampled_from(["tied", "separate"]))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_hypervolume_is_the_volume_of_the_cells_below_the_limits(
    points: list[Objectives], mode: str, config: SearchConfig
) -> None:
    config = config.model_copy(update={"mode": mode, "max_size": 3})
    limits = (math.log(1000.0), FAILED, 4.0 if mode == "tied" else 10.0)
    corners = [(p.quality, p.robustness, float(p.complexity)) for p in points]
    # space is cut at every coordinate; a cell counts if a point dominates its lower corner
    edges = [sorted({limit, *(c[axis] for c in corners if c[axis] < limit)}) for axis, limit in enumerate(limits)]
    volume = 0.0
    for cell in product(*(list(pairwise(edge)) for edge in edges)):
        if any(all(c[axis] <= cell[axis][0] for axis in range(3)) for c in corners):
            volume += math.prod(high - low for low, high in cell)
    assert hypervolume(points, config) == pytest.approx(volume, abs=1e-9)


def test_of_nothing_there_is_no_volume(config: SearchConfig) -> None:
    assert (hypervolume([], config), nondominated([]), best_first({})) == (0.0, [], [])
    awful = Objectives(FAILED, FAILED, 3)
    assert hypervolume([awful, Objectives(3.0, FAILED, 3), Objectives(math.log(1000.0), 9.0, 3)], config) == 0.0
