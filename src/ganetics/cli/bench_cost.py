"""What a benchmark would cost, in words and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganetics.benchmark.config import BenchConfig
from ganetics.benchmark.cost import expected_seconds, left
from ganetics.benchmark.plan import Line
from ganetics.benchmark.protocol import FILE
from ganetics.cli.console import console, duration, print_json


def cost(config: BenchConfig, workers: int, lines: Sequence[Line], *, where: Path) -> str:
    """Return in words what is left to run and how long it will take, as the recipe expects."""
    found = left(config, lines, where=where)
    fewest, most, each = found.runs, found.most_runs, expected_seconds(config.recipe)
    runs = f"{fewest} of {fewest + len(lines)} runs left" if lines else f"{fewest} runs"
    further = f" and at most {most - fewest} for further rates" if most > fewest else ""
    until = f" to {duration(found.most_seconds / workers)}" if most > fewest else ""
    larger = ", more at larger batch sizes" if max(config.batch_sizes, default=0) > config.recipe.batch_size else ""
    busy = "1 worker" if workers == 1 else f"{workers} workers"
    return (
        f"{runs}{further}: about {duration(found.seconds / workers)}{until} with {busy}, at the {each:.3g} s a run of "
        f"{config.recipe.steps} steps that the recipe {config.recipe.name} expects{larger}"
    )


def show_cost(run: Path, config: BenchConfig, workers: int, lines: Sequence[Line], *, as_json: bool) -> None:
    """Print what the rest of a benchmark would cost, and what it compares: files have been read by then."""
    archive = run / "archive.jsonl"
    labels = [contender.label for contender in config.contenders]
    if as_json:
        rest = left(config, lines, where=archive)
        hours = [seconds / workers / 3600 for seconds in (rest.seconds, rest.most_seconds)]
        found = {"runs": rest.runs, "most_runs": rest.most_runs, "workers": workers, "hours": hours}
        print_json({**found, "protocol": config.protocol, "losses": labels})
        return
    console.print(cost(config, workers, lines, where=archive), markup=False)
    console.print(f"{len(labels)} losses, against {config.baseline}:", markup=False)
    for label in labels:
        console.print(f"  {label}", markup=False, soft_wrap=True)
    if config.protocol is not None:
        console.print(f"bound to {run / FILE}, which is written: the run keeps to it", markup=False, soft_wrap=True)
