"""The benchmark's tables for others: CSV with every figure, LaTeX with those that a paper prints."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ganetics.benchmark.estimate import Estimate
from ganetics.benchmark.statistics import Comparison, Interval
from ganetics.benchmark.tables import Overall, Row, Steadiness, Table

ESCAPES = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}  # fmt: skip
INFINITE, ABSENT = r"$\infty$", "--"


def csv_text(rows: Table | Sequence[Steadiness] | Sequence[Overall]) -> str:
    """Return one line a loss, with a header; a figure that is infinite or not there is empty.

    Nested figures have joined names: ``fid_iqm_low`` is the lower end of the interquartile mean's interval. The
    columns of the comparison with the reference begin with ``comparison``.
    """
    if isinstance(rows, Table):
        facts = {**rows.facts, "phase": rows.phase, "checkpoint": rows.checkpoint}
        by_loss = {one.loss: one for one in rows.comparisons}
        nested = [facts | asdict(row) | {"comparison": _plain(by_loss.get(row.loss))} for row in rows.rows]
    else:
        nested = [asdict(row) for row in rows]
    flat = [dict(_flat("", one)) for one in nested]
    columns = list(dict.fromkeys(name for one in flat for name in one))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def latex_text(table: Table) -> str:
    r"""Return the table as a ``tabular`` for ``\usepackage{booktabs}``: losses best first, the first one bold.

    What the figures are, and the table's notes, stand above it as comments.
    """
    header = (
        "Loss", "Rate", r"FID, IQM [95\,\%]", "Mean (SD)", "Best", "Worst", r"Collapsed [95\,\%]",
        "Better", r"Ratio [95\,\%]", r"$p_{\mathrm{Holm}}$",
    )  # fmt: skip
    by_loss = {one.loss: one for one in table.comparisons}
    body = [(*_row_cells(row), *_comparison_cells(by_loss.get(row.loss))) for row in table.rows]
    if body:
        body[0] = (rf"\textbf{{{body[0][0]}}}", *body[0][1:])
    facts = ", ".join(f"{name} {value}" for name, value in table.facts.items() if value is not None)
    return _tabular(header, body, (
        f"{facts}; {table.phase} runs, {table.checkpoint} checkpoint",
        "IQM: interquartile mean, failed runs ranked worst, bootstrap; mean and SD: of the runs that ended",
        f"Better: probability of a smaller FID than {table.reference}'s; Ratio: geometric mean of FID over its, paired",
        *table.notes,
    ))  # fmt: skip


def latex_steadiness(rows: Sequence[Steadiness], *, level: str) -> str:
    r"""Return the losses' geometric mean FID at each level, and their worst case, as a ``tabular``.

    Args:
        rows: from :func:`ganetics.benchmark.tables.steadiness`.
        level: what the levels are, such as "learning rate".
    """
    values = sorted({one.value for row in rows for one in row.levels})
    header = ("Loss", *(rf"$\times${value:g}" if level == "learning rate" else f"{value:g}" for value in values),
              "Worst", r"Ratio of worst [95\,\%]", r"$p_{\mathrm{Holm}}$")  # fmt: skip
    body = []
    for row in rows:
        at = {one.value: one.fid for one in row.levels}
        means = [ABSENT if (found := at.get(value)) is None else _short(found.mean) for value in values]
        ratio, p = _comparison_cells(row.comparison)[1:]
        body.append((_escaped(row.loss), *means, _short(row.worst), ratio, p))
    return _tabular(header, body, (f"columns: {level}; geometric mean FID over the seeds that ended",))


def _row_cells(row: Row) -> tuple[str, ...]:
    fid = row.fid
    spread = "" if fid.sd is None else f" ({_short(fid.sd)})"
    mean = ABSENT if fid.mean is None else _short(fid.mean) + spread
    collapsed = row.collapsed
    share = f"{collapsed.value:.0%} [{collapsed.low:.0%}, {collapsed.high:.0%}]".replace("%", r"\,\%")
    return _escaped(row.loss), f"{row.rate:.3g}", _interval(fid.iqm), mean, _short(fid.best), _short(fid.worst), share


def _comparison_cells(one: Comparison | None) -> tuple[str, str, str]:
    if one is None:
        return ABSENT, ABSENT, ABSENT
    p = ABSENT if one.p_holm is None else "$<$0.001" if one.p_holm < 0.001 else f"{one.p_holm:.3f}"
    return _interval(one.improvement), _interval(one.ratio), p


def _interval(found: Interval | Estimate | None) -> str:
    if found is None:
        return ABSENT
    value = found.mean if isinstance(found, Estimate) else found.value
    ends = "" if found.low is None else f" [{_short(found.low)}, {_short(found.high)}]"
    return _short(value) + ends


def _short(value: float | None) -> str:
    """Three digits, never an exponent below a million; None is infinite."""
    if value is None:
        return INFINITE
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def _escaped(text: str) -> str:
    return "".join(ESCAPES.get(sign, sign) for sign in text)


def _tabular(header: Sequence[str], body: Sequence[Sequence[str]], comments: Sequence[str]) -> str:
    lines = [f"% {comment}" for comment in comments]
    lines += [
        rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        r"\toprule",
        " & ".join(header) + r" \\",
        r"\midrule",
    ]
    lines += [" & ".join(cells) + r" \\" for cells in body]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


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
