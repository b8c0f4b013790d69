"""``ganetics sample``: images from a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganetics.cli.console import console, print_json


def sample(
    run: Annotated[Path, typer.Argument(help="folder of a training run")],
    out: Annotated[Path, typer.Option(help="folder to write to")],
    count: Annotated[int, typer.Option(min=1, help="number of images")] = 64,
    grid: Annotated[
        bool, typer.Option("--grid", help="write one picture, grid.png, instead of a file an image")
    ] = False,
    npz: Annotated[bool, typer.Option("--npz", help="also write samples.npz: images, uint8 [n, h, w, c]")] = False,
    of_class: Annotated[
        str | None, typer.Option("--class", help="of this class, of a conditional run [default: they take turns]")
    ] = None,
    seed: Annotated[int, typer.Option(help="other seeds give other images")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Write images that a trained run generates."""
    from ganetics.execution.process import prepare
    from ganetics.generation.sample import sample_run, write_grid, write_images, write_npz

    prepare()
    images = sample_run(run, count, seed=seed, of_class=of_class)
    written = [write_grid(images, out)] if grid else write_images(images, out)
    if npz:
        written.append(write_npz(images, out))
    if as_json:
        print_json({"run": str(run), "out": str(out), "count": count, "seed": seed, "files": len(written)})
    else:
        console.print(f"{count} images in {out}", markup=False)
