"""``ganetics report``: write a run's page again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganetics.cli.console import console, print_json


def report(
    run: Annotated[Path, typer.Argument(help="folder of a search, a benchmark or a detector")],
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Write RUN/report.html from what the run has recorded so far: one page, no network needed."""
    from ganetics.report import write_report

    page = write_report(run)
    if as_json:
        print_json({"run": str(run), "report": str(page)})
    else:
        console.print(f"report: {page}")
