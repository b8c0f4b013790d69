"""A benchmark's tables for people, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.table import Table

from ganetics.benchmark.estimate import Estimate
from ganetics.benchmark.labels import short_names, shortened, written_out
from ganetics.benchmark.results import Results, as_json
from ganetics.benchmark.statistics import Comparison
from ganetics.benchmark.tables import Row
from ganetics.benchmark.tables import Table as Figures
from ganetics.cli.console import console, print_json

TITLES = {
    "final": "Each loss at its own best rate (fresh seeds)",
    "common": "All losses at the recipe's rate (fresh seeds)",
}
"""Tables that are printed; all others are in the files."""


def show(run: Path, found: Results, *, as_json: bool) -> None:
    """Print what a benchmark came to."""
    if as_json:
        print_json(plain(run, found))
        return
    for name, title in TITLES.items():
        if name in found.tables:
            _print(title, found.tables[name], found.tuned)
    if "final" not in found.tables:
        for label, one in found.tuned.items():
            tried, edge = ", ".join(f"{rate:g}" for rate in one.rates), ", at an edge" if one.at_edge else ""
            console.print(f"own best rate: {label} ×{one.rate:g} (of {tried}{edge})", markup=False)
    console.print(f"all figures: {run / 'tables.json'}, {run / 'tables'}; report: {run / 'report.html'}", markup=False)


def plain(run: Path, found: Results) -> dict[str, object]:
    """Return results as plain values, with the run's folder and its files."""
    names = {"archive": "archive.jsonl", "figures": "tables.json", "report": "report.html"}
    files = {name: str(run / file) for name, file in names.items()}
    return {"run": str(run), **files, **as_json(found)}


def _print(title: str, figures: Figures, contenders: Iterable[str]) -> None:
    table = Table(box=None, pad_edge=False, title_justify="left", title=title)
    table.add_column("loss", overflow="fold")
    for heading in ("rate", "IQM", "FID", "worst", "collapsed", "ratio", "p"):
        table.add_column(heading, justify="right")
    comparisons = {one.loss: one for one in figures.comparisons}
    labels = [figures.reference, *(row.loss for row in figures.rows)]
    names = short_names([*contenders, *labels])
    for row in figures.rows:
        table.add_row(names[row.loss], *_cells(row), *_compared(comparisons.get(row.loss)))
    console.print(table, markup=False)
    facts = figures.facts
    floor = f", floor {facts['floor']:.3g} at n {facts['floor_n']}" if facts.get("floor") is not None else ""
    console.print(
        f"{facts['dataset']}, {facts['split']} images, recipe {facts['recipe']}, {facts['steps']} steps; "
        f"{facts['extractor']}, n {facts['n']}{floor}. Sorted by IQM: interquartile mean of FID over the seeds, a "
        "failed run being the worst. FID: geometric mean and its 95 % interval; ratio of it to "
        f"{names[figures.reference]}, seed by seed; p after Holm's correction.",
        markup=False,
    )
    meant = (f"{name} = {label}" for name, label in written_out(names, labels).items())
    _print_notes((*(shortened(note, names) for note in figures.notes), *meant))
    console.print()


def _print_notes(notes: Sequence[str]) -> None:
    for note in notes:
        console.print(f"- {note}", markup=False)


def _cells(row: Row) -> tuple[str, ...]:
    fid = row.fid
    collapsed = round((row.collapsed.value or 0.0) * fid.n)
    iqm = _one(None if fid.iqm is None else fid.iqm.value)
    return f"×{row.rate:g}", iqm, _interval(fid.geometric), _one(fid.worst), f"{collapsed} of {fid.n}"


def _compared(one: Comparison | None) -> tuple[str, str]:
    if one is None:
        return "", ""
    return "failed" if one.ratio is None else f"{one.ratio.mean:.3g}", "" if one.p_holm is None else f"{one.p_holm:.2g}"


def _interval(found: Estimate | None) -> str:
    if found is None:
        return "failed"
    return _one(found.mean) + (
        "" if found.low is None or found.high is None else f" [{found.low:.3g}, {found.high:.3g}]"
    )


def _one(value: float | None) -> str:
    return "failed" if value is None else f"{value:.4g}"
