"""``ganetics bench``: compare losses over many seeds."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics.benchmark.plan import plan
from ganetics.benchmark.protocol import FILE, bound, freeze, frozen
from ganetics.benchmark.results import Results, write_results
from ganetics.cli.bench_cost import cost, show_cost
from ganetics.cli.console import progress, warn
from ganetics.cli.losses_given import contenders_given
from ganetics.cli.pages import now_and_then
from ganetics.cli.place import Executors, Place
from ganetics.cli.recipes import changed, chosen_recipe
from ganetics.cli.tables import show
from ganetics.data import is_named, resolved
from ganetics.execution import Log, RunFolder
from ganetics.execution.log import hold, read_config_as
from ganetics.records import BenchConfig, Contender, Recipe, from_values, to_json
from ganetics.report import write_bench_report

if TYPE_CHECKING:
    from ganetics.benchmark.run import Progress
    from ganetics.trial import TrialData

LOSSES = "ganetic,non-saturating,least-squares"
BASELINE = "ganetic"
CONFIRMATORY_SEED = 1
"""Others than those of an exploratory run with the same options."""


class Split(StrEnum):
    """What figures are reported on."""

    validation = "validation"
    test = "test"


def bench(
    run: Annotated[Path, typer.Argument(help="folder of the run; made if missing")],
    losses: Annotated[
        str | None,
        typer.Option(
            help="names or expressions, LABEL=LOSS, LOSS+PENALTY:WEIGHT; @FILE: all losses of a hall_of_fame.json, or "
            "of a text, one a line; @FILE#N: that in row or line N; LABEL=@FILE: a search's best; separated by commas "
            f"[default: {LOSSES}]"
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="digits, mnist, cifar10, medmnist:NAME, a folder, .csv or .npz of images [default: digits]"),
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="where the dataset's files already lie")] = None,
    groups: Annotated[
        str | None, typer.Option(help="of files: regular expression of what in a name must stay in one split")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="of each loss at its own best rate [default: 10]")] = None,
    common_seeds: Annotated[
        int | None, typer.Option(min=0, help="of all losses at the recipe's rate [default: 5]")
    ] = None,
    tuning_seeds: Annotated[int | None, typer.Option(min=0, help="on which rates are chosen [default: 3]")] = None,
    rates: Annotated[
        str | None, typer.Option(help="factors of the recipe's learning rate to choose from [default: 0.3,1,3]")
    ] = None,
    widen: Annotated[
        int | None, typer.Option(min=0, help="most further rates of a loss that is best at an edge [default: 2]")
    ] = None,
    batch_sizes: Annotated[str | None, typer.Option(help="also train at these, such as 16,64,128")] = None,
    batch_seeds: Annotated[int | None, typer.Option(min=1, help="of each loss at each batch size [default: 3]")] = None,
    recipe: Annotated[str | None, typer.Option(help="a named recipe [default: the dataset's]")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="updates of the generator")] = None,
    extractor: Annotated[str | None, typer.Option(help="what makes features of images [default: the recipe's]")] = None,
    samples: Annotated[
        int | None, typer.Option(min=10, help="generated images for a score, and at most so many real ones")
    ] = None,
    score_at: Annotated[
        str | None, typer.Option(help="steps at which to measure on the way, or none [default: at each quarter]")
    ] = None,
    split: Annotated[
        Split | None, typer.Option(help="what figures are reported on; rates are chosen on validation images always")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help=f"loss that the others are compared with [default: {BASELINE}, or the first]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="training seeds are made from it [default: 0; of a confirmatory run 1]")
    ] = None,
    confirmatory: Annotated[
        bool, typer.Option("--confirmatory", help="write protocol.json before the first run, and keep to it")
    ] = False,
    depart: Annotated[bool, typer.Option("--depart", help="run although protocol.json says otherwise")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what it would cost and train nothing")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes [default: one a core, as memory allows; Ray: its CPUs]")
    ] = None,
    executor: Annotated[Executors, typer.Option(help="where trials run")] = Executors.pool,
    address: Annotated[
        str | None, typer.Option(help="of a Ray cluster, HOST:PORT or auto [default: start one]")
    ] = None,
    memory_mib: Annotated[
        int | None, typer.Option(min=100, help="memory that a job may take beyond an idle worker [default: no limit]")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run in the folder")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Compare losses: choose each one's learning rate on tuning seeds, then train on fresh seeds; two tables.

    May be stopped at any moment: with --resume it goes on. Options that are not given with --resume are taken from the
    run; of a finished one tables and report are made anew, and nothing is trained.
    """
    before = stored_configuration(run) if resume else None
    if before is not None and dataset is not None:  # before another one is fetched
        hold(run, "dataset", before.dataset, short(dataset))
    name = dataset or (before.dataset if before else "digits")
    chosen = chosen_recipe(recipe, name, before=before.recipe if before else None, data_dir=data_dir)
    chosen = changed(chosen, steps=steps, extractor=extractor, eval_samples=samples)
    options = {
        "losses": losses, "dataset": dataset and short(dataset), "data-dir": data_dir and "DIR", "groups": groups,
        "seeds": seeds, "common-seeds": common_seeds, "tuning-seeds": tuning_seeds, "rates": rates, "widen": widen,
        "batch-sizes": batch_sizes, "batch-seeds": batch_seeds, "recipe": recipe, "steps": steps,
        "extractor": extractor, "samples": samples, "score-at": score_at, "split": split and split.value,
        "against": against, "seed": seed,
    }  # fmt: skip
    given = {field: read(options[name]) for field, (name, read) in FIELDS.items() if options[name] is not None}
    if before is None:
        if confirmatory or (run / FILE).exists():  # else it would confirm by the runs that it is to confirm
            given = {"seed": CONFIRMATORY_SEED, **given}
        given = {**defaults(chosen, given), "command": command_line(options, confirmatory=confirmatory)}
    elif confirmatory and before.protocol is None:
        raise InputError(f"--confirmatory: a protocol is written before the first run, {run} began without one")
    settings = {**(before.model_dump() if before else {}), **given, "recipe": chosen, "dataset": short(name)}
    if before is not None and is_finished(run, before):
        result = retabulated(run, from_values(BenchConfig, settings, where="bench"))
        write_bench_report(run, result)
        show(run, result, as_json=as_json)
        return
    if before is not None and dataset is None and not is_named(name):
        raise InputError(f"--dataset: must name the images again, the run knows that it is called {name!r}")
    begun = prepared(name, data_dir, settings)
    if before is None:
        config = bound(run, begun.config, confirmatory=confirmatory, depart=depart)
        if (run / "config.json").exists():  # refused below, but not for its words
            config = config.model_copy(update={"command": stored_configuration(run).command})
        begun = replace(begun, config=config)
    place = Place(executor, workers, address, memory_mib)
    if dry_run:
        freeze(run, begun.config)
        show_cost(begun.config, place, as_json=as_json)
        return
    result = carry_out(run, begun, place=place, resume=resume)
    write_bench_report(run, result)
    show(run, result, as_json=as_json)


def defaults(recipe: Recipe, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given, with what depends on it where it is not."""
    contenders: Sequence[Contender] = given.get("contenders") or contenders_given(LOSSES)
    labels = [one.label for one in contenders]
    quarters = sorted({quarter * recipe.steps // 4 for quarter in (1, 2, 3)} - {0})
    baseline = BASELINE if BASELINE in labels else labels[0]
    return {"contenders": contenders, "baseline": baseline, "score_at": quarters, **given}


def command_line(options: Mapping[str, Any], *, confirmatory: bool) -> str:
    """Return the command that makes a benchmark again; RUN and DIR stand for places.

    >>> command_line({"losses": "hinge,p**2", "seeds": 25, "steps": None}, confirmatory=True)
    "ganetics bench RUN --losses 'hinge,p**2' --seeds 25 --confirmatory"
    """
    given = [f"--{name} {shlex.quote(str(value))}" for name, value in options.items() if value is not None]
    return " ".join(["ganetics bench RUN", *given, *(["--confirmatory"] if confirmatory else [])])


def short(dataset: str) -> str:
    """Return what a dataset is called: a named one as it is, a folder or file by its own name."""
    return dataset if is_named(dataset) else Path(resolved(dataset)).name


def stored_configuration(run: Path) -> BenchConfig:
    """Return the configuration in a benchmark's folder.

    Raises:
        InputError: there is none, or it is not one of a benchmark.
    """
    return read_config_as(BenchConfig, run)


def is_finished(run: Path, config: BenchConfig) -> bool:
    """Tell whether all runs of a benchmark are made."""
    archive = Log(run / "archive.jsonl")
    lines = archive.read()
    return len(plan(config, lines, where=archive.path).runs) == len(lines)


def retabulated(run: Path, config: BenchConfig) -> Results:
    """Make the tables of a finished benchmark anew.

    Raises:
        InputError: the folder holds another configuration, or its protocol was changed.
    """
    with RunFolder(run) as folder:
        folder.begin(config.model_dump(mode="json"), resume=True)
        return write_results(run, config, folder.archive.replay())


@dataclass(frozen=True)
class Prepared:
    """A benchmark that may begin."""

    config: BenchConfig
    data: Mapping[str, TrialData]
    """Split → what trials need that are scored on it."""


def prepared(dataset: str, data_dir: Path | None, settings: Mapping[str, Any]) -> Prepared:
    """Read the data and return the benchmark with these settings.

    Raises:
        InputError: data, recipe, losses or settings are wrong.
    """
    from ganetics.catalogue import loss_named_or_parsed
    from ganetics.cli.images import warn_of_data
    from ganetics.execution.process import prepare
    from ganetics.trial import load_trial_data

    prepare()
    for contender in settings["contenders"]:
        loss_named_or_parsed(from_values(Contender, dict(contender), where="losses").loss)
    folder = None if data_dir is None else str(data_dir)
    splits = ("validation", "test")[: 1 + (settings.get("split") == "test")]
    with progress("reading images") as report:
        data = {
            split: load_trial_data(
                resolved(dataset),
                folder,
                settings["recipe"],
                reference_split=split,
                groups=settings.get("groups"),
                on_progress=report,
            )
            for split in splits
        }
    first = data["validation"]
    warn_of_data(data[splits[-1]])
    facts = {
        "data": first.train.identity,
        "reference": first.held_out.identity,
        "test": data["test"].held_out.identity if "test" in data else None,
        "extractor": first.extractor.identity,
        "skipped": tuple(dict.fromkeys(line for one in data.values() for line in one.skipped)),
    }
    return Prepared(from_values(BenchConfig, {**settings, **facts}, where="bench"), data)


def carry_out(run: Path, begun: Prepared, *, place: Place, resume: bool) -> Results:
    """Run a benchmark to its end, with progress, and write its report now and then.

    Raises:
        InputError: the folder holds another run, or one although ``resume`` is false, or its protocol was changed.
        OSError: the disk is full or the folder not writable; all finished work is kept.
    """
    from ganetics.benchmark.run import run_bench
    from ganetics.execution.process import environment

    config = begun.config
    # the executor first: without it there is nothing to begin
    with place.open() as executor, RunFolder(run) as folder, progress("bench") as report:
        if not (run / "config.json").exists():
            freeze(run, config)
        folder.begin(config.model_dump(mode="json"), resume=resume)
        frozen(run, config)
        floors = {split: _floor(one) for split, one in begun.data.items()}
        # beside the configuration, not in it: its last digits may differ on another machine
        write_atomically(run / "reference.json", (to_json(floors, indent=1) + "\n").encode())
        if changes := folder.note_environment(environment()):
            warn(
                f"{', '.join(changes)} not as where this run began: equality with an uninterrupted run is not promised"
            )
        warn(cost(config, executor.workers, done=len(folder.archive.replay())))
        return run_bench(folder, config, executor, data=begun.data, on_progress=_shown_by(report, run))


def _floor(data: TrialData) -> dict[str, float]:
    one = data.reference
    return {"n_real": len(one.features), "floor": one.floor, "floor_n": one.floor_count}


def _shown_by(report: Callable[..., None], run: Path) -> Callable[[Progress], None]:
    refresh = now_and_then(lambda: write_bench_report(run))

    def on_progress(state: Progress) -> None:
        report(state.done, state.total, f"{state.phase} runs, {state.failed} failed")
        refresh()

    return on_progress


def _numbers(option: str, kind: type[Any]) -> Callable[[str], list[Any]]:
    def read(text: str) -> list[Any]:
        try:
            return [kind(part) for part in text.split(",")]
        except ValueError:
            raise InputError(f"{option}: must be numbers separated by commas, got {text!r}") from None

    return read


def _steps(text: str) -> list[int]:
    return [] if text == "none" else _numbers("--score-at", int)(text)


def _as_it_is(value: Any) -> Any:
    return value


FIELDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "contenders": ("losses", contenders_given),
    "groups": ("groups", _as_it_is),
    "final_seeds": ("seeds", _as_it_is),
    "common_seeds": ("common-seeds", _as_it_is),
    "tuning_seeds": ("tuning-seeds", _as_it_is),
    "rates": ("rates", lambda text: sorted(_numbers("--rates", float)(text))),
    "widen": ("widen", _as_it_is),
    "batch_sizes": ("batch-sizes", _numbers("--batch-sizes", int)),
    "batch_seeds": ("batch-seeds", _as_it_is),
    "score_at": ("score-at", _steps),
    "split": ("split", _as_it_is),
    "baseline": ("against", _as_it_is),
    "seed": ("seed", _as_it_is),
}
"""Field of the configuration → the option that sets it, and how it is read."""
