"""What the toy gate would have done to the losses of the curve pool, whose runs on MNIST are known.

    python benchmarks/toy_gate.py [--pool results/curve-pool] [--seeds 2] [--search RUN]

Trains every loss of the pool in the toy, to its last step, and keeps every look in ``toy.jsonl``; what a gate that ends
as soon as it knows would have said and cost is read off those. Killed and started again, it goes on where it was; what
was made with other constants of the toy is passed over. Writes ``toy.json``: for several thresholds the share of losses
that pass, which good ones would be rejected, how many bad ones, and the core seconds saved before a first rung.

With the folder of a search, also what the gate would have done to its candidates, random trees and children apart, and
the net core seconds against their trials at the first rung; into ``toy-search.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replay import CHEAP
from replay_racing import Cost
from scipy.stats import spearmanr
from synthetic import costs

from ganetics.catalogue import loss_named_or_parsed
from ganetics.execution.log import Log
from ganetics.execution.process import prepared
from ganetics.expressions.text import parse
from ganetics.records import write_json
from ganetics.search import toy as gate
from ganetics.search.ladder import SAMPLES

THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
RUNGS = (75, 150, 300)
FAILED = 15.0
"""The log Fréchet distance of a run that failed: worst."""
BAD = 3.0
"""Times the distance of the non-saturating loss from which a loss counts as bad."""
CONSTANTS = (
    (gate.MODES, gate.RADIUS, gate.SPREAD, gate.WIDTH, gate.BATCH, gate.BETAS, gate.EPSILON, gate.RATES),
    (gate.STEPS, gate.LOOK_EVERY, gate.SAMPLES, gate.GENERATOR_SCALE),
)
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

    def gate(self, threshold: float) -> tuple[bool, float]:
        """Return whether the loss passes, and the seconds that it takes to know."""
        best = math.inf
        for number, look in enumerate(self.looks, 1):
            best = min(best, look)
            if best <= threshold or gate.hopeless(number * gate.LOOK_EVERY, best):
                break
        return best <= threshold, self.cpu_seconds * number / len(self.looks)


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
            result = gate.toy(loss_named_or_parsed(loss), seed=seed, early_end=False)
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


def table(found: Sequence[Judged], threshold: float, cost: Cost) -> Line:
    """Return what a gate with this threshold does to the survivors of the screen."""
    standard = next(one.log_fid for one in found if one.loss == "non-saturating")
    survivors = sorted((one for one in found if one.kind == "survivor"), key=lambda one: one.log_fid)
    rejected = [one for one in survivors if not one.gate(threshold)[0]]
    good = [one for one in survivors if one.log_fid < standard]
    best, promoted = (survivors[: max(1, len(survivors) // part)] for part in (10, 3))
    bad = [one for one in survivors if one.log_fid > standard + math.log(BAD)]
    seconds = statistics.fmean(one.gate(threshold)[1] for one in survivors)
    share = len(rejected) / len(survivors)

    def of_them(group: Sequence[Judged]) -> list[int]:
        return [sum(one in rejected for one in group), len(group)]

    return {
        "threshold": threshold,
        "pass": round(1.0 - share, 3),
        "catalogue_rejected": [one.loss for one in found if one.kind == "catalogue" and not one.gate(threshold)[0]],
        "best_tenth_rejected": of_them(best),
        "best_third_rejected": of_them(promoted),
        "better_than_non_saturating_rejected": of_them(good),
        "bad_rejected": of_them(bad),
        "best_rejected": [[one.loss, round(math.exp(one.log_fid), 1), finite(one.distance)] for one in rejected[:3]],
        "gate_seconds": round(seconds, 3),
        "saved_seconds": {str(steps): round(share * first_rung(cost, steps) - seconds, 3) for steps in RUNGS},
    }


def summary(pool: Path, lines: Sequence[Line], seeds: int) -> Line:
    timings = [line["cpu_seconds"] for line in Log(pool / "timings.jsonl", skip_damaged=True).read()]
    cost = costs(pool)
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
                "thresholds": [table(found, threshold, cost) for threshold in THRESHOLDS],
            }
        )
    return {
        "command": f"python benchmarks/toy_gate.py --seeds {seeds}",
        "runs_of_the_pool": len(timings),
        "pass_distance": gate.PASS_DISTANCE,
        "first_rung_seconds": {str(steps): round(first_rung(cost, steps), 3) for steps in RUNGS},
        "seeds": by_seed,
    }


def first_rung(cost: Cost, steps: int) -> float:
    """Return the core seconds of a first rung, which is scored cheaply."""
    return cost.start + steps * cost.step + cost.score * CHEAP * SAMPLES / 1000


def show(found: Line) -> None:
    print("of the survivors, rejected/all; seconds a loss, and what the gate saves before a first rung")
    head = " ".join(f"{steps:>6}" for steps in RUNGS)
    for part in found["seeds"]:
        print(f"seed {part['seed']}: {part['survivors']} survivors, Spearman {part['spearman']} with the log FID")
        print(f"  within  pass  best tenth   third  better than BCE     bad  gate s  {head} steps")
        for row in part["thresholds"]:
            names = ("best_tenth", "best_third", "better_than_non_saturating", "bad")
            best, third, better, bad = ("{}/{}".format(*row[f"{name}_rejected"]) for name in names)
            saved = " ".join(f"{row['saved_seconds'][str(steps)]:+6.2f}" for steps in RUNGS)
            start = f"  {row['threshold']:<6}  {row['pass']:4.0%}  {best:>10}  {third:>6}  {better:>15}  {bad:>6}"
            print(f"{start}  {row['gate_seconds']:6.2f}  {saved}  {' '.join(row['catalogue_rejected'])}")


def of_a_search(run: Path) -> dict[str, Line]:
    """Return what the gate does to the candidates of a search: to random trees, and to children."""
    trials = [line for line in Log(run / "archive.jsonl").read() if line["kind"] == "trial"]
    seconds = {
        line["index"]: line["cpu_seconds"]
        for line in Log(run / "timings.jsonl", skip_damaged=True).read()
        if line["kind"] == "trial"
    }
    highest: dict[int, int] = defaultdict(int)
    for line in trials:
        highest[line["candidate"]] = max(highest[line["candidate"]], line["rung"])
    found: dict[str, Line] = {}
    with prepared():
        for line in trials:
            if line.get("born") is None or line["index"] not in seconds:
                continue
            begun = time.process_time()
            rejected = not gate.passes(gate.toy(parse(line["born"]["expression"]), seed=0))
            spent = time.process_time() - begun
            part = found.setdefault("random" if line["born"]["origin"] == "random" else "children", defaultdict(int))
            climbed = highest[line["candidate"]] >= 2
            part["candidates"] += 1
            part["rejected"] += rejected
            part["climbed_two_rungs"] += climbed
            part["climbed_two_rungs_rejected"] += climbed and rejected
            part["gate_seconds"] += spent
            part["first_rung_seconds"] += seconds[line["index"]]
            part["saved_seconds"] += rejected * seconds[line["index"]] - spent
    total = sum(seconds.values())
    for part in found.values():
        part["saved_share_of_the_search"] = part["saved_seconds"] / total
    return {name: {key: round(value, 4) for key, value in part.items()} for name, part in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, default=Path("results/curve-pool"))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--search", type=Path)
    given = parser.parse_args()
    found = summary(given.pool, train(given.pool, given.seeds), given.seeds)
    write_json(given.pool / "toy.json", found)
    show(found)
    if given.search is not None:
        of_search = of_a_search(given.search)
        write_json(given.pool / "toy-search.json", of_search)
        for name, part in of_search.items():
            print(name, *(f"{key} {value}" for key, value in part.items()), sep="\n  ")


if __name__ == "__main__":
    main()
