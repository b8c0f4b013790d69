"""``ganetics bench``: compare losses over many seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganetics._check import InputError
from ganetics.benchmark.config import BenchConfig, Contender
from ganetics.benchmark.plan import plan
from ganetics.benchmark.protocol import FILE, bound, freeze, frozen
from ganetics.benchmark.results import Results, write_results
from ganetics.cli.audit import checked
from ganetics.cli.bench_cost import cost, show_cost
from ganetics.cli.bench_options import BASELINE, FIELDS, LOSSES, command_line, defaults
from ganetics.cli.console import progress, warn
from ganetics.cli.losses_given import warn_of_losses
from ganetics.cli.options import (
    AcceptAudit,
    Address,
    AsJson,
    DataDir,
    Dataset,
    Device,
    Groups,
    MemoryMib,
    Precision,
    RecipeName,
    Resume,
    Where,
    Workers,
)
from ganetics.cli.pages import now_and_then, page_at_end
from ganetics.cli.place import Executors, Place, checked_device
from ganetics.cli.recipes import changed, chosen_recipe
from ganetics.cli.tables import show
from ganetics.data import is_named, resolved
from ganetics.execution import Log, RunFolder
from ganetics.execution.log import check_begin, hold, read_config_as
from ganetics.records import from_values, write_json
from ganetics.report import write_bench_report

if TYPE_CHECKING:
    from ganetics.benchmark.run import Progress
    from ganetics.data.audit import Audit
    from ganetics.trial import TrialData

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
            "of a text, one a line, each LOSS or LABEL=LOSS; @FILE#N: that in row or line N; LABEL=@FILE: a search's "
            f"best; separated by commas [default: {LOSSES}]"
        ),
    ] = None,
    dataset: Dataset = None,
    data_dir: DataDir = None,
    groups: Groups = None,
    accept_audit: AcceptAudit = False,
    seeds: Annotated[
        int | None, typer.Option(min=0, help="of each loss at its own best rate; 0: rates alone [default: 10]")
    ] = None,
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
    recipe: RecipeName = None,
    steps: Annotated[int | None, typer.Option(min=1, help="updates of the generator")] = None,
    extractor: Annotated[str | None, typer.Option(help="what makes features of images [default: the recipe's]")] = None,
    samples: Annotated[
        int | None, typer.Option(min=10, help="generated images for a score, and at most so many real ones")
    ] = None,
    precision: Precision = None,
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
    depart: Annotated[bool, typer.Option("--depart", help="begin although protocol.json says otherwise")] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="check everything, say what is left to run and its cost, and train nothing; with --confirmatory it "
            "writes protocol.json, and nothing else",
        ),
    ] = False,
    workers: Workers = None,
    executor: Where = Executors.pool,
    address: Address = None,
    memory_mib: MemoryMib = None,
    device: Device = "cpu",
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Compare losses: choose each one's learning rate on tuning seeds, then train on fresh seeds; two tables.

    May be stopped at any moment: with --resume it goes on. Settings that are not given with --resume are taken from the
    run; where data lie and where it runs (--dataset of your own images, --data-dir, --workers, --executor, --device) is
    not kept: give it again. Of a finished one tables and report are made anew, and nothing is trained. Images of your
    own are audited first (see ganetics doctor --data), and errors stop it.
    """
    before = stored_configuration(run) if resume else None
    if before is not None and depart:
        raise InputError(f"--depart: belongs to the beginning of a run, {run} has begun and keeps its configuration")
    if before is not None and dataset is not None:  # before another one is fetched
        hold(run, "dataset", before.dataset, short(dataset))
    name = dataset or (before.dataset if before else "digits")
    chosen = chosen_recipe(recipe, name, before=before.recipe if before else None, data_dir=data_dir)
    chosen = changed(chosen, steps=steps, extractor=extractor, eval_samples=samples, precision=precision)
    options = {
        "losses": losses, "dataset": dataset and short(dataset), "data-dir": data_dir and "DIR", "groups": groups,
        "seeds": seeds, "common-seeds": common_seeds, "tuning-seeds": tuning_seeds, "rates": rates, "widen": widen,
        "batch-sizes": batch_sizes, "batch-seeds": batch_seeds, "recipe": recipe, "steps": steps,
        "extractor": extractor, "samples": samples, "precision": precision, "score-at": score_at,
        "split": split and split.value, "against": against, "seed": seed,
        "accept-audit": accept_audit or None, "confirmatory": confirmatory or None,
    }  # fmt: skip
    given = {field: read(options[name]) for field, (name, read) in FIELDS.items() if options[name] is not None}
    if before is None:
        if confirmatory or (run / FILE).exists():  # else it would confirm by the runs that it is to confirm
            given = {"seed": CONFIRMATORY_SEED, **given}
        given = {**defaults(chosen, given), "command": command_line(options)}
        warn_of_losses(given["contenders"])
    elif confirmatory and before.protocol is None:
        raise InputError(f"--confirmatory: a protocol is written before the first run, {run} began without one")
    settings = {**(before.model_dump() if before else {}), **given, "recipe": chosen, "dataset": short(name)}
    place = Place(executor, workers, address, memory_mib, checked_device(device))
    if before is not None and is_finished(run, before):
        config = from_values(BenchConfig, settings, where="bench")
        if dry_run:
            price(run, config, place, resume=resume, as_json=as_json)
            return
        result = retabulated(run, config)
        write_bench_report(run, result)
        show(run, result, as_json=as_json)
        return
    if before is not None and dataset is None and not is_named(name):
        raise InputError(f"--dataset: must name the images again, the run knows that it is called {name!r}")
    # a run that is gone on with has the images that it began with, or is refused
    audit = None if before else checked(name, data_dir, groups, accept=accept_audit)
    begun = prepared(name, data_dir, settings, device=place.device)
    if before is None:
        config = bound(run, begun.config, confirmatory=confirmatory, depart=depart)
        if (run / "config.json").exists():  # refused below, but not for its words
            config = config.model_copy(update={"command": stored_configuration(run).command})
        begun = replace(begun, config=config, audit=audit)
    if dry_run:
        price(run, begun.config, place, resume=resume, as_json=as_json)
        return
    result = carry_out(run, begun, place=place, resume=resume)
    page_at_end(lambda: write_bench_report(run, result), again=f"ganetics report {run}")
    show(run, result, as_json=as_json)


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


def price(run: Path, config: BenchConfig, place: Place, *, resume: bool, as_json: bool) -> None:
    """Print what the rest of a benchmark would cost, after all checks that :func:`carry_out` makes.

    Nothing is written but the protocol of a confirmatory one: it can be published before the first run.

    Raises:
        InputError: as :func:`carry_out`.
    """
    with place.open() as executor:
        check_begin(run, config.model_dump(mode="json"), resume=resume)
        if not resume:
            freeze(run, config)
        frozen(run, config)
        show_cost(run, config, executor.workers, Log(run / "archive.jsonl").read(), as_json=as_json)


@dataclass(frozen=True)
class Prepared:
    """A benchmark that may begin."""

    config: BenchConfig
    data: Mapping[str, TrialData]
    """Split → what trials need that are scored on it."""
    audit: Audit | None = None
    """Of somebody's own images, to be kept with the run."""


def prepared(dataset: str, data_dir: Path | None, settings: Mapping[str, Any], *, device: str = "cpu") -> Prepared:
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
                device=device,
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
    from ganetics.data.audit import write_audit
    from ganetics.execution.process import environment

    config = begun.config
    # the executor first: without it there is nothing to begin
    with place.open() as executor, RunFolder(run) as folder, progress("bench") as report:
        if not (run / "config.json").exists():
            freeze(run, config)
        folder.begin(config.model_dump(mode="json"), resume=resume)
        write_audit(run, begun.audit)
        frozen(run, config)
        floors = {split: _floor(one) for split, one in begun.data.items()}
        # beside the configuration, not in it: its last digits may differ on another machine
        write_json(run / "reference.json", floors)
        if warning := folder.note_environment(environment(place.device)):
            warn(warning)
        warn(cost(config, executor.workers, folder.archive.replay(), where=folder.archive.path))
        return run_bench(
            folder, config, executor, data=begun.data, device=place.device, on_progress=_shown_by(report, run)
        )


def _floor(data: TrialData) -> dict[str, float]:
    one = data.reference
    return {"n_real": len(one.features), "floor": one.floor, "floor_n": one.floor_count}


def _shown_by(report: Callable[..., None], run: Path) -> Callable[[Progress], None]:
    refresh = now_and_then(lambda: write_bench_report(run))

    def on_progress(state: Progress) -> None:
        report(state.done, state.total, f"{state.phase} runs, {state.failed} failed")
        refresh()

    return on_progress
