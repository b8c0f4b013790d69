"""What a number of training runs shows of a loss, and what it cannot show.

The figures are Fréchet distances, lower is better, by training seed (:data:`Runs`); a failed run is ``math.inf``:
ranked worst, never left out of a rank, a median or a test. Runs of one seed share weights, latents and the order of
the data, so losses are compared in pairs, over the seeds that both have.

Interquartile mean, stratified bootstrap and probability of improvement: Agarwal et al. 2021 (arXiv 2108.13264).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from ganetics.benchmark.estimate import CONFIDENCE, Estimate, estimate
from ganetics.benchmark.significance import LEVEL, paired_t, signed_rank, smallest_detectable
from ganetics.metrics.significance import holm
from ganetics.records import log_distance

Array = npt.NDArray[np.float64]
Runs = Mapping[int, float]
"""Training seed → Fréchet distance; ``math.inf`` where the run failed."""
RESAMPLES = 9999
FEWEST = 5
"""Below so many seeds a bootstrap gives no interval: of two it would be their range, whatever the confidence."""
WORST = 1e100
"""What a failed run counts as: finite, so that no step of a bootstrap is infinity less infinity."""


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval.

    None is infinite (failed runs reach into it); both ends None: too few runs, or all are infinite, as is the figure.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Rank:
    """A place among losses, 1 is best; without ends where fewer than :data:`FEWEST` seeds are those of all losses."""

    value: int
    low: int | None
    high: int | None


@dataclass(frozen=True)
class Summary:
    """The runs of one loss. None where a figure is infinite or there are too few runs for it.

    Attributes:
        n: runs.
        failed: how many of them failed.
        best: the smallest distance.
        worst: the largest; None if a run failed.
        mean: arithmetic mean of the runs that ended; ``failed`` belongs beside it.
        sd: their standard deviation (n - 1).
        median: over all runs.
        iqm: interquartile mean over all runs: the lowest and the highest quarter, rounded down, are cut off.
        geometric: geometric mean of the runs that ended, with the t interval of the mean logarithm.
    """

    n: int
    failed: int
    best: float | None
    worst: float | None
    mean: float | None
    sd: float | None
    median: float | None
    iqm: Interval | None
    geometric: Estimate | None


@dataclass(frozen=True)
class Comparison:
    """A loss against another, the reference, by the seeds that both have.

    The test is fixed beforehand: the paired t test on log distances; if a shared run of either failed, and its
    logarithm does not exist, the signed-rank test, in which a failure is a difference larger than all others.

    Attributes:
        loss: the one.
        reference: the other.
        seeds: shared seeds.
        unshared: seeds that only one of the two has; they count in ``improvement`` alone.
        failed: shared seeds at which either run failed.
        ratio: distance of ``loss`` over that of ``reference``, geometric mean over the pairs that ended, t interval.
        sd: standard deviation of the log ratio over these pairs.
        test: the test that ``p`` is of; None below two shared seeds.
        p: two-sided.
        p_t: of the paired t test on log distances; None if a shared run failed.
        p_rank: of Wilcoxon's signed-rank test on log distances; equal pairs are dropped.
        p_holm: ``p`` after Holm's correction over the ``family``; None before :func:`as_family`.
        family: comparisons that are judged together.
        improvement: probability that a run of ``loss`` has a smaller distance than a run of ``reference`` at any seed,
            equal ones half, over all runs of both; bootstrap of either's runs.
        paired_improvement: the same at one seed, over the shared seeds; Wilson's interval.
        detectable: ratio of distances, above 1, that the test would have found with 80 % probability
            (:func:`~ganetics.benchmark.significance.smallest_detectable`), at Holm's first and strictest level.
    """

    loss: str
    reference: str
    seeds: int
    unshared: int
    failed: int
    ratio: Estimate | None
    sd: float | None
    test: Literal["paired t", "signed rank"] | None
    p: float | None
    p_t: float | None
    p_rank: float | None
    improvement: Interval
    paired_improvement: Interval | None
    p_holm: float | None = None
    family: int | None = None
    detectable: float | None = None


def summarise(values: Sequence[float], *, generator: np.random.Generator) -> Summary:
    """Return the figures of one loss.

    Args:
        values: a distance for each run, ``math.inf`` where it failed; at least one.
        generator: for the bootstrap.
    """
    ended = [value for value in values if math.isfinite(value)]
    return Summary(
        n=len(values),
        failed=len(values) - len(ended),
        best=_finite(min(values)),
        worst=_finite(max(values)),
        mean=float(np.mean(ended)) if ended else None,
        sd=float(np.std(ended, ddof=1)) if len(ended) > 1 else None,
        median=_finite(float(np.median(_ranked(values)))),
        iqm=interquartile_mean([values], generator=generator),
        geometric=estimate(ended),
    )


def interquartile_mean(strata: Sequence[Sequence[float]], *, generator: np.random.Generator) -> Interval | None:
    """Return the mean of the middle half of all values, with a stratified percentile bootstrap interval.

    Args:
        strata: the values, apart where they are drawn from apart: one sequence a dataset.
        generator: for the bootstrap.

    Returns:
        None without values. No interval where one of ``strata`` has fewer than :data:`FEWEST` values; it is too narrow
        below about ten values in all, as of every bootstrap.
    """
    samples = [_ranked(one) for one in strata if len(one)]
    if not samples:
        return None
    value = _finite(float(_middle(*samples)))
    return _bootstrap(value, samples, _middle, generator)


def probability_of_improvement(
    values: Sequence[float], others: Sequence[float], *, generator: np.random.Generator
) -> Interval:
    """Return how probable it is that one of ``values`` is smaller than one of ``others``, equal ones half.

    Mann and Whitney's U over the number of pairs. The bootstrap interval has no width where all of one are below all
    of the other: then it says too much. There is none where either has fewer than :data:`FEWEST` values.
    """
    left, right = _ranked(values), _ranked(others)
    return _bootstrap(float(_smaller(left, right)), [left, right], _smaller, generator)


def share(count: float, n: int) -> Interval:
    """Return ``count / n`` with Wilson's score interval (1927); ``count`` may have halves.

    >>> share(3, 25)
    Interval(value=0.12, low=0.0416..., high=0.2995...)
    """
    z2 = float(special.ndtri(0.5 + CONFIDENCE / 2)) ** 2
    value = count / n
    centre, half = value + z2 / (2 * n), math.sqrt(z2 * (value * (1 - value) + z2 / (4 * n)) / n)
    return Interval(value, max((centre - half) / (1 + z2 / n), 0.0), min((centre + half) / (1 + z2 / n), 1.0))


def ranks(losses: Mapping[str, Runs], *, generator: np.random.Generator) -> dict[str, Rank]:
    """Return each loss's place by its interquartile mean, with the places it has when seeds are drawn again.

    The interval draws among the seeds that all losses have, the same for all in one draw. Equal ones share the better
    place.
    """
    middles = np.array([float(_middle(_ranked(list(runs.values())))) for runs in losses.values()])
    places = stats.rankdata(middles, method="min").astype(int)
    shared = sorted(set.intersection(*(set(runs) for runs in losses.values()))) if losses else []
    if len(shared) < FEWEST:
        return {label: Rank(int(place), None, None) for label, place in zip(losses, places, strict=True)}
    drawn = generator.integers(0, len(shared), (RESAMPLES, len(shared)))
    again = np.array([_middle(_ranked([runs[seed] for seed in shared])[drawn], axis=-1) for runs in losses.values()])
    tails = (LEVEL / 2, 1 - LEVEL / 2)
    low, high = np.quantile(stats.rankdata(again, method="min", axis=0), tails, axis=1, method="inverted_cdf")
    return {
        label: Rank(int(places[i]), min(int(low[i]), int(places[i])), max(int(high[i]), int(places[i])))
        for i, label in enumerate(losses)
    }


def log_ratios(values: Runs, others: Runs) -> Array:
    """Return log(value / other) at each shared seed; infinite where one of the two failed, 0 where both did."""
    logs = [[log_distance(runs[seed]) for seed in sorted(values.keys() & others.keys())]
            for runs in (values, others)]  # fmt: skip
    return np.array([0.0 if one == two else one - two for one, two in zip(*logs, strict=True)])


def compare(values: Runs, others: Runs, *, loss: str, reference: str, generator: np.random.Generator) -> Comparison:
    """Compare ``loss`` with ``reference``; :func:`as_family` corrects for how many comparisons there are.

    Args:
        values: the runs of ``loss``, at least one.
        others: the runs of ``reference``, at least one.
        loss: its label.
        reference: the other's label.
        generator: for the bootstrap.
    """
    shared = sorted(values.keys() & others.keys())
    logs = log_ratios(values, others)
    ended = logs[[math.isfinite(values[seed]) and math.isfinite(others[seed]) for seed in shared]]
    failed = len(shared) - len(ended)
    p_t, p_rank = None if failed else paired_t(logs), signed_rank(logs)
    smaller = float(np.sum(logs < 0) + np.sum(logs == 0) / 2)
    return Comparison(
        loss=loss,
        reference=reference,
        seeds=len(shared),
        unshared=len(values.keys() ^ others.keys()),
        failed=failed,
        ratio=estimate(np.exp(ended).tolist()),
        sd=float(ended.std(ddof=1)) if len(ended) > 1 else None,
        test=None if len(shared) < 2 else "signed rank" if failed else "paired t",
        p=p_rank if failed else p_t,
        p_t=p_t,
        p_rank=p_rank,
        improvement=probability_of_improvement(list(values.values()), list(others.values()), generator=generator),
        paired_improvement=share(smaller, len(shared)) if shared else None,
    )


def as_family(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Return the comparisons with ``p_holm``, ``family`` and ``detectable``: judged together, whatever their tables."""
    count = len(comparisons)
    return tuple(
        replace(
            one,
            p_holm=p,
            family=count,
            detectable=None
            if one.sd is None
            else smallest_detectable(one.sd, one.seeds - one.failed, level=LEVEL / count),
        )
        for one, p in zip(comparisons, holm([one.p for one in comparisons]), strict=True)
    )


def _ranked(values: npt.ArrayLike) -> Array:
    return np.minimum(np.asarray(values, dtype=np.float64), WORST)


def _finite(value: float) -> float | None:
    """Return None for what a failed run is part of: a mean with ``WORST`` in it is still beyond all distances."""
    return None if value > math.sqrt(WORST) else float(value)


def _middle(*samples: Array, axis: int = -1) -> Array:
    return np.asarray(stats.trim_mean(np.concatenate(samples, axis=axis), 0.25, axis=axis))


def _smaller(one: Array, two: Array, axis: int = -1) -> Array:
    left, right = np.moveaxis(one, axis, -1)[..., :, None], np.moveaxis(two, axis, -1)[..., None, :]
    return np.asarray(((left < right) + 0.5 * (left == right)).mean(axis=(-2, -1)))


def _bootstrap(
    value: float | None, samples: Sequence[Array], statistic: Callable[..., Array], generator: np.random.Generator
) -> Interval:
    """Draw from each sample on its own; percentiles."""
    if min(map(len, samples)) < FEWEST:
        return Interval(value, None, None)
    found = stats.bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        batch=1000,
        vectorized=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=generator,
    ).confidence_interval
    return Interval(value, _finite(float(found.low)), _finite(float(found.high)))
