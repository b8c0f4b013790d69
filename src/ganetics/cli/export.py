"""``ganetics export``: a trained generator to take elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from ganetics.cli.console import console, print_json, warn
from ganetics.cli.model_card import FILE, write_model_card
from ganetics.cli.options import AsJson


def export(
    run: Annotated[Path, typer.Argument(help="folder of a training run")],
    out: Annotated[Path, typer.Option(help="folder to write to; made if missing, else empty")],
    as_json: AsJson = False,
) -> None:
    """Write a run's generator to a folder: weights, an ONNX graph checked equal, a script without PyTorch, its card."""
    from ganetics.execution.process import prepare
    from ganetics.generation.export import export as export_run

    prepare()
    files, missing = export_run(run, out)
    shutil.copy(write_model_card(run), out / FILE)
    files.append(FILE)
    if missing is not None:
        warn(f"{missing}; written without it: {', '.join(files)}")
    if as_json:
        print_json({"run": str(run), "out": str(out), "files": files})
    else:
        console.print(f"{', '.join(files)} in {out}", markup=False, soft_wrap=True)
