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
from ganetics.report.charts import FAR, Axis, Chart, count_axis, linear_axis, log_axis, number, tick
from ganetics.report.search_run import Contender, Final, SearchRun, Trial

REFERENCES: Mapping[str, str] = {
    "GANetic": STANDARD["ganetic"],
    "non-saturating (BCE)": STANDARD["non-saturating"],
}
"""What a found loss is drawn beside."""
MIDDLE = 3.0
"""Logits from −3 to 3 (p from 0.05 to 0.95) decide the scale of curves and the height of their plots."""
LOGITS = np.linspace(-6.0, 6.0, 241)
SHADES = 6
"""Colours of rungs in the page."""
TIED: Mapping[str, str] = {"real": "L(1, p)", "fake": "L(0, p)"}
SEPARATE: Mapping[str, str] = {"real": "the real term", "fake": "the fake term", "generator": "the generator's term"}
PAIRS: Mapping[str, str] = {"real": "the discriminator's term", "generator": "the generator's term"}
"""What the terms of a loss are called."""
MANY = 500
"""More trials than this are smaller dots."""


def curves(losses: Mapping[str, Expression], *, called: Mapping[str, str]) -> list[Markup]:
    """Return two plots a term, its value and its slope; none without a loss.

    Args:
        losses: by what they are called.
        called: which terms to draw, and what they are called; those of :data:`TIED` over p, others over the logit.
    """
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
    what = "difference x of two logits" if called is PAIRS else "logit x"
    logit = Axis(-6.0, 6.0, marks, f"{what}; second line: p = sigmoid(x)")
    over, places = (p, sigmoid(LOGITS)) if called is TIED else (logit, LOGITS)
    panels = []
    for term, name in called.items():
        panels.append(_panel(over, places, values, term, f"{name}, scaled, its minimum at 0"))
        panels.append(_panel(logit, LOGITS, slopes, term, f"slope of {name} over x, scaled"))
    return panels


def progress(run: SearchRun, marked: frozenset[int]) -> Markup:
    """Return the plot of all trials in order, darker the higher the rung; ``marked``: candidates that get a ring."""
    fids = [trial.fid for trial in run.trials if trial.fid is not None]
    best = min(fids, default=1.0)
    y = log_axis([min(fid, FAR * best) for fid in fids], "FID of one run (lower is better)")
    chart = Chart(count_axis(len(run.trials), "trial"), y, 320)
    radius = 3.5 if len(run.trials) <= MANY else 2.0
    dots, rings = [], []
    for trial in run.trials:
        candidate = run.candidates[trial.candidate]
        title = "\n".join([_told(trial), candidate.history, candidate.text])
        if trial.fid is None:
            dots.append(chart.cross(trial.index, y.high, "failed", title))
            continue
        kind = f"trial {shade(trial.rung, len(run.config.rungs))}" + ("" if trial.rate == 1.0 else " open")
        dots.append(chart.dot(trial.index, trial.fid, kind, title, radius=radius))
        if trial.candidate in marked and candidate.compared[-1:] == (trial,):
            rings.append(chart.dot(trial.index, trial.fid, "ring", title, radius=7.0))
    failed, least = len(run.trials) - len(fids), number(best) if fids else "none"
    description = f"{len(run.trials)} trials, {failed} failed, the best FID {least}"
    full = [trial for trial in run.trials if trial.steps == run.config.rungs[-1].steps]
    return chart.draw([*dots, *_staircase(chart, full), *rings], description)


def shade(rung: int, rungs: int) -> str:
    """Return the class of a rung's colour: the highest is always the strongest.

    >>> [shade(rung, 4) for rung in range(4)], shade(0, 1)
    (['s0', 's2', 's3', 's5'], 's5')
    """
    return f"s{round((SHADES - 1) * (rung / (rungs - 1) if rungs > 1 else 1.0))}"


def front(contenders: Sequence[Contender]) -> Markup:
    """Return quality against robustness: a numbered spot a loss, larger with its nodes, filled if it is on the front.

    A loss of which a run failed is at the top; one that failed throughout at its best rate is left out.
    """
    shown = [(place, c, c.estimate.mean) for place, c in enumerate(contenders, start=1) if c.estimate is not None]
    x = log_axis([mean for _, _, mean in shown], "mean FID at its own best rate (lower is better; log scale)", most=6)
    y, top = _with_failed([c.worst for _, c, _ in shown])
    chart = Chart(x, y, 340)
    spots = []
    for place, contender, mean in reversed(shown):
        side, state = "rival" if contender.rival else "found", "kept" if contender.front else "beaten"
        words = [f"{place}. {contender.label}: {_estimate(contender)}", _worst(contender), _nodes(contender)]
        title = "; ".join(words) + f"\n{contender.text}"
        height = top if contender.worst is None else contender.worst
        spots.append(chart.spot(mean, height, f"{side} {state}", title, text=str(place), radius=_size(contender)))
    points = [(mean, c.worst) for _, c, mean in shown if c.worst is not None]
    kept = "; ".join(f"{place} {c.label}" for place, c, _ in shown if c.front)
    return chart.draw([*_frontier(chart, points), *spots], f"{len(shown)} losses, on the front: {kept}")


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


def _frontier(chart: Chart, points: Sequence[tuple[float, float]]) -> Iterator[Markup]:
    """Yield the stairs above and to the right of which everything is beaten in both."""
    corner: tuple[float, float] | None = None
    for x, y in sorted(points):
        if corner is not None and y >= corner[1]:
            continue
        yield chart.line((x, chart.y.high if corner is None else corner[1]), (x, y), "stairs")
        if corner is not None:
            yield chart.line(corner, (x, corner[1]), "stairs")
        corner = (x, y)
    if corner is not None:
        yield chart.line(corner, (chart.x.high, corner[1]), "stairs")


def _with_failed(values: Sequence[float | None]) -> tuple[Axis, float]:
    """Return an axis for these values with room at the top for None, and the place of that."""
    found = [value for value in values if value is not None]
    near = [min(value, FAR * min(found)) for value in found]
    axis = log_axis(near, "worst FID over all rates and seeds (lower is better)")
    if len(found) == len(values):
        return axis, axis.high
    step = (axis.high / axis.low) ** 0.1
    top = axis.high * step
    marks = (*((place, text) for place, text in axis.marks if place < axis.high / step**0.5), (top, "failed"))
    return replace(axis, high=top * step, marks=marks), top


def _size(contender: Contender) -> float:
    """Return the radius, in pixels."""
    return 7.0 + math.sqrt(contender.complexity or 0)


def _nodes(contender: Contender) -> str:
    return "no expression" if contender.complexity is None else f"{contender.complexity} nodes"


def _worst(contender: Contender) -> str:
    if contender.worst is None:
        return f"{contender.failures} of {len(contender.finals)} runs failed"
    return f"worst {number(contender.worst)}"


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


def _told(trial: Trial) -> str:
    found = trial.failure or "failed" if trial.fid is None else f"FID {number(trial.fid)}"
    where = f"rung {trial.rung + 1}, {trial.steps:,} steps, rate ×{trial.rate:g}"
    return f"trial {trial.index}: candidate {trial.candidate}, {where}, {found}"
