"""Is a run repeated bit-identical? Final runs of a benchmark are trained again and held to its archive.

    python benchmarks/repeat.py results/bench-mnist [RUN …] --data-dir DIR [--losses A B C] [--out results/repeats]

Of each loss the first final run is made again, in this process, from the benchmark's configuration alone, and every
field of its line is compared for equality. On another processor or torch build a difference is no fault: the result
says whether the environment is the one that the benchmark began in.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics.benchmark.plan import plan, recipe_of, split
from ganetics.benchmark.run import NEIGHBOURS, run_line
from ganetics.execution import InProcessExecutor
from ganetics.execution.log import Log, read_config_as
from ganetics.execution.process import environment, prepare
from ganetics.records import BenchConfig, to_json
from ganetics.trial import TrialJob, load_trial_data, run_job


def repeated(folder: Path, data_dir: str, losses: list[str]) -> list[dict[str, Any]]:
    """Return what became of each loss's first final run, made again.

    Raises:
        InputError: the benchmark has no final run of a loss.
    """
    config = read_config_as(BenchConfig, folder)
    lines = Log(folder / "archive.jsonl").read()
    runs = plan(config, lines, where=folder / "archive.jsonl").runs[: len(lines)]
    first = {one.contender.label: one for one in reversed(runs) if one.phase == "final"}
    data = load_trial_data(
        config.dataset, data_dir, config.recipe, reference_split=split(config, "final"), groups=config.groups
    )
    shared = InProcessExecutor().share(data)
    found = []
    for name in losses:
        if name not in first:
            raise InputError(f"losses: {folder} must hold a final run of each, got {name!r}")
        run = first[name]
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
        line = json.loads(to_json(run_line(config, run, run_job(job))))
        differ = sorted(field for field in line if line[field] != lines[run.index][field])
        found.append({"run": str(folder), "index": run.index, "loss": name, "seed": run.seed, "differ": differ})
        found[-1] |= {metric: [lines[run.index][metric], line[metric]] for metric in ("fid", "kid")}
        print(found[-1], flush=True)
    return found


def main() -> None:
    """Repeat, and write the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--data-dir", required=True)
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
    write_atomically(given.out / "summary.json", (to_json(result, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
