from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ganetics._random import numpy_generator
from ganetics.benchmark.significance import smallest_detectable
from ganetics.benchmark.statistics import (
    Comparison,
    Interval,
    Runs,
    as_family,
    compare,
    interquartile_mean,
    log_ratios,
    probability_of_improvement,
    ranks,
    share,
    summarise,
)

FAILED = math.inf
SEEDS = (11, 5, 7, 3, 2)


def generator(*index: int) -> np.random.Generator:
    return numpy_generator(0, "test of statistics", *index)


def runs(*fids: float, seeds: Sequence[int] = SEEDS) -> dict[int, float]:
    return dict(zip(seeds, fids, strict=True))


def compared(one: Runs, two: Runs) -> Comparison:
    return compare(one, two, loss="one", reference="two", generator=generator())


def middle_half(values: Sequence[float]) -> float:
    cut = len(values) // 4
    return float(np.mean(sorted(values)[cut : len(values) - cut]))


def every_draw(samples: Sequence[Sequence[float]], statistic: Callable[..., float]) -> list[float]:
    """The bootstrap's whole distribution: every way to draw from each sample, all equally probable."""
    draws = [list(product(one, repeat=len(one))) for one in samples]
    return [statistic(*drawn) for drawn in product(*draws)]


def assert_percentiles(found: Interval, distribution: Sequence[float]) -> None:
    """The ends lie where 9,999 draws put the 2.5 and 97.5 percentiles: within half a percent of them."""
    for end, tail in ((found.low, 0.025), (found.high, 0.975)):
        assert end is not None
        low, high = np.quantile(distribution, [tail - 0.005, tail + 0.005])
        assert low - 1e-9 <= end <= high + 1e-9


def test_summary_is_that_of_numpy() -> None:
    fids = np.exp(generator().normal(3, 0.5, 25))
    found = summarise(fids.tolist(), generator=generator())
    assert found.iqm is not None
    assert found.geometric is not None
    expected = [fids.min(), fids.max(), fids.mean(), fids.std(ddof=1), np.median(fids), stats.gmean(fids)]
    assert [
        found.best, found.worst, found.mean, found.sd, found.median, found.geometric.mean
    ] == pytest.approx(expected)  # fmt: skip
    assert found.iqm.value == pytest.approx(np.sort(fids)[6:19].mean())
    assert (found.n, found.failed) == (25, 0)


def test_failed_runs_are_ranked_worst_and_in_no_mean() -> None:
    found = summarise([10.0, FAILED, 14.0, 12.0, 18.0], generator=generator())
    assert (found.n, found.failed, found.best, found.worst, found.median) == (5, 1, 10.0, None, 14.0)
    assert found.mean == pytest.approx(13.5)
    assert found.iqm is not None
    assert found.iqm.value == pytest.approx((12 + 14 + 18) / 3)  # one of five is cut off at each end
    assert found.iqm.high is None
    assert found.iqm.low is not None
    assert found.geometric is not None
    assert found.geometric.n == 4
    half = summarise([10.0, FAILED], generator=generator())
    assert (half.median, half.iqm, half.sd) == (None, Interval(None, None, None), None)


def test_all_runs_failed() -> None:
    found = summarise([FAILED] * 5, generator=generator())
    assert found.iqm == Interval(None, None, None)
    assert [found.best, found.worst, found.mean, found.sd, found.median, found.geometric] == [None] * 6
    assert (found.n, found.failed) == (5, 5)


def test_a_bootstrap_of_fewer_than_five_seeds_gives_no_interval() -> None:
    """Of two it would be just these two, whatever the confidence."""
    five = [12.0, 14.0, 11.0, 19.0, 13.0]
    for values, enough in ((five[:2], False), (five[:4], False), (five, True)):
        one, two = (dict(enumerate(some)) for some in (values, [value + 1 for value in values]))
        improved = (probability_of_improvement(values, some, generator=generator()) for some in (five, values))
        ends = [
            summarise(values, generator=generator()).iqm,
            interquartile_mean([five, values], generator=generator()),
            *improved,
            *ranks({"one": one, "two": two}, generator=generator()).values(),
        ]
        assert [end.low is not None and end.high is not None for end in ends if end is not None] == [enough] * 6
        exact = compared(one, two)
        assert exact.ratio is not None
        assert exact.ratio.low is not None  # Student's and Wilson's intervals are no bootstraps
        assert exact.paired_improvement is not None
        assert exact.paired_improvement.low is not None


def test_one_run_has_no_interval() -> None:
    found = summarise([12.0], generator=generator())
    assert found.iqm == Interval(12.0, None, None)
    assert (found.best, found.worst, found.median, found.sd) == (12.0, 12.0, 12.0, None)
    assert interquartile_mean([], generator=generator()) is None


@pytest.mark.parametrize("samples", [[[1.0, 2.0, 4.0, 8.0, 20.0]], [[1.0, 2.0, 4.0], [10.0, 11.0, 13.0, 30.0]]])
def test_the_stratified_bootstrap_against_all_draws(
    samples: list[list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganetics.benchmark.statistics.FEWEST", 3)  # of five in each there are too many draws
    found = interquartile_mean(samples, generator=generator())
    assert found is not None
    assert found.value == pytest.approx(middle_half([value for one in samples for value in one]))
    assert_percentiles(found, every_draw(samples, lambda *drawn: middle_half(sum(drawn, ()))))


def test_the_bootstrap_depends_on_its_generator_alone() -> None:
    values = [generator().normal(size=30).tolist()]
    first, same, other = (interquartile_mean(values, generator=generator(i)) for i in (0, 0, 1))
    assert first == same
    assert first != other


def improved(one: Sequence[float], two: Sequence[float]) -> float:
    return float(np.mean([1.0 if a < b else 0.5 if a == b else 0.0 for a in one for b in two]))


def test_probability_of_improvement_against_all_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganetics.benchmark.statistics.FEWEST", 4)  # of five in each there are too many draws
    one, two = [3.0, 5.0, FAILED, 4.0], [5.0, 8.0, FAILED, 3.5]
    found = probability_of_improvement(one, two, generator=generator())
    assert found.value == pytest.approx(improved(one, two))
    assert found.value == pytest.approx(1 - stats.mannwhitneyu(one, two).statistic / 16)
    assert_percentiles(found, every_draw([one, two], improved))
    other = probability_of_improvement(two, one, generator=generator())
    assert other.value == pytest.approx(1 - improved(one, two))


@pytest.mark.parametrize(("count", "n"), [(0, 25), (3, 25), (25, 25), (1, 1)])
def test_share_is_scipys_wilson_interval(count: int, n: int) -> None:
    expected = stats.binomtest(count, n).proportion_ci(method="wilson")
    found = share(count, n)
    assert (found.value, found.low, found.high) == pytest.approx((count / n, expected.low, expected.high), abs=1e-12)


def test_ranks() -> None:
    losses = {
        "worst": runs(9.0, 9.0, FAILED, FAILED, FAILED),
        "best": runs(1.0, 1.0, 1.0, 1.0, 1.0),
        "even": runs(4.0, 4.0, 4.0, 4.0, 4.0),
        "as even": runs(4.0, 4.0, 4.0, 4.0, 4.0),
    }
    found = ranks(losses, generator=generator())
    assert {label: (one.value, one.low, one.high) for label, one in found.items()} == {
        "worst": (4, 4, 4), "best": (1, 1, 1), "even": (2, 2, 2), "as even": (2, 2, 2)
    }  # fmt: skip


def test_the_interval_of_a_rank_against_all_draws() -> None:
    one, two = (1.0, 2.0, 3.0, 4.0, 5.0), (1.5, 2.5, 1.0, 6.0, 7.0)
    found = ranks({"one": runs(*one), "two": runs(*two)}, generator=generator())
    better = every_draw([list(zip(one, two, strict=True))], lambda drawn: float(
        middle_half([a for a, _ in drawn]) <= middle_half([b for _, b in drawn])
    ))  # fmt: skip
    assert 0.05 < np.mean(better) < 0.95  # so that both places are within the interval
    assert [(rank.value, rank.low, rank.high) for rank in found.values()] == [(1, 1, 2), (2, 1, 2)]


def test_ranks_without_seeds_in_common() -> None:
    found = ranks({"one": runs(1.0, seeds=[1]), "two": runs(3.0, 2.0, seeds=[1, 2])}, generator=generator())
    assert {label: (one.value, one.low, one.high) for label, one in found.items()} == {
        "one": (1, None, None), "two": (2, None, None)
    }  # fmt: skip
    assert ranks({}, generator=generator()) == {}


def test_log_ratios_are_of_shared_seeds_in_their_order() -> None:
    one, two = {3: 2.0, 1: 8.0, 9: FAILED, 4: FAILED, 2: 1.0}, {1: 4.0, 3: 4.0, 9: FAILED, 4: 5.0, 7: 1.0}
    assert log_ratios(one, two).tolist() == pytest.approx([math.log(2), -math.log(2), math.inf, 0.0])
    assert log_ratios(one, {}).tolist() == []


def test_a_comparison_without_failures_is_the_paired_t_test() -> None:
    one, two = runs(10.0, 14.0, 9.0, 20.0, 11.0), runs(12.0, 15.0, 13.0, 19.0, 16.0)
    found = compared(one, two)
    logs = np.log(list(one.values())) - np.log(list(two.values()))
    low, high = stats.t.interval(0.95, 4, loc=logs.mean(), scale=stats.sem(logs))
    assert found.ratio is not None
    assert [found.ratio.mean, found.ratio.low, found.ratio.high] == pytest.approx(np.exp([logs.mean(), low, high]))
    assert (found.test, found.seeds, found.unshared, found.failed) == ("paired t", 5, 0, 0)
    assert found.p == found.p_t == pytest.approx(stats.ttest_1samp(logs, 0).pvalue)
    assert found.p_rank == pytest.approx(stats.wilcoxon(logs).pvalue)
    assert found.sd == pytest.approx(logs.std(ddof=1))
    assert found.paired_improvement == share(4, 5)
    assert found.improvement.value == pytest.approx(improved(list(one.values()), list(two.values())))


def test_a_failure_makes_it_the_rank_test() -> None:
    found = compared(runs(10.0, FAILED, 9.0, 18.0, 11.0), runs(12.0, 15.0, 13.0, 19.0, 16.0))
    # four small differences for the one, and the largest against it: ranks 1 + 2 + 3 + 4 and 5
    assert (found.test, found.failed, found.p_t) == ("signed rank", 1, None)
    assert found.p == found.p_rank == pytest.approx(stats.wilcoxon([-1, -2, -3, -4, 5]).pvalue)
    assert found.ratio is not None
    assert found.ratio.n == 4
    assert found.paired_improvement == share(4, 5)


def test_failures_at_one_seed_are_equal() -> None:
    found = compared(runs(FAILED, FAILED, 9.0, 18.0, 11.0), runs(FAILED, 15.0, 13.0, 19.0, 16.0))
    assert (found.test, found.failed) == ("signed rank", 2)
    assert found.paired_improvement == share(3.5, 5)
    assert found.p == pytest.approx(stats.wilcoxon([-1, -2, -3, 4]).pvalue)


def test_pairs_that_failed_show_nothing_of_what_could_be_seen() -> None:
    found = as_family([compared(runs(10.0, FAILED, 9.0, 18.0, 11.0), runs(12.0, 15.0, 13.0, 19.0, 16.0))])[0]
    assert found.sd is not None
    assert found.detectable == smallest_detectable(found.sd, 4)


def test_all_runs_of_one_loss_failed() -> None:
    found = compared(runs(*[FAILED] * 5), runs(12.0, 15.0, 13.0, 19.0, 16.0))
    assert (found.ratio, found.sd, found.failed) == (None, None, 5)
    assert found.p == pytest.approx(2 / 2**5)
    assert found.improvement == Interval(0.0, 0.0, 0.0)
    assert as_family([found])[0].detectable is None


def test_losses_that_are_the_same() -> None:
    same = runs(10.0, 14.0, FAILED, 20.0, 11.0)
    found = as_family([compared(same, same)])[0]
    assert found.ratio is not None
    assert (found.ratio.mean, found.p, found.p_holm) == (1.0, 1.0, 1.0)
    assert found.improvement.value == 0.5
    ended = as_family([compared(runs(*[3.0] * 5), runs(*[3.0] * 5))])[0]
    assert (ended.test, ended.p, ended.detectable) == ("paired t", 1.0, 1.0)


def test_pairs_are_made_of_the_seeds_that_both_have() -> None:
    one = {1: 10.0, 2: 20.0, 3: 30.0, 8: 1.0}
    found = compared(one, {3: 60.0, 1: 5.0, 2: 10.0, 9: 1e6, 10: 1e6})
    assert (found.seeds, found.unshared) == (3, 3)
    assert found.ratio is not None
    assert found.ratio.mean == pytest.approx((2 * 2 * 0.5) ** (1 / 3))
    assert found.improvement.value == pytest.approx(improved(list(one.values()), [60.0, 5.0, 10.0, 1e6, 1e6]))


def test_too_few_pairs() -> None:
    apart, single = compared({1: 2.0}, {2: 3.0}), compared({1: 2.0}, {1: 3.0})
    assert (apart.test, apart.p, apart.ratio, apart.paired_improvement) == (None, None, None, None)
    assert (single.test, single.p, single.seeds) == (None, None, 1)
    assert single.ratio is not None
    assert single.ratio.low is None
    judged = as_family([apart, single])
    assert [(one.p_holm, one.detectable, one.family) for one in judged] == [(None, None, 2)] * 2


def test_a_family_is_corrected_for_its_size() -> None:
    reference = runs(12.0, 15.0, 13.0, 19.0, 16.0)
    members = [compared(runs(*fids), reference) for fids in (
        (10.0, 14.0, 9.0, 18.0, 11.0), (12.1, 15.1, 12.9, 19.3, 16.0), (9.0, 12.0, 10.0, 15.0, 12.0)
    )]  # fmt: skip
    judged, alone = as_family(members), as_family(members[2:])
    assert members[2].p is not None
    assert judged[2].p_holm == pytest.approx(3 * members[2].p)
    assert alone[0].p_holm == members[2].p
    assert judged[2].detectable is not None
    assert alone[0].detectable is not None
    assert judged[2].detectable > alone[0].detectable > 1.0


FIDS = st.one_of(st.just(FAILED), st.floats(1.0, 1e4))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(FIDS, FIDS), min_size=2, max_size=8), st.sampled_from([0.25, 2.0, 1024.0]))
def test_neither_unit_nor_side_matters(pairs: list[tuple[float, float]], unit: float) -> None:
    one, two = ({seed: pair[side] for seed, pair in enumerate(pairs)} for side in (0, 1))
    found, reverse = compared(one, two), compared(two, one)
    scaled = compared({s: v * unit for s, v in one.items()}, {s: v * unit for s, v in two.items()})

    def figures(of: Comparison) -> list[Any]:
        return [of.test, of.failed, of.improvement, of.paired_improvement]

    assert figures(scaled) == figures(found)
    assert (found.p is None) == (reverse.p is None)
    assert found.improvement.value == pytest.approx(1 - (reverse.improvement.value or 0.0))
    if found.ratio is not None and reverse.ratio is not None:
        assert found.ratio.mean == pytest.approx(1 / reverse.ratio.mean)
    if found.p is not None and (found.sd is None or found.sd > 1e-9 or found.test == "signed rank"):
        assert found.p == pytest.approx(reverse.p)
