"""The figures of a search's report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from markupsafe import Markup

from ganetics.expressions.numeric import Terms, term_gradients, terms
from ganetics.expressions.primitives import Array, sigmoid
from ganetics.expressions.standard import STANDARD
from ganetics.expressions.tree import Expression
from ganetics.report.charts import Axis, Chart, count_axis, linear_axis, log_axis, number, tick
from ganetics.report.run import Contender, Final, Trial

REFERENCES: Mapping[str, str] = {
    "GANetic": STANDARD["ganetic"],
    "non-saturating (BCE)": STANDARD["non-saturating"],
}
"""What a found loss is drawn beside."""
MIDDLE = 3.0
"""Logits from −3 to 3 (p from 0.05 to 0.95) decide the scale of curves and the height of their plots."""
LOGITS = np.linspace(-6.0, 6.0, 241)
BANDS = 40
"""Bands of generations in a figure, at most."""
MANY = 500
"""More trials than this are smaller dots."""
FAR = 1000.0
"""Times the best: what is worse is drawn at the edge, or one hopeless loss would flatten all others."""


def curves(losses: Mapping[str, Expression]) -> list[Markup]:
    """Return four plots: the real and the fake term over p, and their slopes over the logit; none without a loss."""
    if not losses:
        return []
    values, slopes = {}, {}
    for name, loss in losses.items():
        value, slope = terms(loss, LOGITS), term_gradients(loss, LOGITS)
        scale = _scale(slope)
        values[name] = Terms(*(scale * (part - np.nanmin(part)) for part in (value.real, value.fake, value.generator)))
        slopes[name] = Terms(*(scale * part for part in (slope.real, slope.fake, slope.generator)))
    p = Axis(0.0, 1.0, tuple((i / 4, f"{i / 4:g}") for i in range(5)), "p = D(x), the discriminator's output")
    marks = tuple((x, f"{tick(x)}\n{_share(x)}") for x in (-6.0, -3.0, 0.0, 3.0, 6.0))
    logit = Axis(-6.0, 6.0, marks, "logit x; second line: p = sigmoid(x)")
    return [
        _panel(p, sigmoid(LOGITS), values, "real", "L(1, p), scaled, its minimum at 0"),
        _panel(p, sigmoid(LOGITS), values, "fake", "L(0, p), scaled, its minimum at 0"),
        _panel(logit, LOGITS, slopes, "real", "dL(1, p)/dx, scaled"),
        _panel(logit, LOGITS, slopes, "fake", "dL(0, p)/dx, scaled"),
    ]


def progress(trials: Sequence[Trial], marked: frozenset[int]) -> Markup:
    """Return the plot of all trials in order; ``marked``: indices that get a ring."""
    fids = [trial.fid for trial in trials if trial.fid is not None]
    best = min(fids, default=1.0)
    y = log_axis([min(fid, FAR * best) for fid in fids], "FID, one seed (lower is better)")
    chart = Chart(count_axis(len(trials), "trial"), y, 300)
    radius = 3.5 if len(trials) <= MANY else 2.0
    dots, rings = [], []
    for trial in trials:
        title = f"trial {trial.index}: {trial.history}, {_fid(trial)}\n{trial.text}"
        if trial.fid is None:
            dots.append(chart.cross(trial.index, y.high, "failed", title))
            continue
        dots.append(chart.dot(trial.index, trial.fid, f"trial o-{trial.origin}", title, radius=radius))
        if trial.index in marked:
            rings.append(chart.dot(trial.index, trial.fid, "ring", title, radius=7.0))
    description = (
        f"{len(trials)} trials, {len(trials) - len(fids)} failed, the best FID {number(best) if fids else 'none'}"
    )
    return chart.draw([*_bands(chart, trials), *dots, *_staircase(chart, trials), *rings], description)


def generations_a_band(trials: Sequence[Trial]) -> int:
    """Return how many generations a band of :func:`progress` stands for."""
    return max(-(-(trials[-1].generation + 1) // BANDS), 1) if trials else 1


def forest(contenders: Sequence[Contender], floor: float | None = None) -> Markup:
    """Return mean and interval of every loss at its own best rate, best at the top."""
    shown = [contender for contender in contenders if contender.estimate is not None]
    x = _shared_axis([v for c in shown for v in _ends(c)] + ([floor] if floor else []))
    rows = len(shown)
    names = tuple((float(rows - i), contender.label) for i, contender in enumerate(shown))
    chart = Chart(x, Axis(0.4, rows + 0.6, names), 26 * rows, gutter=124)
    marks = [chart.line((floor, 0.4), (floor, rows + 0.6), "floor")] if floor else []
    for i, contender in enumerate(shown):
        marks += _mean(chart, contender, float(rows - i))
    return chart.draw(marks, "; ".join(f"{c.label} {_estimate(c)}" for c in shown))


def strips(contenders: Sequence[Contender]) -> list[Markup]:
    """Return a plot for each loss, on one axis: a row a rate, a dot a run; a failed run is a cross at the right."""
    axis = _shared_axis([v for c in contenders for v in _values(c)])
    bare = replace(axis, marks=tuple((value, "") for value, _ in axis.marks), label="")
    last = len(contenders) - 1
    return [_strip(c, axis if i == last else bare) for i, c in enumerate(contenders)]


def _strip(contender: Contender, axis: Axis) -> Markup:
    rates = sorted({run.rate for run in contender.finals})
    rows = {rate: float(len(rates) - i) for i, rate in enumerate(rates)}
    names = tuple((row, f"×{rate:g}") for rate, row in rows.items())
    chart = Chart(axis, Axis(0.4, len(rates) + 0.6, names), 22 * len(rates))
    kind = "rival" if contender.rival else "found"
    marks = []
    for rate, row in rows.items():
        if rate == contender.best_rate:
            marks.append(chart.line((axis.low, row), (axis.high, row), "chosen"))
        marks += [_final(chart, run, row, kind) for run in contender.finals if run.rate == rate]
    marks += _mean(chart, contender, rows[contender.best_rate])
    return chart.draw(marks, f"{contender.label}: {_estimate(contender)}, {contender.failures} runs failed")


def _final(chart: Chart, run: Final, row: float, kind: str) -> Markup:
    where = f"rate ×{run.rate:g} ({run.learning_rate:g}), seed {run.seed}"
    if run.fid is None:
        return chart.cross(chart.x.high, row, "final failed", f"{where}: {run.failure}")
    return chart.dot(run.fid, row, f"final {kind}", f"{where}: FID {number(run.fid)}")


def _mean(chart: Chart, contender: Contender, row: float) -> Iterator[Markup]:
    found, kind = contender.estimate, "rival" if contender.rival else "found"
    if found is None:
        return
    if found.low is not None and found.high is not None:
        yield chart.line((found.low, row), (found.high, row), f"interval {kind}")
    yield chart.line((found.mean, row - 0.3), (found.mean, row + 0.3), f"mean {kind}")


def _values(contender: Contender) -> list[float]:
    return [run.fid for run in contender.finals if run.fid is not None] + _ends(contender)


def _ends(contender: Contender) -> list[float]:
    found = contender.estimate
    return [] if found is None else [v for v in (found.low, found.mean, found.high) if v is not None]


def _shared_axis(values: Sequence[float]) -> Axis:
    return log_axis(values, "FID (lower is better; log scale)", most=6)


def _estimate(contender: Contender) -> str:
    found = contender.estimate
    if found is None:
        return "all runs failed"
    interval = "" if found.low is None or found.high is None else f", {number(found.low)} to {number(found.high)}"
    return f"FID {number(found.mean)}{interval}"


def _bands(chart: Chart, trials: Sequence[Trial]) -> Iterator[Markup]:
    together = generations_a_band(trials)
    bands: dict[int, list[int]] = {}
    for trial in trials:
        bands.setdefault(trial.generation // together, []).append(trial.index)
    for band, inside in bands.items():
        if band % 2:
            yield chart.band(min(inside) - 0.5, max(inside) + 0.5, "band")


def _staircase(chart: Chart, trials: Sequence[Trial]) -> Iterator[Markup]:
    best: Trial | None = None
    for trial in trials:
        if trial.fid is None or (best is not None and best.fid is not None and trial.fid >= best.fid):
            continue
        if best is not None and best.fid is not None:
            yield chart.line((best.index, best.fid), (trial.index, best.fid), "best")
            yield chart.line((trial.index, best.fid), (trial.index, trial.fid), "best")
        best = trial
    if best is not None and best.fid is not None:
        yield chart.line((best.index, best.fid), (chart.x.high, best.fid), "best")


def _panel(x: Axis, places: Array, drawn: Mapping[str, Terms], term: str, label: str) -> Markup:
    middle = np.abs(LOGITS) <= MIDDLE
    inside = np.concatenate([getattr(lines, term)[middle] for lines in drawn.values()])
    low, high = float(np.nanmin(inside)), float(np.nanmax(inside))
    margin = 0.06 * (high - low) or 1.0
    chart = Chart(x, linear_axis(low - margin, high + margin, label), 200, gutter=36)
    lines = [chart.curve(places, getattr(part, term), f"c{i}") for i, part in enumerate(drawn.values())]
    return chart.draw(lines, f"{label}: {', '.join(drawn)}")


def _scale(slopes: Terms) -> float:
    """Adam divides a gradient by its root mean square, so a loss's own scale means nothing: bring that to 1."""
    middle = np.abs(LOGITS) <= MIDDLE
    square = float(np.mean(np.concatenate([slopes.real[middle], slopes.fake[middle]]) ** 2))
    return float(square**-0.5) if np.isfinite(square) and square > 0 else 1.0


def _share(logit: float) -> str:
    return f"{1.0 / (1.0 + math.exp(-logit)):.3f}".rstrip("0")


def _fid(trial: Trial) -> str:
    return trial.failure or "failed" if trial.fid is None else f"FID {number(trial.fid)}"
