"""``ganetics search``: evolve losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ganetics._check import InputError
from ganetics.cli import calibration
from ganetics.cli.console import console, print_json, progress, warn
from ganetics.cli.recipes import changed, chosen_recipe
from ganetics.records import Recipe, SearchConfig, from_values, to_json

if TYPE_CHECKING:
    from ganetics.search import Progress, SearchResult

TRIALS = 150
SHOWN = 8
"""Losses of the hall of fame that are printed."""


def search(
    run: Annotated[Path, typer.Argument(help="folder of the run; made if missing")],
    dataset: Annotated[
        str | None, typer.Option(help="digits, mnist, cifar10, or a folder of images [default: digits]")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="where the dataset's files already lie")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help=f"losses to train with [default: {TRIALS}]")] = None,
    minutes: Annotated[float | None, typer.Option(help="stop proposing after so long, then the last round")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes [default: one a core, as memory allows]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="of everything random [default: 0]")] = None,
    recipe: Annotated[str | None, typer.Option(help="a named recipe [default: the dataset's]")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="updates of the generator in a trial")] = None,
    population: Annotated[int | None, typer.Option(min=4, help="losses of a generation [default: 30]")] = None,
    finalists: Annotated[int | None, typer.Option(min=0, help="losses of the last round [default: 5]")] = None,
    final_seeds: Annotated[int | None, typer.Option(min=1, help="seeds of the last round [default: 5]")] = None,
    guess: Annotated[
        list[str] | None, typer.Option(help="a tied loss to begin with, by name or expression; may be repeated")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run in the folder")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Evolve losses by genetic programming, and confirm the best on fresh seeds at three learning rates.

    May be stopped at any moment, kill -9 included: with --resume it goes on and comes to the same result. Options that
    are not given with --resume are taken from the run.
    """
    if trials is not None and minutes is not None:
        raise InputError("--trials and --minutes: one of the two ends a search, got both")
    before = stored_configuration(run) if resume else None
    name = dataset or (before.dataset if before else "digits")
    chosen = changed(chosen_recipe(recipe, name, before=before.recipe if before else None), steps=steps)
    given = {
        "seed": seed,
        "trials": trials,
        "minutes": minutes,
        "population": population,
        "finalists": finalists,
        "final_seeds": final_seeds,
        "guesses": tuple(guess) if guess else None,
    }
    given = {field: value for field, value in given.items() if value is not None}
    if before is None and trials is None and minutes is None:
        given["trials"] = TRIALS
    settings = {**(before.model_dump(mode="json") if before else {}), **given}
    begun = prepared(name, data_dir, chosen, settings)
    result = carry_out(run, begun, data_dir=data_dir, workers=workers, resume=resume)
    show(run, result, as_json=as_json)


def stored_configuration(run: Path) -> SearchConfig:
    """Return the configuration in a search's folder.

    Raises:
        InputError: there is none, or it is not one of a search.
    """
    from ganetics.execution.log import read_config_as

    return read_config_as(SearchConfig, run)


@dataclass(frozen=True)
class Prepared:
    """A search that may begin."""

    config: SearchConfig
    floor: float
    """Fréchet distance between two halves of the real images that trials are compared with."""
    floor_n: int
    """Images in each half."""


def prepared(dataset: str, data_dir: Path | None, recipe: Recipe, settings: dict[str, Any]) -> Prepared:
    """Read the data and return the search with these settings.

    Raises:
        InputError: data, recipe, guesses or settings are wrong.
    """
    from ganetics.cli.images import warn_of_data
    from ganetics.data import resolved
    from ganetics.execution.process import prepare
    from ganetics.search.evolve import guessed
    from ganetics.trial import load_trial_data

    prepare()
    folder = None if data_dir is None else str(data_dir)
    dataset = resolved(dataset)
    with progress("reading images") as report:
        data = load_trial_data(dataset, folder, recipe, on_progress=report)
    warn_of_data(data)
    facts = {
        "dataset": dataset,
        "data": data.train.identity,
        "reference": data.validation.identity,
        "extractor": data.extractor.identity,
        "skipped": data.skipped,
        "recipe": recipe,
    }
    config = from_values(SearchConfig, {**settings, **facts}, where="search")
    guessed(config)
    return Prepared(config, data.reference.floor, data.reference.floor_count)


def carry_out(run: Path, search: Prepared, *, data_dir: Path | None, workers: int | None, resume: bool) -> SearchResult:
    """Run a search to its end, with progress, and write its report.

    Raises:
        InputError: the folder holds another run, or one although ``resume`` is false.
        OSError: the disk is full or the folder not writable; all finished work is kept.
    """
    from ganetics._files import write_atomically
    from ganetics.execution import PoolExecutor, RunFolder
    from ganetics.execution.process import environment
    from ganetics.report import write_search_report
    from ganetics.search import run_search

    with RunFolder(run) as folder:
        config = search.config
        folder.begin(config.model_dump(mode="json"), resume=resume)
        # beside the configuration, not in it: its last digits may differ on another machine
        facts = {"floor": search.floor, "floor_n": search.floor_n}
        write_atomically(run / "reference.json", (to_json(facts) + "\n").encode())
        if changes := folder.note_environment(environment()):
            warn(
                f"{', '.join(changes)} not as where this run began: equality with an uninterrupted run is not promised"
            )
        with PoolExecutor(workers or default_workers()) as executor, progress("search", config.trials) as report:
            result = run_search(
                folder,
                config,
                executor,
                data_dir=None if data_dir is None else str(data_dir.resolve()),
                on_progress=_shown_by(report),
            )
    write_search_report(run)
    return result


def default_workers() -> int:
    """Return one worker a core, fewer where memory does not suffice."""
    return max(1, int(min(calibration.cores(), calibration.available_mib() / calibration.WORKER_MIB)))


def _shown_by(report: Callable[..., None]) -> Callable[[Progress], None]:
    def on_progress(state: Progress) -> None:
        best = "" if state.best_fid is None else f"best FID {state.best_fid:.4g}, "
        note = f"{best}{state.failed} failed, {state.rejected} screened out"
        report(state.done, state.total, "last round: " + note if state.phase == "finals" else note)

    return on_progress


def show(run: Path, result: SearchResult, *, as_json: bool) -> None:
    """Print what a search came to."""
    if as_json:
        files = {
            name: str(run / file) for name, file in (("hall_of_fame", "hall_of_fame.json"), ("report", "report.html"))
        }
        best = result.hall_of_fame[0] if result.hall_of_fame else None
        shown = {key: value for key, value in best.items() if key not in ("finals", "mathml")} if best else None
        print_json({"run": str(run), "trials": result.trials, "failed": result.failed, "best": shown, **files})
        return
    table = Table(
        box=None, pad_edge=False, title_justify="left", title="Hall of fame (fresh seeds, each loss at its best rate)"
    )
    for heading in ("", "FID", "worst", "rate", "nodes"):
        table.add_column(heading, justify="right")
    table.add_column("loss", overflow="fold")
    for place, entry in enumerate(result.hall_of_fame[:SHOWN], start=1):
        objectives, name = entry["objectives"], entry["name"]
        loss = entry["expression"] if name is None else f"{name} (catalogue)"
        values = [_exponential(objectives["log_fid"]), _exponential(objectives["worst_log_fid"])]
        table.add_row(str(place), *values, f"×{entry['best_rate']:g}", str(entry["complexity"]), loss)
    console.print(table, markup=False)
    console.print(
        f"{result.trials} losses trained, {result.failed} failed; report: {run / 'report.html'}", markup=False
    )


def _exponential(log_fid: float | None) -> str:
    from math import exp

    return "failed" if log_fid is None else f"{exp(log_fid):.4g}"
