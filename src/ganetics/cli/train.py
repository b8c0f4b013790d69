"""``ganetics train``: train a generator under a loss."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganetics._check import InputError
from ganetics.cli.console import console, print_json, progress
from ganetics.cli.images import warn_of_data
from ganetics.cli.losses_given import loss_text
from ganetics.cli.recipes import changed, chosen_recipe

if TYPE_CHECKING:
    from ganetics.generation.fit import FitConfig, FitResult


def train(
    run: Annotated[Path, typer.Argument(help="folder of the run; made if missing")],
    dataset: Annotated[
        str | None, typer.Option(help="digits, mnist, cifar10, or a folder of images [default: digits]")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="where the dataset's files already lie")] = None,
    loss: Annotated[
        str | None, typer.Option(help="a name, an expression, or @FILE that holds one [default: ganetic]")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="a named recipe [default: the dataset's]")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="updates of the generator")] = None,
    rate: Annotated[float | None, typer.Option(help="learning rate of both networks")] = None,
    seed: Annotated[int | None, typer.Option(help="of weights, latents and data order [default: 0]")] = None,
    image_size: Annotated[int | None, typer.Option(min=8, max=64, help="side of the images, pixels")] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32, or bfloat16: faster where the processor has it [default: the recipe's]")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run in the folder")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Train a generator on images; at the end sample and score it.

    Options that are not given with --resume are taken from the run.
    """
    from ganetics.execution.process import prepare
    from ganetics.generation.fit import configuration, fit, stored_configuration, summary
    from ganetics.trial import load_trial_data

    prepare()
    _check_device(device)
    before = stored_configuration(run) if resume else None
    name = dataset or (before.dataset if before else "digits")
    chosen = chosen_recipe(recipe, name, before=before.recipe if before else None, image_size=image_size)
    chosen = changed(chosen, steps=steps, learning_rate=rate, image_size=image_size, precision=precision)
    with progress("reading images") as report:
        data = load_trial_data(
            name, None if data_dir is None else str(data_dir), chosen, device=device, on_progress=report
        )
    warn_of_data(data)
    config = configuration(
        name,
        loss_text(loss) if loss is not None else (before.loss if before else "ganetic"),
        chosen,
        data,
        seed=seed if seed is not None else (before.seed if before else 0),
    )
    with progress("training", config.recipe.steps) as report:
        result = fit(run, config, data, resume=resume, device=device, on_progress=report)
    if as_json:
        print_json(summary(run, config, result))
    else:
        _show(run, config, result)
    if result.outcome.failure is not None:
        raise typer.Exit(1)


def _check_device(device: str) -> None:
    import torch

    if device.split(":")[0] not in ("cpu", "cuda"):
        raise InputError(f"device must be cpu or cuda, got {device!r}")
    if device != "cpu" and not torch.cuda.is_available():
        raise InputError(f"device {device} needs a GPU that PyTorch can use; there is none here")


def _show(run: Path, config: FitConfig, result: FitResult) -> None:
    outcome = result.outcome
    if outcome.failure is not None:
        console.print(f"{config.loss}: {outcome.failure.kind}: {outcome.failure.message}", markup=False)
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
    console.print(f"samples: {run / 'samples'}; more: ganetics sample {run} --out DIR", markup=False)
