"""``ganetics evaluate``: compare generated images with real ones: of a training run, or folders of both."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganetics._check import InputError
from ganetics.cli.console import console, print_json, progress, warn
from ganetics.cli.evaluation_shown import show, warn_of
from ganetics.cli.images import FEW, warn_of_skipped
from ganetics.cli.options import AsJson, Device
from ganetics.cli.pages import page_at_end
from ganetics.cli.place import checked_device

if TYPE_CHECKING:
    from ganetics.data import ImageSet
    from ganetics.features import Extractor
    from ganetics.generation.results import Evaluation


class Splits(StrEnum):
    """Which images of a run to compare with."""

    validation = "validation"
    test = "test"


def evaluate(
    run: Annotated[Path | None, typer.Option(help="folder of a training run: sample it, and compare")] = None,
    split: Annotated[
        Splits | None, typer.Option(help="of a run: its images to compare with [default: validation]")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            help="of a run: generated images, at most 5,000 [default: as many as real ones; for copies at least 1,000]"
        ),
    ] = None,
    utility: Annotated[
        bool, typer.Option("--utility", help="of a run with classes: also train a classifier on its images")
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="of a run: where the dataset's files lie, or where a folder of images lies now")
    ] = None,
    real: Annotated[Path | None, typer.Option(help="folder of real images, held out from training")] = None,
    fake: Annotated[Path | None, typer.Option(help="folder of generated images")] = None,
    train: Annotated[Path | None, typer.Option(help="folder of the training images; gives the copy rate")] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            help="of folders, with --train: regular expression of the patient, sequence … in the names of real images "
            "(with a slash in it: in paths), or dicom:PatientID"
        ),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="of folders: write a picture of the closest pairs, .png; needs --train")
    ] = None,
    extractor: Annotated[
        str | None,
        typer.Option(help="what makes features of images [default: the run's; of folders efficientnet-lite0]"),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="the extractor's weights, if not installed as a package")] = None,
    image_size: Annotated[
        int | None, typer.Option(min=1, help="of folders: bring all images to this size (pixels) first")
    ] = None,
    seed: Annotated[int, typer.Option(help="of a run's images, and of the subsets of the kernel distance")] = 0,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Compare generated with real images: FID, KID, precision, recall, density, coverage, copies of training images.

    Of a run (--run RUN) the figures are written to RUN/evaluation.json, and the closest pairs to RUN/closest.png. Of
    folders (--real DIR --fake DIR) they are printed.
    """
    from ganetics.features import default_extractor, load_extractor

    device = checked_device(device)
    given = {
        "--real": real,
        "--fake": fake,
        "--train": train,
        "--groups": groups,
        "--sheet": sheet,
        "--image-size": image_size,
    }
    of_run = {"--split": split, "--count": count, "--data-dir": data_dir, "--utility": utility or None}
    if run is not None:
        _refuse(given, "of folders, without --run")
        chosen = {"split": (split or Splits.validation).value, "count": count, "utility": utility, "data_dir": data_dir}
        chosen |= {"seed": seed, "device": device}
        _of_run(run, chosen, extractor=extractor, weights=weights, as_json=as_json)
        return
    _refuse(of_run, "of a run, with --run")
    if real is None or fake is None:
        raise InputError("evaluate: needs --run RUN, or --real DIR and --fake DIR")
    if sheet is not None and (train is None or sheet.suffix.lower() != ".png"):
        raise InputError(f"--sheet: must be a .png file, of a comparison with --train, got {sheet}")
    if sheet is not None and not sheet.parent.is_dir():
        raise InputError(f"--sheet: {sheet.parent} must be a folder, got nothing there")
    if groups is not None and train is None:
        raise InputError(f"--groups: belongs to a comparison with --train, whose images it tells apart, got {groups}")
    measure = load_extractor(extractor or default_extractor(str(real.resolve())), weights=weights, device=device)
    folders = {name: folder for name, folder in (("real", real), ("fake", fake), ("train", train)) if folder}
    sets = {
        name: _load(name, folder, image_size, None if name == "fake" else groups) for name, folder in folders.items()
    }
    if train is not None and (both := set(sets["real"].groups) & set(sets["train"].groups)):
        warn(f"--real: {len(both)} of its groups are in --train too: their images are not held out")
    result = _compared(sets, measure, sheet=sheet, seed=seed)
    warn_of(result, "--real")
    skipped = sum(len(images.skipped) for images in sets.values())
    if as_json:
        print_json({**result.model_dump(mode="json"), "skipped": skipped})
    else:
        show(result, skipped=skipped)


def _refuse(options: Mapping[str, object], what: str) -> None:
    """Refuse options that belong to the other form."""
    for name, value in options.items():
        if value is not None:
            raise InputError(f"{name}: belongs to an evaluation {what}, got {value}")


def _of_run(run: Path, chosen: dict[str, Any], *, extractor: str | None, weights: Path | None, as_json: bool) -> None:
    from ganetics.cli.model_card import write_model_card
    from ganetics.cli.train_page import write_train_page
    from ganetics.execution.process import prepare
    from ganetics.features import load_extractor
    from ganetics.generation.evaluate_run import evaluate_run
    from ganetics.generation.results import SHEET, stored_configuration

    prepare()
    config = stored_configuration(run)
    measure = load_extractor(extractor or config.recipe.extractor, weights=weights, device=chosen["device"])
    with progress("features") as report:
        result = evaluate_run(run, measure, **chosen, on_progress=report)
    page_at_end(lambda: (write_model_card(run), write_train_page(run)), again=f"ganetics report {run}")
    if config.patience is not None and result.split == "validation":
        warn("--split validation: the state was chosen on these images, so its figures are somewhat too good")
    if result.looks is not None and result.looks > 1:
        warn(
            f"--split test: looked at {result.looks} times since {result.first_look}: what was changed in between "
            "was chosen by the test images"
        )
    warn_of(result, "of the run's own images")
    if as_json:
        print_json(result)
    else:
        show(result)
        console.print(f"closest pairs: {run / SHEET}", markup=False, soft_wrap=True)


def _compared(sets: Mapping[str, ImageSet], measure: Extractor, *, sheet: Path | None, seed: int) -> Evaluation:
    from ganetics._files import write_atomically
    from ganetics.generation.evaluate import check, compared
    from ganetics.generation.sheet import closest_pairs

    real, fake, train = sets["real"], sets["fake"], sets.get("train")
    try:
        check(real, fake, train)
    except InputError as error:
        raise InputError(str(error).replace("give an image size", "give --image-size")) from None
    with progress("features") as report:
        found = compared(real, fake, extractor=measure, train=train, seed=seed, on_progress=report)
    if sheet is not None and train is not None and found.fake is not None and found.control is not None:
        picture = closest_pairs(fake.images, train.images, found.fake, real=real.images, control=found.control)
        write_atomically(sheet, picture)
    return found.evaluation


def _load(name: str, folder: Path, image_size: int | None, groups: str | None) -> ImageSet:
    """Return a folder's images; name on standard error what was skipped, and a number that is small."""
    from ganetics import data

    if not folder.is_dir():
        raise InputError(f"--{name}: must be a folder of images, got {folder}")
    with progress(f"--{name}: images") as report:
        images = data.load(str(folder.resolve()), split="all", image_size=image_size, groups=groups, on_progress=report)
    warn_of_skipped((f"{one.path}: {one.reason}" for one in images.skipped), option=f"--{name}")
    if len(images) < FEW:
        warn(f"--{name}: only {len(images)} images: below {FEW} the figures are mostly chance")
    return images
