"""The figures of a training run's report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from ganetics.report.charts import Axis, Chart, linear_axis, log_axis, number, tick
from ganetics.report.train_run import TrainRun

HEIGHT = 190
MOST = 400
"""Points of a curve; of a longer history every so manieth."""
OUTPUTS: Mapping[str, tuple[str, str]] = {
    "d_real": ("thick rival", "real images"),
    "d_fake": ("thick found", "generated images"),
}
LOSSES: Mapping[str, tuple[str, str]] = {
    "d_loss": ("thick rival", "discriminator"),
    "g_loss": ("thick found", "generator"),
}
AUGMENT: Mapping[str, tuple[str, str]] = {
    "augment_p": ("thick found", "probability of each augmentation"),
    "rank_signal": ("thick rival", "signal that it follows"),
}
LEAST_KID = 1e-6
"""Of a logarithmic axis."""
Names = Mapping[str, tuple[str, str]]


def learning(run: TrainRun) -> list[Markup]:
    """Return plots over the steps: outputs, losses, augmentation and, with early stopping, KID; none without history.

    In each the curve of real images or of the discriminator has one colour, that of generated ones or of the generator
    the other.
    """
    lines = [line for line in run.history if "step" in line]
    if not lines:
        return []
    lines = lines[:: max(1, len(lines) // MOST)]
    x = linear_axis(0.0, float(lines[-1]["step"]), "step")
    unit = tuple((i / 4, tick(i / 4)) for i in range(5))
    found = [_panel(lines, OUTPUTS, x, Axis(0.0, 1.0, unit, "discriminator's output, sigmoid of the logit"))]
    found.append(_panel(lines, LOSSES, x, _axis(lines, LOSSES, "loss of each network")))
    if any("augment_p" in line for line in lines):
        found.append(_panel(lines, AUGMENT, x, _axis(lines, AUGMENT, "augmentation: probability, signal")))
    return found + _held_out(run, x)


def _panel(lines: Sequence[Mapping[str, float]], names: Names, x: Axis, y: Axis) -> Markup:
    chart = Chart(x, y, HEIGHT)
    steps = [line["step"] for line in lines]
    marks = [
        chart.curve(steps, [line.get(name, math.nan) for line in lines], kind) for name, (kind, _) in names.items()
    ]
    last = ", ".join(f"{words} {number(lines[-1][name])}" for name, (_, words) in names.items() if name in lines[-1])
    return chart.draw(marks, f"{y.label}, at the end: {last}")


def _axis(lines: Sequence[Mapping[str, float]], names: Names, label: str) -> Axis:
    """Return an axis for the middle 98 % of the values: one outlier must not flatten the rest."""
    values = np.array([line[name] for line in lines for name in names if name in line], dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return linear_axis(0.0, 1.0, label)
    low, high = np.quantile(values, [0.01, 0.99]).tolist()
    margin = 0.06 * (high - low) or max(abs(high), 1.0) * 0.1
    return linear_axis(low - margin, high + margin, label)


def _held_out(run: TrainRun, x: Axis) -> list[Markup]:
    """Return the plot of the kernel distance on held-out images, with a ring at the best; none without evaluations."""
    points = [(one.step, one.metrics["kid"]) for one in run.held_out if one.metrics is not None]
    if not points:
        return []
    # the estimate is without bias and may be below 0, a logarithm not
    height = {step: max(value, LEAST_KID) for step, value in points}
    y = log_axis([*height.values()], "KID on held-out images (lower is better; log scale)", most=5)
    chart = Chart(x, y, HEIGHT)
    best = min(points, key=lambda point: point[1])
    marks = [chart.curve([*height], [*height.values()], "thick found")]
    marks += [chart.dot(step, height[step], "found", f"step {step:,}: KID {number(value)}") for step, value in points]
    marks.append(chart.dot(best[0], height[best[0]], "ring", f"best: step {best[0]:,}", radius=8.0))
    return [chart.draw(marks, f"KID over {len(points)} evaluations, the best {number(best[1])} at step {best[0]:,}")]
