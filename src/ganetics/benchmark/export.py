"""The benchmark's tables for others: CSV with every figure, LaTeX with those that a paper prints."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ganetics.benchmark.estimate import Estimate
from ganetics.benchmark.labels import short_names, shortened, written_out
from ganetics.benchmark.statistics import Comparison, Interval
from ganetics.benchmark.tables import Row, Steadiness, Sweep, Table
from ganetics.benchmark.times import Times

ESCAPES = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",  # else other signs in the standard encoding
    "×": r"$\times$", "∞": r"$\infty$", "…": r"\ldots{}",
}  # fmt: skip
INFINITE, ABSENT = r"$\infty$", "--"
RUNS = {
    "final": "each loss at its own best learning rate",
    "common": "all losses at the recipe's learning rate",
    "tuning": "tuning runs",
    "batch": "each loss at its own best learning rate",
}
"""What the runs of a phase are."""
CHECKPOINTS = {"last": "the last step", "best": "each run's best checkpoint, chosen by this figure and so too good"}
"""Whose figures a table has."""
P_VALUE = (
    "p: two-sided, of the paired t test on log FID (the signed-rank test where a run of a pair failed), after Holm's "
    "correction."
)


def csv_text(rows: Table | Sequence[Steadiness] | Sequence[Times], beside: Sweep | None = None) -> str:
    """Return one line a loss, with a header; a figure that is infinite or not there is empty.

    Nested figures have joined names: ``fid_iqm_low`` is the lower end of the interquartile mean's interval. The
    columns of the comparison with the reference begin with ``comparison``. What holds of all lines, facts and notes, is
    in each.

    Args:
        rows: a table, or losses over several levels, or what they took.
        beside: of losses over several levels, what stands beside them.
    """
    same: dict[str, Any] = {}
    if isinstance(rows, Table):
        same = {**rows.facts, "phase": rows.phase, "checkpoint": rows.checkpoint, "notes": rows.notes}
        by_loss = {one.loss: one for one in rows.comparisons}
        nested = [asdict(row) | {"comparison": _plain(by_loss.get(row.loss))} for row in rows.rows]
    elif beside is not None:
        common = " ".join(f"{value:g}" for value in beside.common)
        same = {**beside.facts, "phase": beside.phase, "common_levels": common, "notes": beside.notes}
        nested = [asdict(row) | {"comparison": _plain(row.comparison)} for row in rows if isinstance(row, Steadiness)]
    else:
        nested = [asdict(row) for row in rows]
    flat = [dict(_flat("", same | one)) for one in nested]
    columns = sorted(dict.fromkeys(name for one in flat for name in one), key="notes".__eq__)  # the longest is the last
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def latex_text(table: Table, others: Iterable[str] = ()) -> str:
    r"""Return the table for ``\usepackage{booktabs}``, with what its figures are and its notes printed below it.

    Losses are in the order of their interquartile means; the lowest mean is bold.

    Args:
        table: from :func:`ganetics.benchmark.tables.table`.
        others: labels of the losses that other tables have, so that all shorten a label alike.
    """
    header = (
        "Loss", "Rate", r"FID, IQM [95\,\%]", "Mean (SD)", "Best", "Worst", r"Collapsed [95\,\%]",
        "Better", r"Ratio [95\,\%]", r"$p_{\mathrm{Holm}}$",
    )  # fmt: skip
    by_loss = {one.loss: one for one in table.comparisons}
    labels = [table.reference, *(row.loss for row in table.rows)]
    names = short_names([*others, *labels])
    body = [
        (_escaped(names[row.loss]), *_row_cells(row), *_comparison_cells(by_loss.get(row.loss))) for row in table.rows
    ]
    reference = names[table.reference]
    return _tabular(header, body, table.facts, [
        f"{_source(table.facts)}; {RUNS[table.phase]}, {_seeds(row.fid.n for row in table.rows)}; "
        f"figures of {CHECKPOINTS[table.checkpoint]}.",
        "Rate: factor of the recipe's learning rate. IQM: interquartile mean, a failed run being the worst, with a "
        "bootstrap interval; losses are in its order, and bold is the lowest, whatever the test says. Mean, SD: of the "
        f"runs that ended. Better: probability of a smaller FID than {reference}'s. Ratio: geometric mean of FID over "
        f"that of {reference}, seed by seed. {P_VALUE}",
        *_notes(table.notes, names, labels),
    ])  # fmt: skip


def latex_steadiness(rows: Sequence[Steadiness], beside: Sweep, others: Iterable[str] = (), *, level: str) -> str:
    r"""Return the losses' geometric mean FID at each level, and their worst case, as :func:`latex_text` does.

    Args:
        rows: from :func:`ganetics.benchmark.tables.steadiness`.
        beside: what stands beside them.
        others: labels of the losses that other tables have.
        level: what the levels are, such as "learning rate".
    """
    values = sorted({one.value for row in rows for one in row.levels})
    sign, factor = ("×", ", as a factor of the recipe's") if level == "learning rate" else ("", "")
    header = ("Loss", *(_escaped(f"{sign}{value:g}") for value in values),
              "Worst", r"Ratio of worst [95\,\%]", r"$p_{\mathrm{Holm}}$")  # fmt: skip
    labels = [beside.reference, *(row.loss for row in rows)]
    names = short_names([*others, *labels])
    body = []
    for row in rows:
        at = {one.value: _short(one.fid.mean if one.fid else None) for one in row.levels}
        ratio, p = _comparison_cells(row.comparison)[1:]
        means = [at.get(value, ABSENT) for value in values]
        body.append((_escaped(names[row.loss]), *means, _short(row.worst), ratio, p))
    seeds = (one.failed + (one.fid.n if one.fid else 0) for row in rows for one in row.levels)
    common = ", ".join(f"{sign}{value:g}" for value in beside.common)
    return _tabular(header, body, beside.facts, [
        f"{_source(beside.facts)}; {RUNS[beside.phase]}, {_seeds(seeds)}.",
        f"Columns: {level}{factor}; geometric mean FID of the runs that ended (∞: none; {ABSENT}: not run). "
        f"Worst, ratio and p: over the {level}s that all losses were run at ({common}). Worst: of all runs there (∞: "
        f"one failed); losses are in its order. Ratio: at each seed the worst case over that of "
        f"{names[beside.reference]}, geometric mean. {P_VALUE}",
        *_notes(beside.notes, names, labels),
    ])  # fmt: skip


def _source(facts: Mapping[str, Any]) -> str:
    """Return what figures were made from."""
    floor = "" if facts.get("floor") is None else f" (real against real {_short(facts['floor'])} at {facts['floor_n']})"
    return (
        f"{facts['dataset']}, {facts['split']} images; FID on features of {facts['extractor']}, n = {facts['n']}{floor}"
        f"; recipe {facts['recipe']}, {facts['steps']} steps; protocol: {facts.get('protocol') or 'none'}"
    )


def _seeds(counts: Iterable[int]) -> str:
    """Return how many seeds losses have.

    >>> _seeds([10, 10]), _seeds([9, 10]), _seeds([1])
    ('10 seeds', '9 to 10 seeds', '1 seed')
    """
    found = sorted(set(counts))
    return f"{found[0]} to {found[-1]} seeds" if len(found) > 1 else f"{found[0]} seed{'s' * (found[0] > 1)}"


def _notes(notes: Iterable[str], names: Mapping[str, str], labels: Iterable[str]) -> list[str]:
    """Return notes with labels shortened, and then what is short for what."""
    meant = (f"{name} = {label}." for name, label in written_out(names, labels).items())
    return [*(shortened(note, names) for note in notes), *meant]


def _row_cells(row: Row) -> tuple[str, ...]:
    fid = row.fid
    spread = "" if fid.sd is None else f" ({_short(fid.sd)})"
    mean = ABSENT if fid.mean is None else _short(fid.mean) + spread
    collapsed = row.collapsed
    share = f"{collapsed.value:.0%} [{collapsed.low:.0%}, {collapsed.high:.0%}]".replace("%", r"\,\%")
    iqm = _interval(fid.iqm, bold=row.rank.value == 1 and fid.iqm is not None and fid.iqm.value is not None)
    return f"{row.rate:.3g}", iqm, mean, _short(fid.best), _short(fid.worst), share


def _comparison_cells(one: Comparison | None) -> tuple[str, str, str]:
    if one is None:
        return ABSENT, ABSENT, ABSENT
    p = ABSENT if one.p_holm is None else "$<$0.001" if one.p_holm < 0.001 else f"{one.p_holm:.3f}"
    return _interval(one.improvement), _interval(one.ratio), p


def _interval(found: Interval | Estimate | None, *, bold: bool = False) -> str:
    if found is None:
        return ABSENT
    value = _short(found.mean if isinstance(found, Estimate) else found.value)
    ends = "" if found.low is None else f" [{_short(found.low)}, {_short(found.high)}]"
    return (rf"\textbf{{{value}}}" if bold else value) + ends


def _short(value: float | None) -> str:
    """Three digits, never an exponent below a million; None is infinite."""
    if value is None:
        return INFINITE
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def _escaped(text: str) -> str:
    escaped = "".join(ESCAPES.get(sign, sign) for sign in text)
    return f"{{}}{escaped}" if text.startswith(("[", "*")) else escaped  # else the end of the row before takes them


def _tabular(
    header: Sequence[str], body: Sequence[Sequence[str]], facts: Mapping[str, Any], notes: Iterable[str]
) -> str:
    """Return a tabular over its notes, in one column, so that they stay together wherever it is put."""
    told = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
    return "\n".join([
        f"% {told}",
        r"% needs \usepackage{booktabs}; where it is too wide: \resizebox{\linewidth}{!}{\input{FILE}} of graphicx",
        r"\begin{tabular}{@{}l@{}}",
        rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        r"\toprule",
        " & ".join(header) + r" \\",
        r"\midrule",
        *(" & ".join(cells) + r" \\" for cells in body),
        r"\bottomrule",
        r"\end{tabular} \\ \noalign{\smallskip}",
        r"\parbox{\linewidth}{\footnotesize\raggedright",
        *map(_escaped, notes),
        "}",
        r"\end{tabular}",
    ]) + "\n"  # fmt: skip


def _plain(one: Comparison | None) -> dict[str, Any]:
    return {} if one is None else {name: value for name, value in asdict(one).items() if name != "loss"}


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    prefix = f"{name}_" if name else ""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{prefix}{key}", inner)
    elif isinstance(value, tuple | list):
        if all(isinstance(one, str) for one in value):
            yield name, " ".join(value)
        else:  # levels
            for one in value:
                yield from _flat(f"{prefix}{one['value']:g}", {k: v for k, v in one.items() if k != "value"})
    else:
        yield name, value
