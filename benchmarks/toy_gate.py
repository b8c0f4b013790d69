"""What the toy gate would have done to the losses of the curve pool, whose runs on MNIST are known.

    python benchmarks/toy_gate.py [--pool results/curve-pool] [--seeds 2]

Trains every loss of the pool in the toy, to its last step, and keeps every look in ``toy.jsonl``; what a gate that ends
as soon as it knows would have said and cost is read off those. Killed and started again, it goes on where it was; what
was made with other constants of the toy is passed over. Writes ``toy.json``: for several thresholds the share of losses
that pass, which good ones would be rejected, how many bad ones, and the core seconds saved before a first rung.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

from ganetics._files import write_atomically
from ganetics.catalogue import loss_named_or_parsed
from ganetics.execution.log import Log
from ganetics.execution.process import prepared
from ganetics.records import to_json
from ganetics.search import toy as gate

THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
RUNGS = (75, 150, 300)
FAILED = 15.0
"""The log Fréchet distance of a run that failed: worst."""
BAD = 3.0
"""Times the distance of the non-saturating loss from which a loss counts as bad."""
CONSTANTS = [getattr(gate, name) for name in sorted(vars(gate)) if name.isupper() and name != "PASS_DISTANCE"]
SETTING = hashlib.sha256(repr(CONSTANTS).encode()).hexdigest()[:8]
Line = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """A loss, and what both trainings say of it."""

    loss: str
    kind: str
    log_fid: float
    """On MNIST: mean over the seeds, at the last step."""
    looks: list[float]
    """In the toy: the smallest distance over the rates, at each look."""
    cpu_seconds: float
    """Of the whole toy, without an early end."""

    @property
    def distance(self) -> float:
        return min(self.looks)

    def seconds(self, threshold: float) -> float:
        """Return what a gate costs that ends at the first look that is good enough."""
        enough = next((number for number, look in enumerate(self.looks, 1) if look <= threshold), len(self.looks))
        steps = gate.STEPS // gate.LOOK_EVERY
        return self.cpu_seconds * enough / min(steps, len(self.looks))


def train(pool: Path, seeds: int) -> list[Line]:
    """Run the toy on every loss of the pool that has not been; return all lines of this setting."""
    losses = {(line["loss"], line["kind"]): None for line in Log(pool / "archive.jsonl").read()}
    log = Log(pool / "toy.jsonl")
    lines = [line for line in log.replay() if line["setting"] == SETTING]
    done = {(line["loss"], line["seed"]) for line in lines}
    todo = [(loss, kind, seed) for seed in range(seeds) for loss, kind in losses if (loss, seed) not in done]
    with prepared():
        for number, (loss, kind, seed) in enumerate(todo, 1):
            begun = time.process_time()
            result = gate.toy(loss_named_or_parsed(loss), seed=seed, enough=0.0)
            line: Line = {
                "loss": loss,
                "kind": kind,
                "seed": seed,
                "setting": SETTING,
                "distances": [[finite(value) for value in look] for look in result.distances],
                "modes": result.modes,
                "near": round(result.near, 4),
                "rate": result.rate,
                "diverged": result.diverged,
                "cpu_seconds": round(time.process_time() - begun, 3),
            }
            log.append(line)
            lines.append(line)
            print(f"{number}/{len(todo)}", end="\r", flush=True)
    return lines


def finite(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None


def judged(pool: Path, lines: Sequence[Line], seed: int) -> list[Judged]:
    runs: dict[str, list[float]] = defaultdict(list)
    for line in Log(pool / "archive.jsonl").read():
        last = line["curve"][-1] if line["curve"] and not line["failure"] else [0, math.exp(FAILED)]
        runs[line["loss"]].append(math.log(last[1]))
    return [
        Judged(
            loss=line["loss"],
            kind=line["kind"],
            log_fid=statistics.fmean(runs[line["loss"]]),
            looks=[min(math.inf if value is None else value for value in look) for look in line["distances"]],
            cpu_seconds=line["cpu_seconds"],
        )
        for line in lines
        if line["seed"] == seed
    ]


def table(found: Sequence[Judged], threshold: float, seconds_a_step: float) -> Line:
    """Return what a gate with this threshold does to the survivors of the screen."""
    standard = next(one.log_fid for one in found if one.loss == "non-saturating")
    survivors = sorted((one for one in found if one.kind == "survivor"), key=lambda one: one.log_fid)
    rejected = [one for one in survivors if one.distance > threshold]
    good = [one for one in survivors if one.log_fid < standard]
    best = survivors[: max(1, len(survivors) // 10)]
    bad = [one for one in survivors if one.log_fid > standard + math.log(BAD)]
    cost = statistics.fmean(one.seconds(threshold) for one in survivors)
    share = len(rejected) / len(survivors)
    return {
        "threshold": threshold,
        "pass": round(1.0 - share, 3),
        "catalogue_rejected": [one.loss for one in found if one.kind == "catalogue" and one.distance > threshold],
        "best_tenth": [len([one for one in best if one in rejected]), len(best)],
        "better_than_non_saturating": [len([one for one in good if one in rejected]), len(good)],
        "bad_rejected": [len([one for one in bad if one in rejected]), len(bad)],
        "best_rejected": [[one.loss, round(math.exp(one.log_fid), 1), finite(one.distance)] for one in rejected[:3]],
        "gate_seconds": round(cost, 3),
        "saved_seconds": {str(steps): round(share * steps * seconds_a_step - cost, 3) for steps in RUNGS},
        "rung_seconds": {str(steps): round(steps * seconds_a_step, 3) for steps in RUNGS},
    }


def summary(pool: Path, lines: Sequence[Line], seeds: int) -> Line:
    timings = [line["cpu_seconds"] for line in Log(pool / "timings.jsonl", skip_damaged=True).read()]
    recipe = json.loads((pool / "config.json").read_text())["recipe"]
    a_step = statistics.fmean(timings) / recipe["steps"]
    by_seed = []
    for seed in range(seeds):
        found = judged(pool, lines, seed)
        survivors = [one for one in found if one.kind == "survivor"]
        rank = spearmanr([one.distance for one in survivors], [one.log_fid for one in survivors])
        by_seed.append(
            {
                "seed": seed,
                "survivors": len(survivors),
                "spearman": round(float(rank.statistic), 3),
                "whole_toy_seconds": round(statistics.fmean(one.cpu_seconds for one in found), 3),
                "thresholds": [table(found, threshold, a_step) for threshold in THRESHOLDS],
            }
        )
    return {
        "command": f"python benchmarks/toy_gate.py --seeds {seeds}",
        "runs_of_the_pool": len(timings),
        "pass_distance": gate.PASS_DISTANCE,
        "mnist_seconds_a_step": round(a_step, 5),
        "seeds": by_seed,
    }


def show(found: Line) -> None:
    for part in found["seeds"]:
        print(
            f"seed {part['seed']}: {part['survivors']} survivors, Spearman {part['spearman']}, "
            f"{part['whole_toy_seconds']} s to the end\n"
            "  within  pass  best 10 %  better  bad   gate   saved a loss before "
            + ", ".join(f"{steps}" for steps in RUNGS)
            + " steps"
        )
        for row in part["thresholds"]:
            lost, better, bad = (
                "{}/{}".format(*row[name]) for name in ("best_tenth", "better_than_non_saturating", "bad_rejected")
            )
            saved = "  ".join(f"{row['saved_seconds'][str(steps)]:+.2f} s" for steps in RUNGS)
            print(
                f"  {row['threshold']:<6} {row['pass']:.0%}  {lost:>9}  {better:>6}  {bad:>6} {row['gate_seconds']:.2f} s"
                f"  {saved}  {row['catalogue_rejected'] or ''}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, default=Path("results/curve-pool"))
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    found = summary(given.pool, train(given.pool, given.seeds), given.seeds)
    write_atomically(given.pool / "toy.json", (to_json(found, indent=1) + "\n").encode())
    show(found)


if __name__ == "__main__":
    main()
