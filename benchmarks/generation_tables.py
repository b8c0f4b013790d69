"""Write the tables of docs/generation.md from the runs under results/generation.

    python benchmarks/generation_tables.py [--check]

A domain's table is that of ``ganetics report results/generation``: figures of ``ganetics evaluate`` against the test
images, each setting over its training seeds, its FID over that of the baseline seed by seed.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from marked import markdown, number, run

from ganetics.benchmark.estimate import Estimate
from ganetics.models import BASELINES
from ganetics.report.bench_verdict import chance
from ganetics.report.compare import percent
from ganetics.report.compare_runs import Row, domains, find_runs

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "generation.md"
DOMAINS = ("histology", "polyp", "fundus")
HEADER = (
    "loss", "learning rate", "seeds", "core min a run", "FID", "FID over the baseline's", "p", "KID", "coverage",
    "copy rate", "its control",
)  # fmt: skip


def domain(name: str) -> str:
    """Return what a domain's runs came to; p-values are corrected over all domains.

    Raises:
        FileNotFoundError: it has none that were evaluated.
    """
    folder = ROOT / "results" / "generation"
    if not any((folder / name).glob("*/evaluation.json")):
        raise FileNotFoundError(folder)
    every = domains(find_runs([folder]), BASELINES)
    (found,) = (one for one in every if any(run.name.startswith(f"{name}/") for run in one.runs))
    table = found.tables[0]
    ends = f"{table.measure.told[0].upper()}{table.measure.told[1:]}."
    return f"{markdown(HEADER, [cells(row) for row in table.rows])}\n\n{ends}"


def cells(row: Row) -> list[str]:
    """Return a row of the table."""
    ratio = "the baseline" if row.is_baseline else f"{mean(row.ratio)} {row.verdict}".strip()
    rate = f"{row.setting.config.recipe.learning_rate:g}"
    shares = [percent(None if one is None else one.mean) for one in (row.coverage, row.copy_rate, row.control)]
    ended = f"{len(row.values)}" + (f", {row.setting.failed} failed" if row.setting.failed else "")
    p = "–" if row.p_holm is None else chance(row.p_holm).removeprefix("p = ").removeprefix("p ")
    return [row.setting.label, rate, ended, minutes(row), mean(row.fid), ratio, p, mean(row.kid), *shares]


def minutes(row: Row) -> str:
    """Return the mean time that a run has taken."""
    known = [one.run.seconds for one in row.setting.runs if one.run.seconds is not None]
    return "–" if not known else f"{sum(known) / len(known) / 60:.1f}"


def mean(found: Estimate | None) -> str:
    """Return a mean with its interval."""
    if found is None:
        return "–"
    ends = "" if found.low is None else f" ({number(found.low)} to {number(found.high)})"
    return number(found.mean) + ends


TABLES = {name: partial(domain, name) for name in DOMAINS}

if __name__ == "__main__":
    run(PAGE, TABLES, about=__doc__)
