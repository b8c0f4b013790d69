"""One page for several training runs, of one set of images or of many; no script, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

import ganetics
from ganetics._files import write_atomically
from ganetics.benchmark.estimate import Estimate
from ganetics.report.charts import number
from ganetics.report.compare_figures import dots
from ganetics.report.compare_runs import Domain, Named, Row, Table, domains, find_runs
from ganetics.report.template import environment
from ganetics.report.train_run import data_url
from ganetics.report.words import chance, counted

SHEET_ROWS = 2
"""Rows of each run's grid of samples."""


@dataclass(frozen=True)
class Shown:
    """A table with its plots."""

    table: Table
    plots: Sequence[tuple[Row, Markup]]


def write_comparison(
    paths: Sequence[Path], page: Path, *, baselines: Mapping[str, str], command: str
) -> tuple[Path, int]:
    """Write the page that compares training runs; return its path, and how many runs it shows.

    Args:
        paths: folders of runs, or folders that hold some at any depth.
        page: the file to write.
        baselines: model → loss that the others on the same images are compared with.
        command: what makes the page again, to stand at its end.

    Raises:
        InputError: no training runs there, a damaged file, or two runs of one setting and seed.
        OSError: the disk is full or the folder not writable.
    """
    runs = find_runs(paths)
    content = render(domains(runs, baselines), baselines=baselines, command=command)
    page.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(page, content.encode("utf-8", "backslashreplace"))
    return page, len(runs)


def render(found: Sequence[Domain], *, baselines: Mapping[str, str], command: str) -> str:
    """Return the page."""
    templates = environment()
    templates.filters.update(mean=mean, ends=ends, percent=percent, chance=chance)
    return templates.get_template("compare.html").render(
        domains=[(domain, [Shown(table, dots(table)) for table in domain.tables], _sheets(domain)) for domain in found],
        title=title(found),
        told=[told(domain) for domain in found],
        baselines=baselines,
        command=command,
        version=ganetics.__version__,
        unfinished=[one.name for domain in found for one in domain.runs if one.run.result is None],
    )


def title(found: Sequence[Domain]) -> str:
    """Return what the page shows."""
    runs = sum(len(domain.runs) for domain in found)
    if len(found) == 1:
        return f"{counted(runs, 'training run')} on {found[0].name}"
    return f"{counted(runs, 'training run')} on {len(found)} sets of images"


def told(domain: Domain) -> str:
    """Return what a domain's runs show, in a sentence."""
    if not domain.tables:
        return f"{domain.name}: no run has ended."
    rows = domain.tables[0].rows
    best = rows[0]
    parts = [f"lowest FID {mean(best.fid)}, {best.setting.label}, over {counted(len(best.values), 'seed')}"]
    for word in ("better", "worse"):
        names = [row.setting.label for row in rows if row.verdict == word]
        if names:
            parts.append(f"{word} than the baseline: {', '.join(names)}")
    if not any(row.verdict for row in rows):
        parts.append("no loss is shown to differ from the baseline")
    return f"{domain.name}: {'; '.join(parts)}."


def _sheets(domain: Domain) -> list[tuple[str, list[tuple[Named, str | None]]]]:
    """Return of each setting its runs with the first rows of their samples: generated images alone."""
    return [
        (setting.label, [(one, data_url(one.run.sheet, rows=SHEET_ROWS)) for one in setting.runs])
        for setting in domain.settings
    ]


def mean(found: Estimate | None) -> str:
    """Return a mean for people.

    >>> mean(Estimate(12.345, None, None, 1)), mean(None)
    ('12.3', '–')
    """
    return "–" if found is None else number(found.mean).replace("-", "−")


def ends(found: Estimate | None) -> str:
    """Return an interval for people.

    >>> ends(Estimate(1.0, 0.5, 2.0, 3)), ends(Estimate(1.0, None, None, 1)), ends(None)
    ('0.500 to 2.00', 'one seed', '')
    """
    if found is None:
        return ""
    if found.low is None or found.high is None:
        return "one seed"
    return f"{number(found.low)} to {number(found.high)}".replace("-", "−")


def percent(share: float | None) -> str:
    """Return a share for people.

    >>> percent(0.034), percent(None)
    ('3.4 %', '–')
    """
    return "–" if share is None else f"{100 * share:.1f} %"
