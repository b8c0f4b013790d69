"""What a loss is wanted to be: good at its own best rate, good at every rate and seed, and simple.

All lower is better.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import moocore
import numpy as np

from ganetics.expressions.primitives import Array
from ganetics.search.config import SearchConfig

FAILED = 15.0
"""Log Fréchet distance that a failed run counts as: worse than any that was measured (noise is at about 8)."""


@dataclass(frozen=True)
class Objectives:
    """One loss's point; natural logarithms of Fréchet distances."""

    quality: float
    """At the loss's own best rate, the mean over the seeds."""
    robustness: float
    """The worst over all rates and seeds."""
    complexity: int
    """Nodes."""


def objectives(values: Mapping[tuple[float, int], float], complexity: int) -> Objectives:
    """Return the objectives of a loss from its log Fréchet distances by (rate, seed).

    >>> objectives({(1.0, 0): 3.0, (1.0, 1): 4.0, (3.0, 0): 3.2, (3.0, 1): 3.4}, 9)
    Objectives(quality=3.3, robustness=4.0, complexity=9)
    """
    rates = sorted({rate for rate, _ in values})
    means = [_mean([value for (at, _), value in values.items() if at == rate]) for rate in rates]
    return Objectives(min(means), max(values.values()), complexity)


def best_first(points: Mapping[int, Objectives]) -> list[int]:
    """Return the numbers by Pareto rank in quality and robustness, of one rank by quality.

    Complexity is left out: simple losses that train badly are on the front, and would have most of the children.

    >>> best_first({1: Objectives(3.0, 5.0, 9), 2: Objectives(3.2, 4.0, 9), 3: Objectives(3.1, 6.0, 1)})
    [1, 2, 3]
    """
    if not points:
        return []
    ranks = moocore.pareto_rank(np.array([[point.quality, point.robustness] for point in points.values()]))
    order = zip(ranks.tolist(), (point.quality for point in points.values()), points, strict=True)
    return [number for _, _, number in sorted(order)]


def nondominated(points: Collection[Objectives]) -> list[bool]:
    """Tell of each point whether no other is as good in all three objectives and better in one; equals all stay.

    >>> nondominated([Objectives(3.0, 5.0, 9), Objectives(3.0, 5.0, 10), Objectives(4.0, 6.0, 3)])
    [True, False, True]
    """
    if not points:
        return []
    return [bool(kept) for kept in moocore.is_nondominated(_array(points), keep_weakly=True)]


def hypervolume(points: Collection[Objectives], config: SearchConfig) -> float:
    """Return the volume that the points dominate below (log 1000, a failure, the most nodes): larger is better."""
    most = config.max_size * (1 if config.mode == "tied" else 3) + 1
    limit = np.array([math.log(1000.0), FAILED, most])
    inside = [point for point in points if point.quality < limit[0] and point.robustness < limit[1]]
    return float(moocore.hypervolume(_array(inside), ref=limit)) if inside else 0.0


def _array(points: Collection[Objectives]) -> Array:
    return np.array([(point.quality, point.robustness, point.complexity) for point in points], dtype=np.float64)


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
