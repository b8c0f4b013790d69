"""Does polishing the constants of a good loss pay? CMA-ES on MNIST, then its best beside its parent on fresh seeds.

    python benchmarks/polish.py --data-dir DIR [--out results/polish]

The parents are the two best losses that the search of results/search-mnist-separate found, GANetic and least squares.
Each is polished with 18 candidates (3 rounds of 6), a candidate being trained for half the recipe's steps with two
seeds, the same for all; what is then best is trained in full with five fresh seeds, as its parent is, and compared in
pairs. The value that chose it is the smallest of 18 noisy ones, so the gain that counts is the confirmed one alone.
Killed and started again, it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polish_constants import Polish

from ganetics._check import InputError
from ganetics._random import seed_of
from ganetics.benchmark.estimate import Estimate, ratio
from ganetics.catalogue import expression_of
from ganetics.execution import Executor, PoolExecutor, RunFolder
from ganetics.execution.process import environment
from ganetics.expressions.text import parse, to_text
from ganetics.expressions.tree import Expression
from ganetics.records import Recipe, Record, log_distance, write_json
from ganetics.training import RECIPES
from ganetics.trial import TrialJob, TrialReply, run_job

Key = tuple[str, int, int]
"""A loss's text, steps, seed."""


class PolishConfig(Record):
    """What decides the result."""

    schema_version: int = 1
    dataset: str = "mnist"
    recipe: Recipe
    parents: dict[str, str]
    """What a parent is called → its text."""
    budget: int
    population: int
    steps: int
    """Of a candidate."""
    seeds: int
    """Of a candidate; those of the confirmation are others."""
    confirm_steps: int
    confirm_seeds: int


class Trials:
    """Trains what the archive does not hold yet; never anything twice."""

    def __init__(self, run: RunFolder, config: PolishConfig, pool: Executor, data_dir: str) -> None:
        self.run, self.config, self.pool, self.data_dir = run, config, pool, data_dir
        self.done = {
            (str(line["loss"]), int(line["steps"]), int(line["seed"])): _log_fid(line["fid"])
            for line in run.archive.replay()
        }

    def log_fids(
        self, parent: str, losses: Sequence[Expression], steps: int, seeds: Sequence[int]
    ) -> list[list[float]]:
        """Return a row of log Fréchet distances a loss, one a seed; infinite for a failure."""
        keys = [(to_text(loss), steps, seed) for loss in losses for seed in seeds]
        missing = [key for key in dict.fromkeys(keys) if key not in self.done]
        recipe = self.config.recipe.model_copy(update={"steps": steps})
        jobs = [TrialJob(loss, recipe, self.config.dataset, self.data_dir, seed) for loss, _, seed in missing]
        limit = 20 * recipe.seconds
        for key, result in zip(missing, self.pool.map_in_order(run_job, jobs, seconds=limit), strict=True):
            if result.failure is not None and result.failure.kind == "wrong input":
                raise InputError(result.failure.message)
            loss, _, seed = key
            outcome = result.value.outcome if isinstance(result.value, TrialReply) else None
            fid = outcome.metrics["fid"] if outcome and outcome.metrics else None
            line = {"parent": parent, "loss": loss, "steps": steps, "seed": seed}
            self.run.timings.append({**line, "cpu_seconds": round(result.cpu_seconds, 2)})
            failure = outcome.failure.kind.value if outcome and outcome.failure else None
            self.run.archive.append({**line, "fid": fid, "failure": failure or (None if outcome else "crashed")})
            self.done[key] = _log_fid(fid)
            print(f"{len(self.done):>4} {parent:>13} {steps} steps: fid {fid and round(fid, 2)}  {loss}", flush=True)
        return [[self.done[to_text(loss), steps, seed] for seed in seeds] for loss in losses]


def polished(trials: Trials, parent: str) -> dict[str, Any]:
    """Polish a parent; return its values, those of each round and the best candidate."""
    config, elite = trials.config, parse(trials.config.parents[parent])
    seeds = [seed_of(0, "polish", index) for index in range(config.seeds)]

    def values(losses: Sequence[Expression]) -> list[float]:
        return [statistics.fmean(row) for row in trials.log_fids(parent, losses, config.steps, seeds)]

    own = values([elite])[0]
    polish = Polish(elite, budget=config.budget, population=config.population, seed=0)
    rounds = []
    while not polish.done:
        rounds.append(values(polish.ask()))
        polish.tell(rounds[-1])
    return {
        "parent": to_text(elite),
        "best": to_text(polish.best or elite),
        "log_fid_of_parent": _finite(own),
        "log_fid_of_rounds": [[_finite(value) for value in row] for row in rounds],
        "gain_when_chosen": _finite(own - polish.best_value),
    }


def confirmed(trials: Trials, parent: str, best: str) -> dict[int, tuple[float, float]]:
    """Return seed → log Fréchet distances of the best and of its parent, at the full steps; infinite for a failure."""
    config = trials.config
    seeds = [seed_of(0, "polish, confirmation", index) for index in range(config.confirm_seeds)]
    losses = [parse(best), parse(config.parents[parent])]
    one, two = trials.log_fids(parent, losses, config.confirm_steps, seeds)
    return {seed: pair for seed, *pair in zip(seeds, one, two, strict=True)}  # type: ignore[misc]


def difference(pairs: Mapping[int, tuple[float, float]]) -> dict[str, Any]:
    """Return the mean difference best − parent of log Fréchet distance, paired by seed, below 0 if polishing helped."""
    whole = {seed: pair for seed, pair in pairs.items() if all(map(math.isfinite, pair))}
    best, parent = ({seed: math.exp(pair[side]) for seed, pair in whole.items()} for side in (0, 1))
    return {
        **_logs(ratio(best, parent)),
        "failed": [sum(math.isinf(p[side]) for p in pairs.values()) for side in (0, 1)],
    }


def summary(trials: Trials) -> dict[str, Any]:
    """Run what is missing and return what came of it."""
    config = trials.config
    found: dict[str, Any] = {parent: polished(trials, parent) for parent in config.parents}
    pairs = {parent: confirmed(trials, parent, found[parent]["best"]) for parent in config.parents}
    for parent, of_parent in pairs.items():
        found[parent]["difference_confirmed"] = difference(of_parent)
        found[parent]["log_fid_confirmed"] = {
            name: [_finite(pair[side]) for pair in of_parent.values()] for side, name in enumerate(("best", "parent"))
        }
    # the parents share seeds, so their mean of each seed is one observation
    seeds = next(iter(pairs.values()))
    means = {s: tuple(statistics.fmean(of[s][side] for of in pairs.values()) for side in (0, 1)) for s in seeds}
    costs = trials.run.timings.replay()
    return {
        "parents": found,
        "difference_confirmed_over_parents": difference({seed: (one, two) for seed, (one, two) in means.items()}),
        "core_seconds": {
            name: round(sum(float(line["cpu_seconds"]) for line in costs if line["steps"] == steps))
            for name, steps in (("polishing", config.steps), ("confirmation", config.confirm_steps))
        },
        "config": config.model_dump(mode="json"),
        "command": "python benchmarks/polish.py --data-dir DIR --workers 2",
    }


def elites(hall_of_fame: Path, count: int) -> dict[str, str]:
    """Return the best evolved losses of a search's hall of fame."""
    entries = json.loads(hall_of_fame.read_text(encoding="utf-8"))
    texts = [entry["expression"] for entry in entries if entry["origin"] == "evolved" and not entry.get("paired")]
    return {f"evolved {rank}": text for rank, text in enumerate(texts[:count], 1)}


def _log_fid(fid: float | None) -> float:
    return math.inf if fid is None else log_distance(fid)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _logs(found: Estimate | None) -> dict[str, float | int | None]:
    if found is None:
        return {"mean": None, "low": None, "high": None, "n": 0}
    mean, low, high = (None if value is None else math.log(value) for value in (found.mean, found.low, found.high))
    return {"mean": mean, "low": low, "high": high, "n": found.n}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--out", type=Path, default=Path("results/polish"))
    parser.add_argument("--hall-of-fame", type=Path, default=Path("results/search-mnist-separate/hall_of_fame.json"))
    parser.add_argument("--elites", type=int, default=2)
    parser.add_argument("--rivals", nargs="*", default=["ganetic", "least-squares"])
    parser.add_argument("--budget", type=int, default=18)
    parser.add_argument("--population", type=int, default=6)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--confirm-steps", type=int, default=600)
    parser.add_argument("--confirm-seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    parents = elites(given.hall_of_fame, given.elites)
    for name in given.rivals:
        if (expression := expression_of(name)) is None:
            raise InputError(f"--rivals: must be separable losses, got {name!r}")
        parents[name] = to_text(expression)
    config = PolishConfig(
        recipe=RECIPES["mnist"],
        parents=parents,
        budget=given.budget,
        population=given.population,
        steps=given.steps,
        seeds=given.seeds,
        confirm_steps=given.confirm_steps,
        confirm_seeds=given.confirm_seeds,
    )
    with RunFolder(given.out) as run, PoolExecutor(given.workers) as pool:
        run.begin(config.model_dump(mode="json"), resume=(given.out / "config.json").exists())
        run.note_environment(environment())
        found = summary(Trials(run, config, pool, given.data_dir))
        write_json(given.out / "summary.json", found)
    print(json.dumps({parent: one["difference_confirmed"] for parent, one in found["parents"].items()}, indent=1))


if __name__ == "__main__":
    main()
