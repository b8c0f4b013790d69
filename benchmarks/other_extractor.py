"""Do a benchmark's losses rank alike by another extractor? Final runs are trained again and scored by it.

    python benchmarks/other_extractor.py results/bench-cifar10 --data-dir DIR --losses A B C [--seeds 3]
        [--extractor inception] [--samples 2000] [--out results/inception-cifar10]

A run is a line of ``archive.jsonl``; what is there is not made again. ``summary.json`` has beside each other the
geometric mean FID of each loss by the benchmark's extractor and by the other one, on the same seeds and steps.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from discovery import geometric_mean
from repeat import final_runs, trained_again

from ganetics._check import InputError
from ganetics.benchmark.tables import distance
from ganetics.execution.log import Log
from ganetics.execution.process import environment, prepare
from ganetics.records import write_json

FIELDS = (
    "loss", "lr", "seed", "steps", "dataset", "split", "recipe", "extractor", "extractor_digest", "n", "fid", "kid",
    "failure",
)  # fmt: skip


def summary(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return loss → the geometric mean FID by either extractor, and the runs' own."""
    found = {}
    for loss in dict.fromkeys(line["loss"] for line in lines):
        runs = [line for line in lines if line["loss"] == loss]
        found[loss] = {
            "seeds": len(runs),
            "fid": geometric_mean([distance(run) for run in runs]),
            "fid_by_the_benchmark": geometric_mean([distance(run["archived"]) for run in runs]),
            "runs": {str(run["seed"]): [run["fid"], run["archived"]["fid"]] for run in runs},
        }
    return found


def main() -> None:
    """Train what is missing, and write the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--losses", nargs="+", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--extractor", default="inception")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("results/inception-cifar10"))
    given = parser.parse_args()
    prepare()
    given.out.mkdir(parents=True, exist_ok=True)
    log = Log(given.out / "archive.jsonl")
    there = set()
    for line in log.read():
        if (line["extractor"], line["n"]) != (given.extractor, given.samples):
            raise InputError(
                f"{log.path}: must be of {given.extractor} at n = {given.samples}, got {line['extractor']} at "
                f"n = {line['n']}; name another folder"
            )
        there.add((line["loss"], line["seed"]))
    runs = final_runs(given.run, given.losses, seeds=given.seeds)
    missing = [(run, line) for run, line in runs if (line["loss"], line["seed"]) not in there]
    scored = {"extractor": given.extractor, "eval_samples": given.samples}
    for (_, archived), line in trained_again(given.run, given.data_dir, missing, **scored):
        kept = {field: line[field] for field in FIELDS}
        log.append(kept | {"archived": {field: archived[field] for field in FIELDS}})
        print(line["loss"], line["seed"], line["fid"], archived["fid"], flush=True)
    result = {
        "command": f"python benchmarks/other_extractor.py {given.run} --data-dir DIR --losses {' '.join(given.losses)} "
        f"--seeds {given.seeds} --extractor {given.extractor} --samples {given.samples}",
        "extractor": given.extractor,
        "n": given.samples,
        "losses": summary(log.read()),
        "environment": environment(),
    }
    write_json(given.out / "summary.json", result)


if __name__ == "__main__":
    main()
