"""``ganetics train``: train a generator under a loss."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganetics import _check
from ganetics._check import InputError
from ganetics.cli.console import console, print_json, progress
from ganetics.records import Recipe, from_json, read_text, to_json

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
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run in the folder")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Train a generator on images; at the end sample and score it.

    Options that are not given with --resume are taken from the run.
    """
    from ganetics.execution.process import prepare
    from ganetics.generation.fit import configuration, fit, stored_configuration, summary
    from ganetics.trial import trial_data

    prepare()
    _check_device(device)
    before = stored_configuration(run) if resume else None
    name = dataset or (before.dataset if before else "digits")
    chosen = _recipe(recipe, name, before.recipe if before else None, image_size)
    chosen = _changed(chosen, steps=steps, learning_rate=rate, image_size=image_size)
    data = trial_data(name, None if data_dir is None else str(data_dir), chosen, device=device)
    config = configuration(
        name,
        _text(loss) if loss is not None else (before.loss if before else "ganetic"),
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


def _recipe(name: str | None, dataset: str, before: Recipe | None, image_size: int | None) -> Recipe:
    from ganetics.training import RECIPES, recipe_for

    if name is not None:
        return RECIPES[_check.one_of("recipe", name, RECIPES)]
    if before is not None:
        return before
    found = recipe_for(dataset)
    large = found.name == "images-32" and image_size is not None and image_size > 40
    return RECIPES["images-64"] if large else found


def _changed(recipe: Recipe, **changes: float | None) -> Recipe:
    given = {name: value for name, value in changes.items() if value is not None}
    return from_json(Recipe, to_json({**recipe.model_dump(mode="json"), **given}), where="recipe")


def _text(loss: str) -> str:
    return read_text(Path(loss[1:]), "loss").strip() if loss.startswith("@") else loss


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
    console.print(f"{config.loss}, {outcome.step} steps, seed {config.seed}", markup=False)
    console.print(
        f"Fréchet distance {metrics['fid']:.4g} (real against real {result.floor:.4g}; {result.n} images, "
        f"{result.extractor.name}); kernel distance {metrics['kid']:.4g}"
    )
    console.print(f"samples: {run / 'samples'}; more: ganetics sample {run} --out DIR", markup=False)
