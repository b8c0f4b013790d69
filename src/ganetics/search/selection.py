"""Who has children, and who stays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganetics.expressions.tree import Tied


@dataclass(frozen=True)
class Individual:
    """A trained candidate: fitness is log Fréchet distance and parsimony, lower is better, infinite for a failure."""

    index: int
    expression: Tied
    fitness: float

    @property
    def rank(self) -> tuple[float, int]:
        """What candidates are ordered by; of equals the earlier one is better."""
        return (self.fitness, self.index)


def alive(population: Sequence[Individual]) -> list[Individual]:
    """Return those that did not fail, in their order."""
    return [individual for individual in population if math.isfinite(individual.fitness)]


def tournament(population: Sequence[Individual], random: np.random.Generator, *, size: int) -> Individual:
    """Return the best of ``size`` individuals drawn with replacement."""
    drawn = random.integers(len(population), size=size)
    return min((population[int(i)] for i in drawn), key=lambda individual: individual.rank)


def elite(population: Sequence[Individual], count: int) -> list[Individual]:
    """Return the best ``count`` that did not fail, best first."""
    return sorted(alive(population), key=lambda individual: individual.rank)[:count]
