"""``ganetics report``: write a run's page again, or one that compares training runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from ganetics._check import InputError
from ganetics.cli.console import console, print_json
from ganetics.cli.options import AsJson
from ganetics.cli.train_page import write_train_page


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="folder of a search, a benchmark, a detector or a training run; or several of training runs, or one "
            "that holds some at any depth",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="of several training runs: the page, .html [default: report.html in the one folder given]"),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="of several training runs: the loss to compare with [default: each model's published one]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write RUN/report.html from what the run has recorded so far: one page, no network needed.

    Of several training runs, or of a folder that holds some, write one page that compares them.
    """
    alone = len(runs) == 1 and (runs[0] / "config.json").exists()
    if alone or (len(runs) == 1 and not runs[0].is_dir()):
        if out is not None or baseline is not None:
            name, value = ("--out", out) if out is not None else ("--baseline", baseline)
            raise InputError(f"{name}: belongs to a comparison of training runs, got {value} for the one run {runs[0]}")
        told: dict[str, Any] = {"run": str(runs[0]), "report": str(_page(runs[0]))}
    else:
        told = _compared(runs, out, baseline)
    if as_json:
        print_json(told)
    else:
        console.print(f"report: {told['report']}", markup=False)


def _page(run: Path) -> Path:
    from ganetics.report import write_report
    from ganetics.report.write import kind_of

    return write_train_page(run) if kind_of(run) == "a training run" else write_report(run)


def _compared(runs: list[Path], out: Path | None, baseline: str | None) -> dict[str, Any]:
    from ganetics.models import BASELINES
    from ganetics.report.compare import write_comparison

    if out is None and len(runs) > 1:
        raise InputError(f"--out: must name the page of the {len(runs)} runs, got none")
    page = runs[0] / "report.html" if out is None else out
    if page.suffix.lower() != ".html":
        raise InputError(f"--out: must be a .html file, got {page}")
    if any(page.resolve().parent == run.resolve() and (run / "config.json").exists() for run in runs):
        raise InputError(f"--out: must not be in a run's own folder, got {page}")
    baselines = BASELINES if baseline is None else dict.fromkeys(BASELINES, baseline)
    options = [*(() if out is None else ("--out", out.name)), *(() if baseline is None else ("--baseline", baseline))]
    command = shlex.join(["ganetics", "report", *(run.name for run in runs), *options])
    written, count = write_comparison(runs, page, baselines=baselines, command=command)
    return {"runs": count, "report": str(written)}
