"""Means of Fréchet distances over seeds, with intervals; in logarithms, as such distances scatter by factors."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from ganetics.records import SMALLEST, log_distance

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, geometric if nothing else is said, and its interval.

    ``low`` and ``high`` are None where one seed gives no interval.
    """

    mean: float
    low: float | None
    high: float | None
    n: int

    def contains(self, value: float) -> bool:
        """Tell whether the interval has this value; one that is not there has every value."""
        return self.low is None or self.high is None or self.low <= value <= self.high

    def overlaps(self, other: Estimate) -> bool:
        """Tell whether the intervals have a common value; one that is not there has every value."""
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return True
        return self.low <= other.high and other.low <= self.high


def estimate(values: Sequence[float]) -> Estimate | None:
    """Return the geometric mean and the 95 % t interval of the mean logarithm; None without values.

    >>> found = estimate([10.0, 20.0, 40.0])
    >>> round(found.mean, 6), round(found.low, 2), round(found.high, 1)
    (20.0, 3.57, 111.9)
    """
    if not values:
        return None
    logs = [log_distance(value) for value in values]
    n, mean = len(logs), statistics.fmean(logs)
    if n == 1:
        return Estimate(math.exp(mean), None, None, 1)
    quantile = float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2))
    half = quantile * statistics.stdev(logs) / math.sqrt(n)
    return Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half), n)


def arithmetic(values: Sequence[float]) -> Estimate | None:
    """Return the mean and its 95 % t interval; None without values.

    >>> found = arithmetic([0.1, 0.2, 0.3])
    >>> round(found.mean, 6), round(found.low, 3), round(found.high, 3)
    (0.2, -0.048, 0.448)
    """
    if not values:
        return None
    n, mean = len(values), statistics.fmean(values)
    if n == 1:
        return Estimate(mean, None, None, 1)
    half = float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * statistics.stdev(values) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


def ratio(one: Mapping[int, float], two: Mapping[int, float]) -> Estimate | None:
    """Return how many times the values of ``two`` those of ``one`` are, seed by seed (seed → value).

    Runs of one seed share weights, latents and the order of the data, so they are compared in pairs. None if they
    have no seed in common.
    """
    return estimate([max(one[seed], SMALLEST) / max(two[seed], SMALLEST) for seed in sorted(one.keys() & two.keys())])
