"""Write the tables of docs/generation.md from the runs under results/generation.

    python benchmarks/generation_tables.py [--check]

A domain's table is that of ``ganetics report results/generation``: figures of ``ganetics evaluate`` against the test
images, each setting over its training seeds, its FID over that of the baseline seed by seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from marked import markdown, number, run
from scipy.special import stdtrit

from ganetics.benchmark.estimate import Estimate
from ganetics.benchmark.significance import LEVEL, smallest_detectable
from ganetics.metrics.significance import holm
from ganetics.models import BASELINES
from ganetics.report.compare import percent
from ganetics.report.compare_runs import Domain, Row, domains, find_runs
from ganetics.report.words import chance

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "generation.md"
DOMAINS = ("histology", "polyp", "fundus")
SEEDS = 5
"""Of the question that is asked, as ``medical_generation.py`` has it."""
HEADER = (
    "loss", "learning rate", "seeds", "minutes a run", "FID", "FID over the baseline's", "p", "KID", "precision",
    "recall", "coverage", "copy rate", "its control",
)  # fmt: skip


def domain(name: str) -> str:
    """Return what a domain's runs came to.

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
    # nothing is tested on the way
    asked = [one for one in table.rows if is_asked_about(one) and len(one.setting.runs) >= SEEDS]
    rows = [cells(one, corrected(every, one) if one in asked else None) for one in table.rows]
    return f"{markdown(HEADER, rows)}\n\n{ends}" + "".join(could_be_seen(one) for one in asked)


def is_asked_about(row: Row) -> bool:
    """Tell whether it is the comparison that the study was made for; the others have fewer seeds, and no test."""
    return row.setting.loss == "ganetic" and row.setting.config.recipe.model == "dcgan"


def corrected(every: Sequence[Domain], row: Row) -> float | None:
    """Return the p-value of a domain's question, corrected for that of all domains that are planned."""
    asked = [one for domain in every for table in domain.tables[:1] for one in table.rows if is_asked_about(one)]
    planned = len(DOMAINS) - len(asked)
    return holm([*(one.p for one in asked), *[None] * planned])[asked.index(row)]


def could_be_seen(row: Row) -> str:
    """Return which ratio the seeds of the question could have shown; empty where that is not known."""
    if row.ratio is None or row.ratio.low is None or row.ratio.high is None:
        return ""
    n = row.ratio.n
    sd = math.log(row.ratio.high / row.ratio.low) / 2 / float(stdtrit(n - 1, 0.975)) * math.sqrt(n)
    found = smallest_detectable(sd, n, level=LEVEL / len(DOMAINS))
    return "" if found is None else f" A ratio of {found:.2f} would have been found with 80 % probability."


def cells(row: Row, p: float | None) -> list[str]:
    """Return a row of the table, with the p-value if it was tested."""
    ratio = "the baseline" if row.is_baseline else f"{mean(row.ratio)} {row.standing(p)}".strip()
    rate = f"{row.setting.config.recipe.learning_rate:g}"
    shares = [percent(None if one is None else one.mean) for one in row.shares.values()]
    ended = f"{len(row.values)}" + (f", {row.setting.failed} failed" if row.setting.failed else "")
    told = "" if p is None else chance(p).removeprefix("p = ").removeprefix("p ")
    return [row.setting.label, rate, ended, minutes(row), mean(row.fid), ratio, told, mean(row.kid), *shares]


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
    run([PAGE], TABLES, about=__doc__)
