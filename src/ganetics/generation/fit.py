"""Train a generator in a run folder that can be left and come back to.

A run folder holds ``config.json``, ``checkpoint/``, ``history.jsonl``, ``samples/`` (grids from the same latents as
training goes on), ``audit.json`` where the images were audited, ``about.json`` where something was stated of them and,
at the end, ``metrics.json``; with early stopping also ``evaluations.jsonl`` and ``best/``, the checkpoint that images
are then sampled from. ``timings.jsonl`` and ``environment.json`` say where and how long: nothing depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, cast

import torch

from ganetics._check import InputError
from ganetics._random import torch_generator
from ganetics.catalogue import loss_named_or_parsed
from ganetics.data import ImageSet, resolved
from ganetics.data.audit import Audit, write_audit
from ganetics.execution.log import RunFolder
from ganetics.execution.process import environment
from ganetics.generation.about import About, write_about
from ganetics.generation.evaluations import Enough, Evaluations
from ganetics.generation.results import EVALUATE_EVERY, FitConfig, FitResult, stored_configuration
from ganetics.generation.timing import noted
from ganetics.generation.tracking import TensorBoard
from ganetics.generation.watch import Progress, Watcher
from ganetics.models import build_gan
from ganetics.records import OF_THE_MACHINE, FailureKind, Outcome, Recipe, from_values, read_record, write_json
from ganetics.training import Diverged, TrainingState, checkpoint, start, train
from ganetics.training.ranks import Ranks, check_devices, launch
from ganetics.trial import TrialData, advance


def configuration(
    dataset: str,
    loss: str,
    recipe: Recipe,
    data: TrialData,
    *,
    seed: int,
    groups: str | None = None,
    accept_audit: bool = False,
    patience: int | None = None,
    evaluate_every: int = EVALUATE_EVERY,
) -> FitConfig:
    """Return the configuration of a run.

    Raises:
        InputError: the loss is neither a name of the catalogue nor an expression; the steps do not fit the evaluations;
            there are no networks for images of this size; a class to be learnt has no training image.
    """
    loss_named_or_parsed(loss)
    build_gan(recipe, generator=torch_generator(seed, "weights"))  # before a folder is made
    classes = class_names(data.train) if recipe.classes else ()
    _check_classes(classes, data.train, recipe)
    values = {
        "dataset": resolved(dataset),
        "loss": loss,
        "recipe": recipe,
        "seed": seed,
        "data": data.train.identity,
        "extractor": data.extractor.identity,
        "skipped": data.skipped,
        "groups": groups,
        "accept_audit": accept_audit,
        "classes": classes,
        "patience": patience,
        "evaluate_every": evaluate_every,
    }
    return from_values(FitConfig, values, where="train")


def _check_classes(classes: tuple[str, ...], images: ImageSet, recipe: Recipe) -> None:
    if images.labels is None:
        return
    seen = set(images.labels[: recipe.train_size].tolist())
    absent = [name for number, name in enumerate(classes) if number not in seen]
    if absent:
        raise InputError(
            f"conditional: each class must have training images, {absent[0]!r} has none among those that are trained on"
        )


def class_names(images: ImageSet) -> tuple[str, ...]:
    """Return the names of the images' classes: their numbers, if they have no others; none without labels."""
    if images.labels is None or images.classes:
        return images.classes
    return tuple(str(number) for number in range(int(images.labels.max()) + 1))


def fit(
    run: Path,
    config: FitConfig,
    data: TrialData,
    *,
    audit: Audit | None = None,
    about: About | None = None,
    resume: bool = False,
    device: str = "cpu",
    devices: int = 1,
    tensorboard: bool = False,
    on_progress: Progress | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> FitResult:
    """Train to the end of the recipe, saving on the way, and score.

    With ``resume`` a run goes on from its last checkpoint (some 15 seconds old); killed and resumed it ends with
    the same files as if it had never stopped, on the same machine. A finished run is returned as it is, unless the
    configuration has more steps or more patience: no schedule depends on the budget, so it goes on, and ends with the
    checkpoint of a run that was that long from the start (with more patience also one that had stopped early). Where
    training fails the last good checkpoint is kept, if there was one.

    Args:
        run: the folder.
        config: from :func:`configuration`.
        data: what it was made from.
        audit: of the images, to be kept with the run.
        about: what a user states of it, to be kept with the run in place of what was stated before.
        resume: go on with the run in the folder.
        device: "cpu", "cuda" or one GPU, "cuda:1".
        devices: more than 1: as many processes with a device each share each batch (:mod:`ganetics.training.ranks`).
        tensorboard: write events to ``run/tensorboard``.
        on_progress: called with step, steps in all, and a note; of several devices by another process: it must pickle.
        on_warning: called with a line, where the machine is not the one that the run began on.

    Raises:
        InputError: the folder holds a run and ``resume`` is false; it holds another configuration (names the
            field); it holds none and ``resume`` is true; another process works in it; TensorBoard or Lightning Fabric
            is asked for and not installed.
        OSError: the disk is full or the folder not writable; the last checkpoint is intact.
    """
    check_devices(config.recipe, device=device, devices=devices)
    if tensorboard:
        TensorBoard.check()
    with RunFolder(run) as folder:
        finished = run / "metrics.json"
        if resume and (run / "config.json").exists() and _goes_on(stored_configuration(run), config):
            finished.unlink(missing_ok=True)
            write_json(run / "config.json", config, indent=2)
        folder.begin(config.model_dump(mode="json"), resume=resume)
        write_audit(run, audit)
        if about is not None:
            write_about(run, about)
        if finished.exists():
            result = read_record(FitResult, finished)
            if result.outcome.failure is None or result.outcome.failure.kind not in OF_THE_MACHINE:
                return result
            finished.unlink()  # another day the memory may be there: on from the last checkpoint
        if (warning := folder.note_environment(environment(device))) and on_warning is not None:
            on_warning(warning)
        job = (run, config, data, tensorboard, on_progress)
        if devices == 1:
            result = _fit(Ranks(), torch.device(device), *job)
        else:
            result = launch(_fit, *job, device=device, devices=devices)
        write_json(finished, result, indent=2)
        return result


def _goes_on(before: FitConfig, config: FitConfig) -> bool:
    """Return whether ``config`` is ``before`` with more steps, or more patience."""
    if (before.patience is None) != (config.patience is None):
        return False
    growth = (config.recipe.steps - before.recipe.steps, (config.patience or 0) - (before.patience or 0))
    budget = {"steps": before.recipe.steps, "seconds": before.recipe.seconds}
    same = {"recipe": config.recipe.model_copy(update=budget), "patience": before.patience}
    return min(growth) >= 0 < max(growth) and config.model_copy(update=same) == before


def _fit(
    ranks: Ranks,
    device: torch.device,
    run: Path,
    config: FitConfig,
    data: TrialData,
    tensorboard: bool,
    on_progress: Progress | None,
) -> FitResult:
    state = _state(run / "checkpoint", config, device, ranks)
    if ranks.number > 0:
        return cast(FitResult, _follow(state, config, data))  # nobody asks for it
    evaluations = None
    if config.patience is not None:
        every = config.evaluate_every
        evaluations = Evaluations(run, state, data, patience=config.patience, every=every)
    events = TensorBoard(run / "tensorboard", first_step=state.step + 1) if tensorboard else None
    with nullcontext() if events is None else closing(events):
        watcher = Watcher(run, state, evaluations=evaluations, events=events, on_progress=on_progress)
        with noted(run, state, ranks.count):
            outcome = _trained(state, config, data, watcher)
        if outcome.failure is None:
            watcher.save()
            watcher.grid()
        else:
            watcher.write_history()
    return FitResult(
        outcome=outcome,
        n=config.recipe.eval_samples,
        n_real=len(data.reference.features),
        floor=data.reference.floor,
        floor_n=data.reference.floor_count,
        extractor=data.extractor.identity,
        stopped=None if config.patience is None else state.step,
    )


def _trained(state: TrainingState, config: FitConfig, data: TrialData, watcher: Watcher) -> Outcome:
    """Train to the end, and return the outcome of the last step, or with evaluations that of the best."""
    loss, until = loss_named_or_parsed(config.loss), config.recipe.steps
    try:
        if watcher.evaluations is not None:
            watcher.evaluations.end_if_enough()  # the run was killed at its end
        return advance(state, loss, data, until=until, on_record=watcher.after_record)
    except Enough as enough:
        return enough.best


def _follow(state: TrainingState, config: FitConfig, data: TrialData) -> None:
    """Train along with rank 0, which alone writes and evaluates, and says when it is enough."""

    def after_record(_: Mapping[str, float]) -> None:
        if config.patience is not None and (best := state.ranks.agreed(None)) is not None:
            raise Enough(best)

    loss, until = loss_named_or_parsed(config.loss), config.recipe.steps
    try:
        if config.patience is None or state.ranks.agreed(None) is None:
            train(state, loss, data.train.images, until=until, labels=data.train.labels, on_record=after_record)
    except (Enough, Diverged):
        return


def _state(folder: Path, config: FitConfig, device: torch.device, ranks: Ranks) -> TrainingState:
    if not checkpoint.exists(folder):
        return start(config.recipe, config.seed, device, ranks=ranks)
    state = checkpoint.load(folder, device=device, ranks=ranks)
    budget = {"steps": config.recipe.steps, "seconds": config.recipe.seconds}
    state.recipe = state.recipe.model_copy(update=budget)  # of a run that goes on beyond its first end
    if (state.recipe, state.seed) != (config.recipe, config.seed):
        raise InputError(f"checkpoint {folder}: its recipe or seed is not that of the run's config.json")
    return state


def advice(config: FitConfig, result: FitResult) -> str | None:
    """Return what to try after a divergence, as options of ``ganetics train``; None if there was none."""
    failure, recipe = result.outcome.failure, config.recipe
    if failure is None or failure.kind is not FailureKind.DIVERGED:
        return None
    tries = [f"a lower learning rate (--rate {0.3 * recipe.learning_rate:.2g})"]
    if all(penalty.kind != "r1" for penalty in recipe.penalties):
        tries.append(f"the penalty R1 (--loss '{config.penalised_loss}+r1:1')")
    tries.append(f"another loss (--loss {'least-squares' if config.loss == 'hinge' else 'hinge'})")
    if recipe.precision != "float32":
        tries.append("--precision float32")
    return f"in another folder try {', '.join(tries[:-1])} or {tries[-1]}"


def summary(run: Path, config: FitConfig, result: FitResult) -> dict[str, Any]:
    """Return what the command prints as JSON."""
    outcome = result.outcome
    more = {"stopped": result.stopped, "advice": advice(config, result)}
    return {
        "run": str(run),
        "loss": config.loss,
        "recipe": config.recipe.name,
        "seed": config.seed,
        "step": outcome.step,
        "metrics": outcome.metrics,
        "failure": None if outcome.failure is None else outcome.failure.model_dump(mode="json"),
        "floor": result.floor,
        "floor_n": result.floor_n,
        "n": result.n,
        "n_real": result.n_real,
        "skipped": len(config.skipped),
        "extractor": result.extractor.name,
        "config_digest": config.digest(),
        **{name: value for name, value in more.items() if value is not None},
    }
