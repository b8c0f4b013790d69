"""``ganetics sample``: images from a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganetics._check import InputError
from ganetics.cli.console import console, print_json
from ganetics.cli.options import AsJson, Device
from ganetics.cli.place import checked_device

if TYPE_CHECKING:
    from ganetics.generation.interpolate import Interpolation

COUNT = 64
"""Images, if no number is given."""


def sample(
    run: Annotated[Path, typer.Argument(help="folder of a training run")],
    out: Annotated[Path, typer.Option(help="folder to write to")],
    count: Annotated[
        int | None, typer.Option(min=1, help="number of images [default: 64]; of rows with --interpolate [default: 8]")
    ] = None,
    grid: Annotated[
        bool, typer.Option("--grid", help="write one picture, grid.png, instead of a file an image")
    ] = False,
    interpolate: Annotated[
        int | None,
        typer.Option(
            min=1, help="write one picture instead, interpolation.png: rows of so many steps between two images"
        ),
    ] = None,
    npz: Annotated[
        bool, typer.Option("--npz", help="also write samples.npz (interpolation.npz): images, uint8 [n, h, w, c]")
    ] = False,
    of_class: Annotated[
        str | None, typer.Option("--class", help="of this class, of a conditional run [default: they take turns]")
    ] = None,
    seed: Annotated[int, typer.Option(help="other seeds give other images")] = 0,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Write images that a trained run generates: PNG files, of a run with classes in a folder for each."""
    from ganetics.execution.process import prepare
    from ganetics.generation.interpolate import ROWS, interpolate_run
    from ganetics.generation.sample import sample_run, write_grid, write_images, write_npz

    prepare()
    device = checked_device(device)
    if interpolate is not None:
        if grid:
            raise InputError("--grid: --interpolate writes one picture of its own, leave one of the two out")
        chosen: dict[str, Any] = {"rows": count or ROWS, "seed": seed, "of_class": of_class, "device": device}
        _between(interpolate_run(run, interpolate, **chosen), run, out, npz=npz, as_json=as_json)
        return
    count = count or COUNT
    samples = sample_run(run, count, seed=seed, of_class=of_class, device=device)
    written = [write_grid(samples.images, out)] if grid else write_images(samples, out)
    if npz:
        written.append(write_npz(samples, out))
    if as_json:
        told = {"count": count, "seed": seed, "classes": list(samples.classes), "files": len(written)}
        print_json({"run": str(run), "out": str(out), **told})
    else:
        folders = ", in a folder for each class" if samples.classes and not grid else ""
        console.print(f"{count} images in {out}{folders}", markup=False)


def _between(found: Interpolation, run: Path, out: Path, *, npz: bool, as_json: bool) -> None:
    from ganetics.generation.interpolate import write_frames, write_interpolation

    steps = found.images.shape[1] - 2
    written = [write_interpolation(found, out)]
    if npz:
        written.append(write_frames(found, out))
    if as_json:
        told = {"seeds": found.seeds, "classes": found.classes, "files": len(written)}
        print_json({"run": str(run), "out": str(out), "rows": len(found.seeds), "steps": steps, **told})
        return
    classes = found.classes or [""] * len(found.seeds)
    console.print(f"{written[0]}: from left to right, {steps} steps between two images", markup=False, soft_wrap=True)
    for (first, last), name in zip(found.seeds, classes, strict=True):
        console.print(f"seed {first} to seed {last}{', ' if name else ''}{name}", markup=False)
