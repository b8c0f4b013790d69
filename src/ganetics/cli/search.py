"""``ganetics search``: evolve losses."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ganetics._check import InputError
from ganetics.cli.audit import checked
from ganetics.cli.console import console, print_json, progress, warn
from ganetics.cli.guesses import guesses_given, rivals_given
from ganetics.cli.losses_given import penalties_given
from ganetics.cli.options import (
    AcceptAudit,
    Address,
    AsJson,
    DataDir,
    Dataset,
    Device,
    Groups,
    MemoryMib,
    RecipeName,
    Resume,
    Where,
    Workers,
)
from ganetics.cli.pages import now_and_then, page_at_end
from ganetics.cli.place import Executors, Place, checked_device
from ganetics.cli.recipes import changed, chosen_recipe
from ganetics.records import OF_THE_MACHINE, Recipe, from_values, write_json
from ganetics.search.config import SearchConfig
from ganetics.search.ladder import ladder, parse_rungs
from ganetics.search.pairs import written

if TYPE_CHECKING:
    from ganetics.data.audit import Audit
    from ganetics.search import Progress, SearchResult
    from ganetics.trial import TrialData

TRIALS = 400
AHEAD = 4
"""Trials under way for each worker that keep it busy while longer ones hold up the order (``benchmarks/scale.py``)."""


class Mode(StrEnum):
    """What is evolved."""

    tied = "tied"
    separate = "separate"
    pairs = "pairs"


def search(
    run: Annotated[Path, typer.Argument(help="folder of the run; made if missing")],
    dataset: Dataset = None,
    data_dir: DataDir = None,
    groups: Groups = None,
    accept_audit: AcceptAudit = False,
    mode: Annotated[
        Mode | None,
        typer.Option(
            help="tied: one L(y, p); separate: three terms over the logit; pairs: two terms over the difference of a "
            "real and a generated logit [default: tied]"
        ),
    ] = None,
    penalty: Annotated[
        list[str] | None,
        typer.Option(help="KIND:WEIGHT[/STEPS] beside every loss, such as r1:0.05; can be repeated"),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help=f"training runs, short ones included [default: {TRIALS}]")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="stop proposing after so long, then the last round")] = None,
    plateau: Annotated[int | None, typer.Option(min=1, help="stop after so many trials without progress")] = None,
    workers: Workers = None,
    executor: Where = Executors.pool,
    address: Address = None,
    memory_mib: MemoryMib = None,
    device: Device = "cpu",
    seed: Annotated[int | None, typer.Option(help="of everything random [default: 0]")] = None,
    recipe: RecipeName = None,
    steps: Annotated[int | None, typer.Option(min=1, help="updates of the generator in a full trial")] = None,
    rungs: Annotated[
        str | None,
        typer.Option(help="STEPSxSEEDS[@RATE/RATE…][:SAMPLES], …: how candidates are raced [default: by the recipe]"),
    ] = None,
    lag: Annotated[
        int | None, typer.Option(min=1, help="trials that may be under way; four a worker keep all busy [default: 8]")
    ] = None,
    population: Annotated[int | None, typer.Option(min=2, help="losses that can have children [default: 30]")] = None,
    finalists: Annotated[int | None, typer.Option(min=0, help="losses of the last round [default: 5]")] = None,
    final_seeds: Annotated[int | None, typer.Option(min=1, help="seeds of the last round [default: 5]")] = None,
    rival: Annotated[
        list[str] | None,
        typer.Option(help="a catalogue loss of the last round; may be repeated [default: four well-known ones]"),
    ] = None,
    guess: Annotated[
        list[str] | None,
        typer.Option(help="a loss to begin with: a name, an expression, @FILE or @FILE#N; may be repeated"),
    ] = None,
    toy_gate: Annotated[
        bool | None, typer.Option("--toy-gate", help="try random losses on a ring of Gaussians before images")
    ] = None,
    warm_start: Annotated[
        Path | None,
        typer.Option(
            help="begin with these losses: a hall_of_fame.json, of which those that fit --mode, or a text, one a line"
        ),
    ] = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Evolve losses by genetic programming, and confirm the best on fresh seeds at three learning rates.

    May be stopped at any moment, kill -9 included: with --resume it goes on and comes to the same result. Settings that
    are not given with --resume are taken from the run; where data lie now and where it runs (--data-dir, --dataset of
    moved images, --workers, --executor, --device) is not kept: give it again. Images of your own are audited first (see
    ganetics doctor --data), and errors stop it.
    """
    from ganetics.cli.images import gone_on_with

    if trials is not None and minutes is not None:
        raise InputError("--trials and --minutes: one of the two ends a search, got both")
    before = stored_configuration(run) if resume else None
    name = gone_on_with(run, before.dataset, dataset) if before else dataset or "digits"
    chosen = chosen_recipe(recipe, name, before=before.recipe if before else None, data_dir=data_dir)
    chosen = changed(chosen, steps=steps)
    if penalty:
        chosen = chosen.model_copy(update={"penalties": penalties_given(penalty)})
    evolved = mode.value if mode else before.mode if before else Mode.tied.value
    guesses = guesses_given(guess or (), warm_start, mode=evolved)
    given = {
        "groups": groups,
        "accept_audit": accept_audit or None,
        "mode": None if mode is None else mode.value,
        "seed": seed,
        "trials": trials,
        "minutes": minutes,
        "plateau": plateau,
        "lag": lag,
        "rungs": None if rungs is None else parse_rungs(rungs),
        "population": population,
        "toy_gate": toy_gate,
        "finalists": finalists,
        "final_seeds": final_seeds,
        "rivals": rivals_given(rival or ()) or None,
        "guesses": guesses or None,
    }
    given = {field: value for field, value in given.items() if value is not None}
    if before is None and trials is None and minutes is None and plateau is None:
        given["trials"] = TRIALS
    settings = {**(before.model_dump(mode="json") if before else {"rungs": ladder(chosen)}), **given}
    place = Place(executor, workers, address, memory_mib, checked_device(device))
    # a run that is gone on with has the images that it began with, or is refused
    audit = None if before else checked(name, data_dir, groups, accept=accept_audit)
    begun = replace(prepared(name, data_dir, chosen, settings, device=place.device), audit=audit)
    if before is not None:  # where the images lie now is not kept
        begun = replace(begun, config=begun.config.model_copy(update={"dataset": before.dataset}))
    result = carry_out(run, begun, place=place, resume=resume)
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
    data: TrialData
    audit: Audit | None = None
    """Of somebody's own images, to be kept with the run."""


def prepared(
    dataset: str, data_dir: Path | None, recipe: Recipe, settings: dict[str, Any], *, device: str = "cpu"
) -> Prepared:
    """Read the data and return the search with these settings.

    Raises:
        InputError: data, recipe, guesses or settings are wrong.
    """
    from ganetics.cli.images import warn_of_data
    from ganetics.data import resolved
    from ganetics.execution.process import prepare
    from ganetics.search.finals import rivals
    from ganetics.search.guesses import guessed
    from ganetics.trial import load_trial_data

    prepare()
    folder = None if data_dir is None else str(data_dir)
    dataset = resolved(dataset)
    with progress("reading images") as report:
        data = load_trial_data(
            dataset, folder, recipe, groups=settings.get("groups"), device=device, on_progress=report
        )
    warn_of_data(data)
    facts = {
        "dataset": dataset,
        "data": data.train.identity,
        "reference": data.held_out.identity,
        "extractor": data.extractor.identity,
        "skipped": data.skipped,
        "recipe": recipe,
    }
    config = from_values(SearchConfig, {**settings, **facts}, where="search")
    guessed(config)
    rivals(config)
    return Prepared(config, data)


def carry_out(run: Path, search: Prepared, *, place: Place, resume: bool) -> SearchResult:
    """Run a search to its end, with progress, and write its report now and then.

    Raises:
        InputError: the folder holds another run, or one although ``resume`` is false.
        OSError: the disk is full or the folder not writable; all finished work is kept.
    """
    from ganetics.data.audit import write_audit
    from ganetics.execution import RunFolder
    from ganetics.execution.process import environment
    from ganetics.report import write_search_report
    from ganetics.search import run_search

    # the executor first: without it there is nothing to begin
    with place.open() as executor, RunFolder(run) as folder, progress("search") as report:
        config, reference = search.config, search.data.reference
        folder.begin(config.model_dump(mode="json"), resume=resume)
        write_audit(run, search.audit)
        # beside the configuration, not in it: its last digits may differ on another machine
        facts = {"floor": reference.floor, "floor_n": reference.floor_count}
        write_json(run / "reference.json", facts, indent=None)
        if warning := folder.note_environment(environment(place.device)):
            warn(warning)
        if executor.workers > 1 and AHEAD * executor.workers > config.lag:
            warn(
                f"workers wait for one another with a lag below {AHEAD} for each, got {executor.workers} and "
                f"{config.lag}"
            )
        warn(last_round(config))
        result = run_search(
            folder,
            config,
            executor,
            data=search.data,
            device=place.device,
            on_progress=_shown_by(report, run, config.minutes),
        )
        failures = [line["outcome"]["failure"] for line in folder.archive.replay()]
        lost = sum(failure is not None and failure["kind"] in OF_THE_MACHINE for failure in failures)
        if lost:
            warn(
                f"{lost} runs timed out, crashed or were out of memory: whoever repeats the search may get another one"
            )
    page_at_end(lambda: write_search_report(run), again=f"ganetics report {run}")
    return result


def last_round(config: SearchConfig) -> str:
    """Return in words what comes after the search itself, which is in no count of trials or minutes."""
    losses = config.finalists + len(config.rivals)
    runs = losses * config.final_seeds * len(config.final_rates)
    return (
        f"after the search comes a last round of up to {runs} runs ({losses} losses, {config.final_seeds} seeds, "
        f"{len(config.final_rates)} rates), each in full"
    )


def _shown_by(report: Callable[..., None], run: Path, minutes: float | None) -> Callable[[Progress], None]:
    from ganetics.report import write_search_report

    refresh = now_and_then(lambda: write_search_report(run))
    begun = time.monotonic()
    first: int | None = None

    def on_progress(state: Progress) -> None:
        nonlocal first
        now = time.monotonic()
        first = state.done - 1 if first is None else first
        if state.phase == "search":
            rate = (state.done - first) / max(now - begun, 1e-9) * 3600.0
            rungs = " > ".join(map(str, state.rungs))
            best = "" if state.best_fid is None else f"best FID {state.best_fid:.4g}, "
            note = f"{best}front {state.front}, rungs {rungs}, {rate:,.0f} trials an hour, {state.failed} failed"
            if state.total is None and minutes is not None:
                report(
                    min(round(state.elapsed), round(60 * minutes)), round(60 * minutes), f"{state.done} trials, {note}"
                )
            else:
                report(state.done, state.total, note)
        else:
            report(state.done, state.total, f"last round, {state.failed} failed")
        refresh()

    return on_progress


def show(run: Path, result: SearchResult, *, as_json: bool) -> None:
    """Print what a search came to."""
    if as_json:
        files = {
            name: str(run / file) for name, file in (("hall_of_fame", "hall_of_fame.json"), ("report", "report.html"))
        }
        best = result.hall_of_fame[0] if result.hall_of_fame else None
        shown = {key: value for key, value in best.items() if key not in ("finals", "mathml")} if best else None
        if best is not None and best.get("paired"):
            shown = {**(shown or {}), "loss": written(best)}
        counts = {"trials": result.trials, "candidates": result.candidates, "failed": result.failed}
        print_json({"run": str(run), **counts, "best": shown, **files})
        return
    table = Table(
        box=None, pad_edge=False, title_justify="left", title="Hall of fame (fresh seeds, each loss at its best rate)"
    )
    for heading in ("", "FID", "worst", "rate", "nodes"):
        table.add_column(heading, justify="right")
    table.add_column("loss", overflow="fold")
    for place, entry in enumerate(result.hall_of_fame, start=1):
        objectives, name = entry["objectives"], entry["name"]
        loss = written(entry) if name is None else f"{name} (catalogue)"
        values = [_exponential(objectives["log_fid"]), _exponential(objectives["worst_log_fid"])]
        table.add_row(str(place), *values, f"×{entry['best_rate']:g}", str(entry["complexity"]), loss)
    console.print(table, markup=False)
    if not result.finished:
        console.print(
            "no loss has finished the last rung, so the finalists are from lower ones: more --trials or --minutes "
            "find better ones",
            markup=False,
        )
    console.print(
        f"{result.candidates} losses in {result.trials} trials, {result.failed} failed; report: {run / 'report.html'}",
        markup=False,
    )


def _exponential(log_fid: float | None) -> str:
    from math import exp

    return "failed" if log_fid is None else f"{exp(log_fid):.4g}"
