"""Selection: the better one wins, as often as it should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ganetics.expressions.tree import Tied, Variable
from ganetics.search.selection import Individual, alive, elite, tournament

P = Tied(Variable("p"))
POPULATION = [Individual(i, P, fitness) for i, fitness in enumerate([3.0, 1.0, math.inf, 2.0, 1.0, math.inf])]


def test_the_best_come_first_and_failures_not_at_all() -> None:
    assert [one.index for one in elite(POPULATION, 3)] == [1, 4, 3]
    assert [one.index for one in elite(POPULATION, 9)] == [1, 4, 3, 0]
    assert elite(POPULATION, 0) == []
    assert [one.index for one in alive(POPULATION)] == [0, 1, 3, 4]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_tournament_is_won_as_often_as_it_should_be(size: int) -> None:
    """Of n, the k-th best is the best of s draws with probability ((n − k + 1)^s − (n − k)^s) / n^s."""
    population = [Individual(i, P, float(5 - i)) for i in range(5)]
    random = np.random.default_rng(0)
    draws = 20_000
    wins = np.bincount([tournament(population, random, size=size).index for _ in range(draws)], minlength=5)[::-1]
    for k in range(5):
        share = ((5 - k) ** size - (4 - k) ** size) / 5**size
        assert abs(wins[k] - draws * share) < 5 * math.sqrt(draws * share * (1 - share)) + 1


def test_of_equals_the_earlier_one_wins() -> None:
    equals = [Individual(index, P, 1.0) for index in (7, 3, 5)]
    assert {tournament(equals, np.random.default_rng(seed), size=50).index for seed in range(20)} == {3}
