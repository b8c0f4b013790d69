"""The page of a benchmark: one HTML file that needs no script and no network, made from the run's records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

import ganetics
from ganetics._files import write_atomically
from ganetics.benchmark.labels import shortened
from ganetics.benchmark.results import Results
from ganetics.benchmark.statistics import FEWEST, Comparison
from ganetics.benchmark.tables import METRICS, Row, Steadiness, Table
from ganetics.benchmark.times import Times
from ganetics.report import bench_facts, bench_figures
from ganetics.report.bench_run import BenchRun, Sample, read_bench
from ganetics.report.bench_verdict import binding, limits, standing, verdict
from ganetics.report.template import REFRESH_SECONDS, environment, picture
from ganetics.report.words import chance

TABLES = (
    ("final", "own", "Each loss at its own best rate"),
    ("common", "common", "All losses at the recipe's rate"),
)
"""Name among the results, anchor and heading of the tables with all figures."""


@dataclass(frozen=True)
class Figures:
    """A table of distances and tests, as the page shows it."""

    name: str
    anchor: str
    heading: str
    table: Table
    rows: tuple[tuple[Row, Comparison | None], ...]
    times: Mapping[str, Times]
    """By label; without losses of which nothing is recorded."""
    notes: Sequence[str]
    """Of the table, with the names that the page has for losses."""

    @property
    def metrics(self) -> list[str]:
        """Names of the further metrics that a loss has."""
        return [name for name in METRICS if any(name in row.metrics for row, _ in self.rows)]


@dataclass(frozen=True)
class Checkpoints:
    """A loss at its last and at its best checkpoint, over the same runs."""

    last: Row
    best: Row
    step: int | None
    """Median of the steps of the best ones."""
    comparison: Comparison | None
    """Of the best ones with the baseline's."""


@dataclass(frozen=True)
class Sweep:
    """A loss over learning rates or batch sizes."""

    anchor: str
    heading: str
    level: str
    panels: Sequence[Markup]
    rows: Sequence[Steadiness]
    """Steadiest first; empty before all its runs are made."""
    common: str
    """The levels that all losses were run at."""
    provenance: str


def write_bench_report(run: Path, found: Results | None = None) -> Path:
    """Write ``report.html`` from what a benchmark has recorded so far, and return its path.

    Args:
        run: the benchmark's folder.
        found: its results, where the caller has just made them.

    Raises:
        InputError: the folder holds no benchmark, a file in it is damaged, or its protocol was changed.
        OSError: the disk is full or the folder not writable.
    """
    page = Path(run) / "report.html"
    write_atomically(page, render(read_bench(Path(run), found)).encode())
    return page


def render(run: BenchRun) -> str:
    """Return the page."""
    templates = environment()
    templates.filters.update(limits=limits, chance=chance, percent=percent)
    templates.globals["standing_of"] = standing
    return templates.get_template("bench.html").render(_context(run))


def percent(share: float) -> str:
    """Return a share for people.

    >>> percent(0.034), percent(1.0)
    ('3 %', '100 %')
    """
    return f"{100 * share:.0f} %"


def _context(run: BenchRun) -> dict[str, Any]:
    return {
        "run": run,
        "baseline": run.name(run.baseline),
        "shortened": any(label != name for label, name in run.names.items()),
        "few": FEWEST,
        "version": ganetics.__version__,
        "verdict": verdict(run),
        "binding": binding(run),
        "standing": bench_facts.standing(run),
        "refresh": REFRESH_SECONDS,
        "provenance": bench_facts.provenance(run),
        "ranking": bench_figures.ranking(run),
        "figures": list(_figures(run)),
        "sweeps": list(_sweeps(run)),
        "learning": bench_figures.learning(run),
        "checkpoints": list(_checkpoints(run)),
        "samples": [(label, _pictures(run, label)) for label in run.order if run.samples(label)],
        "losses": bench_facts.losses(run),
        "rules": bench_facts.rules(run),
        "seeds": bench_facts.seeds(run),
        "caveats": bench_facts.caveats(run),
        "groups": bench_facts.groups(run),
    }


def _figures(run: BenchRun) -> list[Figures]:
    return [
        Figures(
            name,
            anchor,
            heading,
            table,
            tuple((row, _of(table, row.loss)) for row in table.rows),
            run.times(table.phase),
            [shortened(note, run.names) for note in table.notes],
        )
        for name, anchor, heading in TABLES
        if (table := run.results.tables.get(name)) is not None
    ]


def _checkpoints(run: BenchRun) -> list[Checkpoints]:
    best = run.results.tables.get("final-best-checkpoint")
    if run.final is None or best is None:
        return []
    rows = {row.loss: row for row in best.rows}
    return [Checkpoints(row, rows[row.loss], run.best_step(row.loss), _of(best, row.loss)) for row in run.final.rows]


def _sweeps(run: BenchRun) -> list[Sweep]:
    steady, own = run.results.steadiness, bench_facts.provenance(run)
    sweeps = (
        Sweep("rates", "Over learning rates", "rate", bench_figures.over(run, "rate"), steady.get("rates", ()),
              _common(run, "rates", "×{:g}"), bench_facts.tuning_provenance(run)),
        Sweep("batches", "Over batch sizes", "batch size", bench_figures.over(run, "batch_size"),
              steady.get("batch-sizes", ()), _common(run, "batch-sizes", "{:g}"), own),
    )  # fmt: skip
    return [one for one in sweeps if one.panels]


def _common(run: BenchRun, name: str, form: str) -> str:
    found = run.results.sweeps.get(name)
    return "" if found is None else ", ".join(map(form.format, found.common))


def _pictures(run: BenchRun, label: str) -> list[tuple[Sample, str | None]]:
    return [(one, picture(run.path, one.file)) for one in run.samples(label)]


def _of(table: Table, label: str) -> Comparison | None:
    return next((one for one in table.comparisons if one.loss == label), None)
