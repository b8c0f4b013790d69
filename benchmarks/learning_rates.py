"""Choose a recipe's learning rate: a bracketed sweep over three losses.

    python benchmarks/learning_rates.py mnist --data-dir DIR --out results/rates-mnist

A comparison at one fixed rate compares step sizes, not losses, so the rate of every recipe is chosen here:
non-saturating, least squares and GANetic, each at rates half a decade apart, several seeds. Where a loss is best at the
edge of the sweep, the sweep is widened there. The recipe's rate is the one with the lowest log Fréchet distance on the
mean over the losses (validation images, training seeds that no other run uses). With ``--set beta1=0.5`` the sweep is
that of another setting of the recipe's, to be held beside it. Killed and started again, it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterable
from pathlib import Path

from ganetics._files import write_atomically
from ganetics._random import seed_of
from ganetics.execution import PoolExecutor, RunFolder
from ganetics.execution.process import environment
from ganetics.records import Recipe, Record, to_json
from ganetics.training.recipes import RECIPES
from ganetics.trial import TrialJob, run_job

LOSSES = ("non-saturating", "least-squares", "ganetic")
GRID = tuple(round(10 ** (k / 2), 10) for k in range(-10, 1))  # 1e-5 ... 1, half a decade apart
START = (3, 4, 5)  # 3.2e-4, 1e-3, 3.2e-3: the sweep begins here


class SweepConfig(Record):
    """What decides the sweep's result."""

    schema_version: int = 1
    dataset: str
    recipe: Recipe
    losses: tuple[str, ...]
    seeds: int


Key = tuple[str, int, int]  # loss, index of the rate, index of the seed


def mean_log_fid(done: dict[Key, float], loss: str, rate: int, seeds: int) -> float:
    """Mean over the seeds; infinite where a run failed."""
    return statistics.fmean(done[loss, rate, s] for s in range(seeds))


def best_rate(done: dict[Key, float], loss: str, seeds: int) -> int:
    rates = {k[1] for k in done if k[0] == loss}
    return min(sorted(rates), key=lambda rate: mean_log_fid(done, loss, rate, seeds))


def missing(done: dict[Key, float], config: SweepConfig) -> list[Key]:
    """The next runs: the start first, then one more rate wherever a loss is best at the edge."""
    rates = sorted({k[1] for k in done} | set(START))
    wanted = [(loss, r, s) for r in rates for loss in config.losses for s in range(config.seeds)]
    if open_runs := [key for key in wanted if key not in done]:
        return open_runs
    bests = {best_rate(done, loss, config.seeds) for loss in config.losses}
    wider = {min(rates) - 1} if min(rates) in bests else set()
    wider |= {max(rates) + 1} if max(rates) in bests else set()
    wider &= set(range(len(GRID)))
    return [(loss, r, s) for r in sorted(wider) for loss in config.losses for s in range(config.seeds)]


def read(lines: Iterable[dict[str, object]]) -> dict[Key, float]:
    done: dict[Key, float] = {}
    for line in lines:
        fid = line["fid"]
        key = (str(line["loss"]), GRID.index(float(str(line["lr"]))), int(str(line["seed_index"])))
        done[key] = math.inf if fid is None else math.log(float(str(fid)))
    return done


def summary(done: dict[Key, float], config: SweepConfig, options: str) -> dict[str, object]:
    rates = sorted({k[1] for k in done})
    table = {
        loss: {f"{GRID[r]:.3g}": [_fid(done[loss, r, s]) for s in range(config.seeds)] for r in rates}
        for loss in config.losses
    }
    chosen = min(
        rates, key=lambda r: statistics.fmean(mean_log_fid(done, loss, r, config.seeds) for loss in config.losses)
    )
    return {
        "chosen_learning_rate": GRID[chosen],
        "best_rate_of_each": {loss: GRID[best_rate(done, loss, config.seeds)] for loss in config.losses},
        "fid": table,
        "recipe": config.recipe.model_dump(mode="json"),
        "command": f"python benchmarks/learning_rates.py {config.recipe.name} --dataset {config.dataset} "
        f"--seeds {config.seeds}{options} --out DIR",
    }


def _fid(log_fid: float) -> float | None:
    return None if math.isinf(log_fid) else round(math.exp(log_fid), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--dataset", help="default: the recipe's name")
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="other settings of the recipe")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    other = {name: json.loads(value) for name, value in (text.split("=", 1) for text in given.set)}
    options = f" --set {' '.join(given.set)}" if given.set else ""
    # at the sweep's first rate: the recipe's own is what the sweep chooses, so it must not be part of the configuration
    recipe = Recipe(**{**RECIPES[given.recipe].model_dump(), **other, "learning_rate": GRID[START[0]]})
    config = SweepConfig(dataset=given.dataset or given.recipe, recipe=recipe, losses=LOSSES, seeds=given.seeds)
    with RunFolder(given.out) as run, PoolExecutor(given.workers) as pool:
        run.begin(config.model_dump(mode="json"), resume=(given.out / "config.json").exists())
        run.note_environment(environment())
        done = read(run.archive.replay())
        while todo := missing(done, config):
            jobs = [
                TrialJob(
                    loss=loss,
                    recipe=recipe.model_copy(update={"learning_rate": GRID[rate]}),
                    dataset=config.dataset,
                    data_dir=given.data_dir,
                    seed=seed_of(0, "rate sweep", seed),
                )
                for loss, rate, seed in todo
            ]
            for key, job, result in zip(
                todo, jobs, pool.map_in_order(run_job, jobs, seconds=20 * recipe.seconds), strict=True
            ):
                outcome = result.value.outcome if result.value else None
                metrics = outcome.metrics if outcome else None
                run.archive.append(
                    {
                        "loss": key[0],
                        "lr": GRID[key[1]],
                        "seed_index": key[2],
                        "seed": job.seed,
                        "fid": metrics["fid"] if metrics else None,
                        "outcome": outcome.model_dump(mode="json") if outcome else None,
                    }
                )
                run.timings.append(
                    {
                        "loss": key[0],
                        "lr": GRID[key[1]],
                        "wall_seconds": result.wall_seconds,
                        "cpu_seconds": result.cpu_seconds,
                        "peak_mib": result.peak_mib,
                    }
                )
                done[key] = math.log(metrics["fid"]) if metrics else math.inf
                print(f"{key[0]:>16} lr {GRID[key[1]]:.3g} seed {key[2]}: fid {metrics and metrics['fid']}", flush=True)
        text = to_json(summary(done, config, options), indent=1) + "\n"
        write_atomically(given.out / "summary.json", text.encode())
    print(json.dumps(summary(done, config, options)["best_rate_of_each"]))


if __name__ == "__main__":
    main()
