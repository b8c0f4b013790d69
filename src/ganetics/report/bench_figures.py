"""The figures of a benchmark's report. The baseline is one colour everywhere, all other losses another."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from markupsafe import Markup

from ganetics.benchmark.estimate import Estimate, estimate
from ganetics.benchmark.plan import Line, Phase
from ganetics.benchmark.tables import Row
from ganetics.report.bench_run import BenchRun, ended
from ganetics.report.bench_verdict import limits
from ganetics.report.charts import FAR, Axis, Chart, linear_axis, log_axis, number, tick

By = Literal["rate", "batch_size"]
PHASE_OF: Mapping[By, Phase] = {"rate": "tuning", "batch_size": "batch"}
LABELS: Mapping[By, str] = {"rate": "rate, times the recipe's", "batch_size": "batch size"}
SPREAD = 0.7
"""Half the height over which the dots of a row are spread, of 1."""
APART = 0.16
"""Marks of an axis are at least so far apart, of its length."""


def ranking(run: BenchRun) -> list[tuple[Row, Markup]]:
    """Return a plot for each loss, best first, on one axis: a dot a final run, the interquartile mean, its interval.

    The line through all of them is the baseline's interquartile mean. A seed is at the same height in every row.
    """
    table = run.final
    if table is None:
        return []
    values = [fid for row in table.rows for fid in (*ended(run.runs("final", row.loss)), *_ends(row))]
    axis = log_axis(_near(values), "FID (lower is better; log scale)", most=6)
    bare = replace(axis, marks=tuple((value, "") for value, _ in axis.marks), label="")
    heights = _heights(run.runs("final"))
    last = len(table.rows) - 1
    return [(row, _ranked(run, row, axis if i == last else bare, heights)) for i, row in enumerate(table.rows)]


def over(run: BenchRun, by: By) -> list[Markup]:
    """Return a plot for each loss, on equal axes: FID over learning rates or batch sizes, a dot a run; none without
    runs.

    Line: geometric mean of the runs that ended; beside it that of the baseline. Ring: the rate that was chosen.
    """
    lines = run.runs(PHASE_OF[by])
    if not lines:
        return []
    levels = sorted({float(line[by]) for line in lines})
    margin = 1.15 * max(levels[-1] / levels[0], 1.2) ** 0.04
    x = Axis(levels[0] / margin, levels[-1] * margin, (), LABELS[by], log=True)
    x = replace(x, marks=_apart(x, levels))
    y = log_axis(_near(ended(lines)), "", most=5)
    chosen = {label: one.rate for label, one in run.results.tuned.items()} if "rates" in run.results.steadiness else {}
    means = {label: _means(run.runs(PHASE_OF[by], label), by) for label in run.order}
    return [
        _swept(run, label, Chart(x, replace(y, label=run.name(label)), 150, gutter=44), by, means, chosen.get(label))
        for label in run.order
    ]


def learning(run: BenchRun) -> list[Markup]:
    """Return a plot for each loss, on equal axes: median and range of FID over its final seeds, at each scored step.

    A run that failed counts as worse than all others from then on. None where no run was scored on the way.
    """
    steps = [*run.config.score_at, run.config.recipe.steps]
    curves = {label: _curves(run.runs("final", label), steps) for label in run.order}
    drawn = {label: values for label, values in curves.items() if len(values)}
    finite = [fid for values in drawn.values() for fid in values.ravel().tolist() if math.isfinite(fid)]
    if len(steps) < 2 or not finite:
        return []
    x, y = linear_axis(0.0, float(steps[-1]), "steps"), log_axis(_near(finite), "", most=5)
    beside = drawn.get(run.baseline)
    panels = []
    for label, values in drawn.items():
        chart = Chart(x, replace(y, label=run.name(label)), 150, gutter=44)
        kind = kind_of(run, label)
        marks = [chart.band(steps, values.min(axis=0), values.max(axis=0), kind)]
        if beside is not None and label != run.baseline:
            marks.append(chart.curve(steps, np.median(beside, axis=0), "thin rival"))
        medians = np.median(values, axis=0)
        marks.append(chart.curve(steps, medians, f"thick {kind}"))
        marks += [
            chart.dot(step, median, kind, f"{label}, step {step:,}: median {number(median)} over {len(values)} seeds")
            for step, median in zip(steps, medians.tolist(), strict=True) if math.isfinite(median)
        ]  # fmt: skip
        panels.append(chart.draw(marks, f"{label}: median FID {', '.join(map(number, medians.tolist()))}"))
    return panels


def kind_of(run: BenchRun, label: str) -> str:
    """Return the class of a loss's colour."""
    return "rival" if label == run.baseline else "found"


def _ranked(run: BenchRun, row: Row, axis: Axis, heights: Mapping[int, float]) -> Markup:
    chart, kind = Chart(axis, Axis(-1.0, 1.0, ()), 44, gutter=8), kind_of(run, row.loss)
    marks = []
    base = run.row(run.baseline)
    if base is not None and base.fid.iqm is not None and base.fid.iqm.value is not None:
        at = base.fid.iqm.value
        marks.append(chart.line((at, -1.0), (at, 1.0), "baseline"))
    iqm = row.fid.iqm
    if iqm is not None and iqm.low is not None:
        high = axis.high if iqm.high is None else iqm.high
        marks.append(chart.line((iqm.low, 0.0), (high, 0.0), f"interval wide {kind}"))
    marks += [_final(chart, line, heights[line["seed"]], kind) for line in run.runs("final", row.loss)]
    if iqm is not None and iqm.value is not None:
        marks.append(chart.line((iqm.value, -0.9), (iqm.value, 0.9), f"mean {kind}"))
    value = "infinite" if iqm is None or iqm.value is None else number(iqm.value)
    return chart.draw(marks, f"{row.loss}: interquartile mean {value}, {limits(iqm) or 'no interval'}")


def _final(chart: Chart, line: Line, height: float, kind: str) -> Markup:
    where = f"{line['loss']}, seed {line['seed']}"
    if line["fid"] is None:
        return chart.cross(chart.x.high, height, "final failed", f"{where}: {_failure(line)}")
    state = " collapsed" if line["collapsed"] else ""
    return chart.dot(line["fid"], height, f"final {kind}{state}", f"{where}: FID {number(line['fid'])}{state}")


def _swept(
    run: BenchRun, label: str, chart: Chart, by: By, means: Mapping[str, Mapping[float, Estimate | None]],
    chosen: float | None,
) -> Markup:  # fmt: skip
    kind = kind_of(run, label)
    marks = [] if label == run.baseline else [_line(chart, means.get(run.baseline, {}), "thin rival")]
    marks.append(_line(chart, means[label], f"thick {kind}"))
    for line in run.runs(PHASE_OF[by], label):
        where = f"{label}, {by.replace('_', ' ')} {line[by]:g}, seed {line['seed']}"
        if line["fid"] is None:
            marks.append(chart.cross(line[by], chart.y.high, "failed", f"{where}: {_failure(line)}"))
        else:
            marks.append(chart.dot(line[by], line["fid"], f"run {kind}", f"{where}: FID {number(line['fid'])}"))
    if by == "rate" and chosen is not None and (found := means[label].get(chosen)) is not None:
        marks.append(chart.dot(chosen, found.mean, "ring", f"chosen: ×{chosen:g}", radius=8.0))
    told = (f"{level:g}: {'failed' if one is None else number(one.mean)}" for level, one in means[label].items())
    return chart.draw(marks, f"{label}: mean FID by {by.replace('_', ' ')}: {', '.join(told)}")


def _line(chart: Chart, means: Mapping[float, Estimate | None], kind: str) -> Markup:
    return chart.curve(list(means), [math.nan if one is None else one.mean for one in means.values()], kind)


def _means(lines: Sequence[Line], by: By) -> dict[float, Estimate | None]:
    levels: dict[float, list[Line]] = defaultdict(list)
    for line in lines:
        levels[float(line[by])].append(line)
    return {level: estimate(ended(levels[level])) for level in sorted(levels)}


def _curves(lines: Sequence[Line], steps: Sequence[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return FIDs ``[runs, steps]``, infinite from where a run failed."""
    rows = [[float(dict(line["curve"]).get(step, math.inf)) for step in steps] for line in lines]
    return np.array(rows, dtype=np.float64)


def _heights(lines: Iterable[Line]) -> dict[int, float]:
    """Return seed → place in a row, from top to bottom."""
    seeds = list(dict.fromkeys(line["seed"] for line in lines))
    step = 2 * SPREAD / max(len(seeds) - 1, 1)
    return {seed: SPREAD - i * step if len(seeds) > 1 else 0.0 for i, seed in enumerate(seeds)}


def _apart(axis: Axis, values: Sequence[float]) -> tuple[tuple[float, str], ...]:
    """Return marks for these values, without those too close to one before."""
    marks: list[tuple[float, str]] = []
    for value in values:
        if not marks or axis.share(value) - axis.share(marks[-1][0]) >= APART:
            marks.append((value, tick(value)))
    return tuple(marks)


def _ends(row: Row) -> list[float]:
    found = row.fid.iqm
    return [] if found is None else [v for v in (found.low, found.value, found.high) if v is not None]


def _near(values: Sequence[float]) -> list[float]:
    """Return values of which none is so far off that it would flatten all others."""
    return [min(value, FAR * min(values)) for value in values]


def _failure(line: Line) -> str:
    return str(line["failure"]["kind"]) if line["failure"] else "failed"
