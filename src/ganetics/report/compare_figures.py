"""The figures of the page that compares training runs. The baseline is one colour, all other settings another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from markupsafe import Markup

from ganetics.report.charts import FAR, Axis, Chart, log_axis, number
from ganetics.report.compare_runs import Row, Table

SPREAD = 0.6
"""Half the height over which the dots of a row are spread, of 1."""


def dots(table: Table) -> list[tuple[Row, Markup]]:
    """Return a plot for each setting, on one axis: a dot a run, the geometric mean, its interval.

    The line through each is the mean of its baseline. A seed is at the same height in every row.
    """
    fids = [one.fid for row in table.rows for one in row.values]
    if not fids:
        return []
    ends = [end for row in table.rows if row.fid is not None for end in (row.fid.low, row.fid.high) if end is not None]
    least = min(fids)
    shown = [min(max(value, least / 3), FAR * least) for value in (*fids, *ends)]
    axis = log_axis(shown, "FID (lower is better; log scale)", most=6)
    bare = replace(axis, marks=tuple((value, "") for value, _ in axis.marks), label="")
    seeds = sorted({one.seed for row in table.rows for one in row.values})
    step = 2 * SPREAD / max(len(seeds) - 1, 1)
    heights = {seed: SPREAD - i * step if len(seeds) > 1 else 0.0 for i, seed in enumerate(seeds)}
    means = {row.setting: row.fid.mean for row in table.rows if row.fid is not None}
    bases = [None if row.baseline is None else means.get(row.baseline) for row in table.rows]
    last = len(table.rows) - 1
    return [
        (row, _row(row, axis if place == last else bare, heights, base))
        for place, (row, base) in enumerate(zip(table.rows, bases, strict=True))
    ]


def _row(row: Row, axis: Axis, heights: Mapping[int, float], base: float | None) -> Markup:
    chart = Chart(axis, Axis(-1.0, 1.0, ()), 40, gutter=8)
    kind = "rival" if row.is_baseline else "found"
    marks = [] if base is None else [chart.line((base, -1.0), (base, 1.0), "baseline")]
    if row.fid is not None and row.fid.low is not None and row.fid.high is not None:
        marks.append(chart.line((row.fid.low, 0.0), (row.fid.high, 0.0), f"interval wide {kind}"))
    for one in row.values:
        title = f"{row.setting.label}, seed {one.seed}: FID {number(one.fid)}, KID {number(one.kid)}"
        marks.append(chart.dot(one.fid, heights[one.seed], f"final {kind}", title))
    if row.fid is not None:
        marks.append(chart.line((row.fid.mean, -0.9), (row.fid.mean, 0.9), f"mean {kind}"))
    told = "none" if row.fid is None else number(row.fid.mean)
    return chart.draw(marks, f"{row.setting.label}: mean FID {told} over {len(row.values)} runs")
