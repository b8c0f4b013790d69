"""Is a run repeated bit-identical? Final runs of a benchmark are trained again and held to its archive.

    python benchmarks/repeat.py results/bench-mnist [RUN …] --data-dir DIR [--losses A B C] [--out results/repeats]

Of each loss the first final run is made again, in this process, from the benchmark's configuration alone, and every
field of its line is compared for equality. On another processor or torch build a difference is no fault: the result
says whether the environment is the one that the benchmark began in.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics.benchmark.config import BenchConfig
from ganetics.benchmark.plan import Run, plan, recipe_of, split
from ganetics.benchmark.run import NEIGHBOURS, run_line
from ganetics.data.load import is_named
from ganetics.execution import InProcessExecutor
from ganetics.execution.log import Log, read_config_as
from ganetics.execution.process import environment, prepare
from ganetics.records import to_json, write_json
from ganetics.trial import TrialJob, load_trial_data, run_job

Archived = tuple[Run, dict[str, Any]]
"""A run and its line in the archive."""


def final_runs(folder: Path, losses: Sequence[str], *, seeds: int = 1) -> list[Archived]:
    """Return the first final runs of losses, by the labels that the benchmark has them under.

    Raises:
        InputError: the benchmark has too few final runs of a loss.
    """
    lines = Log(folder / "archive.jsonl").read()
    plans = plan(read_config_as(BenchConfig, folder), lines, where=folder / "archive.jsonl").runs[: len(lines)]
    found: list[Archived] = []
    for loss in losses:
        runs = [(run, lines[run.index]) for run in plans if run.phase == "final" and run.contender.label == loss]
        if len(runs) < seeds:
            raise InputError(f"losses: {folder} must hold {seeds} final runs of each, got {len(runs)} of {loss!r}")
        found += runs[:seeds]
    return found


def trained_again(
    folder: Path, data_dir: Path, runs: Sequence[Archived], **scored: object
) -> Iterator[tuple[Archived, dict[str, Any]]]:
    """Train runs again, in this process, from the benchmark's configuration alone; yield each with its line now.

    Args:
        folder: of the benchmark.
        data_dir: where the files of a named dataset lie, or a dataset that is a folder.
        runs: which.
        scored: fields of the recipe that are to differ: how images are scored.
    """
    config = read_config_as(BenchConfig, folder)
    config = config.model_copy(update={"recipe": config.recipe.model_copy(update=scored)})
    named = is_named(config.dataset)
    data = load_trial_data(
        config.dataset if named else str(data_dir / config.dataset),
        str(data_dir) if named else None,
        config.recipe,
        reference_split=split(config, "final"),
        groups=config.groups,
    )
    config = config.model_copy(update={"extractor": data.extractor.identity})
    shared = InProcessExecutor().share(data)
    for run, archived in runs:
        job = TrialJob(
            run.contender.loss,
            recipe_of(config, run),
            config.dataset,
            None,
            run.seed,
            score_at=config.score_at,
            neighbours=NEIGHBOURS,
            shared=shared,
        )
        yield (run, archived), json.loads(to_json(run_line(config, run, run_job(job))))


def repeated(folder: Path, data_dir: Path, losses: Sequence[str]) -> list[dict[str, Any]]:
    """Return what became of each loss's first final run, made again."""
    found = []
    for (run, archived), line in trained_again(folder, data_dir, final_runs(folder, losses)):
        differ = sorted(field for field in line if line[field] != archived[field])
        found.append(
            {
                "run": str(folder),
                "index": run.index,
                "loss": run.contender.label,
                "seed": run.seed,
                "differ": differ,
                **{metric: [archived[metric], line[metric]] for metric in ("fid", "kid")},
            }
        )
        print(found[-1], flush=True)
    return found


def main() -> None:
    """Repeat, and write the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--data-dir", type=Path, required=True, help="where named datasets and folders of images lie")
    parser.add_argument("--losses", nargs="+", default=["ganetic", "non-saturating", "least-squares"])
    parser.add_argument("--out", type=Path, default=Path("results/repeats"))
    given = parser.parse_args()
    prepare()
    here = environment()
    began = {str(run): json.loads((run / "environment.json").read_text(encoding="utf-8")) for run in given.runs}
    repeats = [one for run in given.runs for one in repeated(run, given.data_dir, given.losses)]
    result = {
        "command": f"python benchmarks/repeat.py {' '.join(map(str, given.runs))} --data-dir DIR",
        "identical": all(not one["differ"] for one in repeats),
        "same_environment": {run: began[run] == here for run in began},
        "repeats": repeats,
        "environment": here,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    write_json(given.out / "summary.json", result)


if __name__ == "__main__":
    main()
