"""Tests of paired differences, and what they could have found."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from ganetics.benchmark.estimate import CONFIDENCE

LEVEL = 1 - CONFIDENCE
"""Of all tests of a family, after correction."""
POWER = 0.8


def paired_t(differences: npt.ArrayLike) -> float | None:
    """Return the two-sided p-value of the paired t test; None below two pairs; 1 where no pair differs.

    >>> round(paired_t([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]), 6)  # Student 1908, sleep
    0.002833
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2:
        return None
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    if error == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    return float(2 * special.stdtr(len(values) - 1, -abs(mean / error)))


def signed_rank(differences: npt.ArrayLike) -> float | None:
    """Return the two-sided p-value of Wilcoxon's signed-rank test; None below two pairs; 1 where no pair differs.

    Exact at any number of pairs and with ties, which share the mean of their ranks (SciPy's is an approximation with
    ties above 13 pairs, and failed runs are ties): infinite differences share the highest. Zeros are dropped.

    >>> signed_rank([-1, -2, -3, 4]), signed_rank([-1, -2, -3, -4, -float("inf"), -float("inf")])
    (0.875, 0.03125)
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2:
        return None
    values = values[values != 0.0]
    doubled = np.rint(2 * stats.rankdata(np.abs(values))).astype(int)  # whole numbers, also of ties
    chances = np.zeros(doubled.sum() + 1)  # of each sum of positive ranks, if both signs are equally probable
    chances[0] = 1.0
    for rank in doubled:
        positive = np.concatenate([np.zeros(rank), chances[:-rank]])
        chances = (chances + positive) / 2
    seen = doubled[values > 0].sum()
    return min(1.0, 2 * float(min(chances[: seen + 1].sum(), chances[seen:].sum())))


def smallest_detectable(sd: float, n: float, *, level: float = LEVEL, power: float = POWER) -> float | None:
    """Return the ratio of distances, above 1, that a paired t test on logarithms finds with probability ``power``.

    By the noncentral t distribution: exact for normal log ratios of standard deviation ``sd``.

    Args:
        sd: standard deviation of the log ratio over the pairs, at least 0.
        n: pairs.
        level: of the test, two-sided.
        power: above ``level``, below 1.

    Returns:
        None below two pairs, and where it is too large for a float.

    >>> round(smallest_detectable(0.2, 10), 3), round(smallest_detectable(0.2, 25), 3)
    (1.22, 1.124)
    """
    if n < 2:
        return None
    limit = float(special.stdtrit(n - 1, 1 - level / 2))

    def missed(noncentrality: float) -> float:
        # the other tail, a finding in the wrong direction, is left out; SciPy has NaN for some that are almost 0
        return float(np.nan_to_num(special.nctdtr(n - 1, noncentrality, limit), nan=0.0)) - (1 - power)

    noncentrality = optimize.brentq(missed, 0.0, 10 * limit + 10)
    log = float(noncentrality) * sd / math.sqrt(n)
    return math.exp(log) if log < 700 else None
