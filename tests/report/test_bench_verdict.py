"""What a benchmark's page claims, from runs whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ganetics.benchmark.tables import table
from ganetics.report.bench_run import BenchRun, read_bench
from ganetics.report.bench_verdict import BenchVerdict, binding, verdict
from ganetics.report.charts import number

Fids = Sequence[float | None]
BASE: Fids = [20.0, 21.0, 19.0, 20.5, 22.0]


@pytest.fixture(scope="module")
def base(bench_finished: Path) -> BenchRun:
    return read_bench(bench_finished)


def said(base: BenchRun, best: Mapping[str, Fids] | None = None, **losses: Fids) -> BenchVerdict:
    """Return what is said of losses with these distances by seed; ``best``: those of their best checkpoints."""
    lines = [
        {**base.runs("final")[0], "loss": loss, "rate": 1.0, "seed": seed, "fid": fid, "collapsed": fid is None,
         "best": {"step": 20, "fid": (best or losses)[loss][seed]}}
        for loss, fids in losses.items() for seed, fid in enumerate(fids)
    ]  # fmt: skip
    tables = {
        name: table(lines, reference="ganetic", checkpoint=checkpoint)
        for name, checkpoint in (("final", "last"), ("final-best-checkpoint", "best"))
    }
    return verdict(replace(base, lines=tuple(lines), results=replace(base.results, tables=tables)))


def times(fids: Fids, *factors: float) -> list[float]:
    return [fid * factor for fid, factor in zip(fids, factors, strict=True) if fid is not None]


def test_a_loss_that_is_better_than_the_baseline(base: BenchRun) -> None:
    factors = [0.5, 0.52, 0.48, 0.5, 0.5]
    found = said(base, ganetic=BASE, hinge=times(BASE, *factors))
    logs = np.log(factors)
    low, high = np.exp(stats.t.interval(0.95, 4, loc=logs.mean(), scale=stats.sem(logs)))
    assert found.title == (
        "Hinge is better than ganetic, the baseline: 0.500 times its FID on 5 fresh seeds "
        f"(95 % {low:.3f} to {high:.3f}, Holm-corrected p < 0.001)"
    )
    assert "after Holm's correction for 1 comparison: better: hinge." in found.text[0]
    assert [row.loss for row in found.shown] == ["hinge", "ganetic"]
    assert not any("hopeful" in sentence for sentence in found.text)


def test_no_difference_that_the_seeds_could_show(base: BenchRun) -> None:
    found = said(base, ganetic=BASE, hinge=times(BASE, 0.8, 1.1, 0.9, 1.05, 0.9))
    assert found.title.startswith("Hinge is first, but no difference from ganetic that 5 seeds could show: 0.9")
    assert "not told apart: hinge." in found.text[0]
    [power] = [sentence for sentence in found.text if "80 % probability" in sentence]
    assert "the 5 seeds would have shown 1.2" in power


def test_a_baseline_that_is_best_is_compared_with_the_next(base: BenchRun) -> None:
    found = said(base, ganetic=BASE, worst=times(BASE, 9, 9, 9.1, 9, 9), hinge=times(BASE, 2, 2.1, 1.9, 2, 2))
    assert found.title.startswith("Ganetic, the baseline, is best: hinge, the next, has 2.00 times its FID on 5 fresh")
    assert "worse: hinge, worst." in found.text[0]
    assert "the figure of the first of 3 is a little too hopeful" in found.text[-1]


def test_a_baseline_that_is_first_by_chance(base: BenchRun) -> None:
    found = said(base, ganetic=BASE, hinge=times(BASE, 0.9, 1.2, 1.1, 0.95, 1.1))
    assert found.title.startswith(
        "Ganetic, the baseline, is first, but no difference from hinge that 5 seeds could show: that has 1.0"
    )


def test_correction_can_take_a_finding_away(base: BenchRun) -> None:
    """One comparison is a finding; as one of four it is none, though its own interval leaves out 1."""
    hinge = times(BASE, 0.9, 0.95, 0.8, 0.97, 0.9)
    others = {name: times(BASE, 1.5, 0.9, 1.1, 1.3, 0.95) for name in "abc"}
    assert "is better than" in said(base, ganetic=BASE, hinge=hinge).title
    assert "no difference" in said(base, ganetic=BASE, hinge=hinge, **others).title


def test_failed_runs_are_tested_by_ranks_and_stay_worst(base: BenchRun) -> None:
    eight = [*BASE, 20.0, 21.0, 19.5]
    found = said(base, ganetic=eight, hinge=[None, *[fid * 1.5 for fid in eight[1:] if fid]])
    assert found.title.startswith("Ganetic, the baseline, is best: hinge, the next, has 1.50 times its FID on 8 fresh")
    assert found.title.endswith("Holm-corrected p = 0.0078)")
    better = said(base, ganetic=[None, *eight[1:]], hinge=[fid / 2 for fid in eight if fid])
    assert better.title.startswith("Hinge is better than ganetic, the baseline: 0.500 times")


def test_first_by_the_mean_and_yet_worse_seed_by_seed(base: BenchRun) -> None:
    """The middle half decides the mean; the outer seeds decide the test."""
    low = [1.0, 1.0, 10.0, 10.0, 10.0, 10.0, 30.0, 30.0]
    high = [1.9, 2.0, 9.9, 9.9, 9.9, 9.9, 61.0, 59.0]
    found = said(base, ganetic=low, hinge=high)
    assert found.title.startswith(
        "Hinge has the lowest interquartile mean, yet seed by seed it is worse than ganetic: 1.40 times its FID"
    )
    found = said(base, ganetic=high, hinge=low)
    assert found.title.startswith(
        "Ganetic, the baseline, has the lowest interquartile mean, yet seed by seed hinge is better: 0.715 times"
    )


def test_one_seed_shows_nothing(base: BenchRun) -> None:
    found = said(base, ganetic=[20.0], hinge=[10.0])
    assert found.title == (
        "Hinge is first, but no difference from ganetic that 1 seed could show: 0.500 times its FID "
        "(too few seeds for a p)"
    )


def test_nothing_to_compare(base: BenchRun) -> None:
    alone = said(base, ganetic=BASE)
    assert alone.title == "Ganetic reaches FID 20.5; there is nothing to compare it with"
    assert said(base, ganetic=[None], hinge=[None, None]).title == "Every final run failed: 3 runs"
    apart = said(base, ganetic=[None, 20.0], hinge=[10.0, None])
    assert "is first; no seed ended well under it and under" in apart.title


def test_another_order_by_the_best_checkpoints_is_told(base: BenchRun) -> None:
    worse = times(BASE, 2, 2, 2.1, 2, 2)
    best: dict[str, Fids] = {"ganetic": [9.0] * 5, "hinge": [5.0] * 5}
    assert "by the best checkpoint of each run hinge is first" in said(base, best, ganetic=BASE, hinge=worse).text[-1]
    assert not any("checkpoint" in sentence for sentence in said(base, ganetic=BASE, hinge=worse).text)


def test_the_headline_is_that_of_the_record(base: BenchRun) -> None:
    final = base.results.tables["final"]
    found = verdict(base)
    first = final.rows[0].loss
    assert found.shown[0].loss == first
    one = next(c for c in final.comparisons if c.loss == (final.rows[1].loss if first == "ganetic" else first))
    assert one.ratio is not None
    assert number(one.ratio.mean) in found.title
    assert math.isfinite(one.ratio.mean)


def test_binding(base: BenchRun) -> None:
    def of(**changes: Any) -> str:
        return binding(replace(base, results=replace(base.results, **changes))).kind

    assert of() == "Exploratory"
    assert of(confirmatory=True) == "Confirmatory"
    assert of(confirmatory=True, departures=("Departs from protocol.json: x.",)) == "Confirmatory, with departures"
