"""``ganetics evaluate``: compare a folder of generated images with a folder of real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ganetics import data
from ganetics._check import InputError
from ganetics.cli.console import console, print_json, progress, warn
from ganetics.cli.images import FEW, warn_of_skipped
from ganetics.data import ImageSet
from ganetics.features import default_extractor, load_extractor
from ganetics.generation.evaluate import Evaluation, check
from ganetics.generation.evaluate import evaluate as compare


def evaluate(
    real: Annotated[Path, typer.Option(help="folder of real images, held out from training")],
    fake: Annotated[Path, typer.Option(help="folder of generated images")],
    train: Annotated[Path | None, typer.Option(help="folder of the training images; gives the copy rate")] = None,
    extractor: Annotated[
        str | None, typer.Option(help="what makes features of images; without it, efficientnet-lite0")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="the extractor's weights, if not installed as a package")] = None,
    image_size: Annotated[int | None, typer.Option(min=1, help="bring all images to this size (pixels) first")] = None,
    seed: Annotated[int, typer.Option(help="of the subsets of the kernel distance")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Compare generated with real images: FID, KID, precision, recall, density, coverage, copies."""
    measure = load_extractor(extractor or default_extractor(str(real)), weights=weights)
    sets = {
        name: _load(name, folder, image_size)
        for name, folder in (("real", real), ("fake", fake), ("train", train))
        if folder is not None
    }
    try:
        check(sets["real"], sets["fake"], sets.get("train"))
    except InputError as error:
        raise InputError(str(error).replace("give an image size", "give --image-size")) from None
    with progress("features") as report:
        result = compare(
            sets["real"],
            sets["fake"],
            extractor=measure,
            train=sets.get("train"),
            seed=seed,
            on_progress=report,
        )
    if result.held_out_duplicates:
        warn(
            f"--real: {result.held_out_duplicates} of {result.n_real} images are in --train too: "
            "they are not held out, and the copy rate's threshold is made without them"
        )
    skipped = sum(len(images.skipped) for images in sets.values())
    if as_json:
        print_json({**result.model_dump(mode="json", exclude_none=True), "skipped": skipped})
    else:
        show(result, skipped=skipped)


def _load(name: str, folder: Path, image_size: int | None) -> ImageSet:
    """Return a folder's images; name on standard error what was skipped, and a number that is small."""
    if not folder.is_dir():
        raise InputError(f"--{name}: must be a folder of images, got {folder}")
    with progress(f"--{name}: images") as report:
        images = data.load(str(folder.resolve()), split="all", image_size=image_size, on_progress=report)
    warn_of_skipped((f"{one.path}: {one.reason}" for one in images.skipped), option=f"--{name}")
    if len(images) < FEW:
        warn(f"--{name}: only {len(images)} images: below {FEW} the figures are mostly chance")
    return images


def rows(result: Evaluation) -> list[tuple[str, str, str]]:
    """Return (figure, value, how to read it) of every figure."""
    found = [
        ("FID", f"{result.fid:.4g}", f"lower is better; real against real: {result.floor:.4g} (floor)"),
        ("KID", f"{result.kid:.4g} ± {result.kid_std:.2g}", "lower is better; 0 for equal distributions"),
        ("precision", f"{result.precision:.3f}", "generated images that lie among real ones"),
        ("recall", f"{result.recall:.3f}", "real images that lie among generated ones"),
        (
            "density",
            f"{result.density:.3f}",
            "how densely real images surround generated ones; about 1 is real",
        ),
        ("coverage", f"{result.coverage:.3f}", "real images with a generated one near; near 1 is real"),
    ]
    if result.copy_rate is not None:
        others = "any other held-out image" if result.held_out_duplicates else "any held-out image"
        meaning = f"generated images nearer to a training image ({result.copy_threshold:.4g}) than {others}"
        found.append(("copy rate", f"{result.copy_rate:.3f}", meaning))
    return found


def show(result: Evaluation, *, skipped: int) -> None:
    """Print the table for people, and how to read it."""
    table = Table(box=None, pad_edge=False)
    for column in ("figure", "value", "meaning"):
        table.add_column(column)
    for row in rows(result):
        table.add_row(*row)
    console.print(table)
    sides = f"{result.n} generated and {result.n_real} real images"
    trained = "" if result.n_train is None else f", {result.n_train} training images"
    left_out = f", {skipped} skipped" if skipped else ""
    console.print(f"\n{sides}{trained}{left_out}; {result.extractor.name}, resize: {result.resize}.")
    console.print(
        "An FID near the floor means: as near as real images are to each other. "
        f"The floor compares two halves of {result.floor_n} real images; at {result.n_real} a side it would be lower."
    )
