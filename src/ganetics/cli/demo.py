"""``ganetics demo``: a real search, small enough to watch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganetics.cli.options import AsJson
from ganetics.cli.place import Place
from ganetics.cli.recipes import chosen_recipe
from ganetics.cli.search import carry_out, prepared, show
from ganetics.search.ladder import ladder

DATASET = "digits"
SETTINGS = {"trials": 60, "population": 14, "finalists": 3, "final_seeds": 3}
"""Sized for two or three minutes on two cores."""


def demo(
    run: Annotated[Path, typer.Argument(help="folder of the run; made if missing, gone on with if there")] = Path(
        "demo-run"
    ),
    workers: Annotated[int | None, typer.Option(min=1, help="processes [default: one a core]")] = None,
    seed: Annotated[int, typer.Option(help="of everything random")] = 0,
    as_json: AsJson = False,
) -> None:
    """Evolve losses on 8×8 digits in a few minutes and write a report with pictures. No network is needed."""
    recipe = chosen_recipe(None, DATASET)
    search = prepared(DATASET, None, recipe, {**SETTINGS, "rungs": ladder(recipe), "seed": seed})
    result = carry_out(run, search, place=Place(workers=workers), resume=(run / "config.json").exists())
    show(run, result, as_json=as_json)
