"""``ganetics train``: train a generator under a loss."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganetics._check import InputError
from ganetics.cli.audit import checked
from ganetics.cli.console import console, print_json, progress, warn
from ganetics.cli.images import gone_on_with, warn_of_data
from ganetics.cli.losses_given import loss_and_penalties
from ganetics.cli.model_card import write_model_card
from ganetics.cli.options import AcceptAudit, AsJson, DataDir, Dataset, Device, Groups, Precision, RecipeName
from ganetics.cli.pages import page_at_end
from ganetics.cli.place import checked_device
from ganetics.cli.recipes import changed, chosen_recipe
from ganetics.cli.train_page import write_train_page
from ganetics.records import Penalty, Recipe, from_values

if TYPE_CHECKING:
    from ganetics.generation.results import FitConfig, FitResult
    from ganetics.trial import TrialData


class Augment(StrEnum):
    """What happens to images before the discriminator sees them."""

    none = "none"
    diffaugment = "diffaugment"
    adaptive = "adaptive"


def train(
    run: Annotated[Path, typer.Argument(help="folder of the run; made if missing")],
    dataset: Dataset = None,
    data_dir: DataDir = None,
    groups: Groups = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help="a name, an expression, @FILE that holds one (of a hall_of_fame.json the best found; @FILE#N: that in "
            "row or line N), or baseline: the one that the model was published with; with penalties behind it, such as "
            "hinge+r1:0.5/16 [default: ganetic]"
        ),
    ] = None,
    recipe: RecipeName = None,
    steps: Annotated[int | None, typer.Option(min=1, help="updates of the generator")] = None,
    rate: Annotated[float | None, typer.Option(help="learning rate of both networks")] = None,
    rate_half_life: Annotated[
        float | None, typer.Option(help="steps in which the learning rate halves [default: it stays]")
    ] = None,
    ema_half_life: Annotated[
        float | None, typer.Option(help="images in which the generator's moving average forgets half")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="of weights, latents and data order [default: 0]")] = None,
    image_size: Annotated[int | None, typer.Option(min=8, max=256, help="side of the images, pixels")] = None,
    conditional: Annotated[
        bool, typer.Option("--conditional", help="tell the networks each image's class, to ask for one in sample")
    ] = False,
    augment: Annotated[
        Augment | None, typer.Option(help="augmentation: adaptive for few images [default: the recipe's: none]")
    ] = None,
    precision: Precision = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="stop after so many evaluations on held-out images without a better KID")
    ] = None,
    evaluate_every: Annotated[
        int | None, typer.Option(min=50, help="steps between two evaluations, for --patience [default: 500]")
    ] = None,
    device: Device = "cpu",
    devices: Annotated[int, typer.Option(min=1, help="so many GPUs, or processes, share each batch")] = 1,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="write events to RUN/tensorboard")] = False,
    accept_audit: AcceptAudit = False,
    licence: Annotated[str | None, typer.Option(help="of the images, as you state it: for the model card")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the run in the folder, also beyond its end with more --steps")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a generator on images; at the end sample and score it.

    Images of your own are audited first (see ganetics doctor --data), and errors stop it. Settings that are not given
    with --resume are taken from the run; where data lie now and where it runs (--data-dir, --dataset of moved images,
    --device, --devices, --tensorboard) is not kept: give it again.
    """
    from ganetics.execution.log import check_new
    from ganetics.execution.process import prepare
    from ganetics.generation.about import About
    from ganetics.generation.fit import configuration, fit, summary
    from ganetics.generation.results import EVALUATE_EVERY, stored_configuration
    from ganetics.trial import load_trial_data

    prepare()
    device = checked_device(device)
    if not resume:
        check_new(run)
    about = None if licence is None else from_values(About, {"licence": licence}, where="train")
    before = stored_configuration(run) if resume else None
    name = gone_on_with(run, before.dataset, dataset) if before else dataset or "digits"
    groups = groups if groups is not None or before is None else before.groups
    accept_audit = accept_audit or (before is not None and before.accept_audit)
    # a run that is gone on with has the images that it began with, or is refused
    audit = None if before else checked(name, data_dir, groups, accept=accept_audit)
    chosen = chosen_recipe(
        recipe, name, before=before.recipe if before else None, image_size=image_size, data_dir=data_dir
    )
    chosen = changed(
        chosen,
        steps=steps,
        learning_rate=rate,
        rate_half_life=rate_half_life,
        ema_half_life=ema_half_life,
        image_size=image_size,
        augment=augment,
        precision=precision,
    )
    if loss is None:
        text = before.loss if before else "ganetic"
    else:
        text, penalties = _loss(loss, chosen)
        chosen = chosen.model_copy(update={"penalties": penalties})
    with progress("reading images") as report:
        data = load_trial_data(
            name,
            None if data_dir is None else str(data_dir),
            chosen,
            groups=groups,
            device=device,
            on_progress=report,
        )
    warn_of_data(data)
    if conditional:
        chosen = changed(chosen, classes=_number_of_classes(data))
    config = configuration(
        name,
        text,
        chosen,
        data,
        seed=seed if seed is not None else (before.seed if before else 0),
        groups=groups,
        accept_audit=accept_audit,
        patience=patience if patience is not None else (before.patience if before else None),
        evaluate_every=evaluate_every or (before.evaluate_every if before else EVALUATE_EVERY),
    )
    if before is not None:  # where the images lie now is not kept
        config = config.model_copy(update={"dataset": before.dataset})
    ended = _metrics(run)
    with progress("training", config.recipe.steps, lines=devices > 1) as report:
        result = fit(
            run,
            config,
            data,
            audit=audit,
            about=about,
            resume=resume,
            device=device,
            devices=devices,
            tensorboard=tensorboard,
            on_progress=report,
            on_warning=warn,
        )
    if ended is not None and ended == _metrics(run) and result.outcome.failure is None:
        warn(f"{run}: had ended already, nothing was trained; more --steps go on with it")
    page_at_end(lambda: (write_model_card(run), write_train_page(run)), again=f"ganetics report {run}")
    if as_json:
        print_json(summary(run, config, result))
    else:
        _show(run, config, result)
    if result.outcome.failure is not None:
        raise typer.Exit(1)


def _metrics(run: Path) -> bytes | None:
    """Return the file that a finished run has; None: it has not ended, or there is none."""
    path = run / "metrics.json"
    return path.read_bytes() if path.is_file() else None


def _loss(given: str, recipe: Recipe) -> tuple[str, tuple[Penalty, ...]]:
    """Return the loss that a command line says, and all penalties: the recipe's, and those behind the loss."""
    from ganetics.models import BASELINES

    text, penalties = loss_and_penalties(given, known={"baseline": BASELINES[recipe.model]})
    # a run that is gone on with has them already
    return text, (*recipe.penalties, *(penalty for penalty in penalties if penalty not in recipe.penalties))


def _number_of_classes(data: TrialData) -> int:
    from ganetics.generation.fit import class_names

    names = class_names(data.train)
    if len(names) < 2:
        raise InputError(
            f"conditional: images must be of at least 2 classes, such as folders in a folder, got {len(names)}"
        )
    return len(names)


def _show(run: Path, config: FitConfig, result: FitResult) -> None:
    from ganetics.generation.fit import advice
    from ganetics.generation.results import go_on

    outcome = result.outcome
    if outcome.failure is not None:
        console.print(f"{config.loss}: {outcome.failure.kind}: {outcome.failure.message}", markup=False)
        if (told := advice(config, result)) is not None:
            console.print(told, markup=False)
        return
    metrics = outcome.metrics or {}
    images = config.data
    console.print(
        f"{config.loss}, {outcome.step} steps, seed {config.seed}, on {images.count:,} images of "
        f"{images.width}×{images.height}, {images.channels} channel(s)",
        markup=False,
    )
    console.print(
        f"Fréchet distance {metrics['fid']:.4g}, kernel distance {metrics['kid']:.4g}: {result.n:,} generated against "
        f"{result.n_real:,} held-out real images, {result.extractor.name} "
        f"(Fréchet distance of real against real, {result.floor_n:,} a side: {result.floor:.4g})"
    )
    if result.stopped is not None:
        console.print(
            f"the best of the evaluations up to step {result.stopped}, chosen on these held-out images: "
            "its figures are somewhat too good",
            markup=False,
        )
    if (more := go_on(config, result, str(run))) is not None:
        console.print(more, markup=False, soft_wrap=True)
    console.print(f"page: {run / 'report.html'}", markup=False)
    console.print(f"samples: {run / 'samples'}; more: ganetics sample {run} --out DIR", markup=False)
