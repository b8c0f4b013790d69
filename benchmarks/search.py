"""Time to quality: this search against the paper's way, on real MNIST. Resumable; about three core-hours.

    python benchmarks/search.py --data-dir DIR [--out results/bench-search] [--workers 2]

Runs, for each search seed, the paper's way (``search_plain.py``) and ours. Each loss that was the best so far in one of
them is then *confirmed*: its rate is chosen of ×0.3, ×1, ×3 on two seeds, and it is trained at that rate on five other
seeds; no selection saw any of them. ``summary.json`` has when (core seconds of the search, screen and driver included)
which confirmed quality was reached, and how many times less ours needs for what the paper's way comes to in the end.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from search_plain import incumbents, search_plainly

from ganetics._random import seed_of
from ganetics.execution import Executor, Log, PoolExecutor, RunFolder
from ganetics.execution.process import environment
from ganetics.records import write_json
from ganetics.search import run_search
from ganetics.search.config import SearchConfig
from ganetics.search.ladder import ladder
from ganetics.search.replay import restored
from ganetics.training import RECIPES
from ganetics.trial import TrialData, TrialJob, TrialReply, load_trial_data, run_job

RECIPE = RECIPES["mnist"]
RATES = (0.3, 1.0, 3.0)
TUNING, FINAL = 2, 5
"""Seeds on which a rate is chosen, and on which quality is confirmed at it."""
QUALITIES = (3.6, 3.5, 3.45, 3.4, 3.37, 3.35, 3.33)
"""Log Fréchet distances whose first times are given beside that of the target."""
Trajectory = list[tuple[float, float]]


def run_plain(folder: Path, executor: Executor, *, data_dir: str, seed: int, trials: int) -> list[tuple[float, str]]:
    """Run the paper's way; return when which loss became the best so far."""
    with RunFolder(folder) as run:
        config = {"way": "plain", "seed": seed, "recipe": RECIPE.model_dump(mode="json")}
        run.begin(config, resume=(folder / "config.json").exists())
        run.note_environment(environment())
        begun = time.process_time()
        for done in search_plainly(run, executor, recipe=RECIPE, data_dir=data_dir, seed=seed, trials=trials):
            tell(f"{folder.name}: {done}/{trials}")
            run.timings.append({"driver_seconds": time.process_time() - begun})
            begun = time.process_time()
        timings = run.timings.replay()
        lines = run.archive.replay()[:trials]
    driver = sum(line.get("driver_seconds", 0.0) for line in timings) / max(len(lines), 1)
    seconds = [line["cpu_seconds"] + driver for line in timings if "cpu_seconds" in line][:trials]
    return incumbents(lines, seconds)


def run_full(
    folder: Path, executor: Executor, data: TrialData, *, seed: int, trials: int, changes: dict[str, Any]
) -> list[tuple[float, str]]:
    """Run our search without its last round; return when which loss became the best so far."""
    config = SearchConfig(
        dataset="mnist",
        data=data.train.identity,
        reference=data.held_out.identity,
        extractor=data.extractor.identity,
        recipe=RECIPE,
        seed=seed,
        trials=trials,
        finalists=0,
        rivals=(),
        **{"rungs": ladder(RECIPE), **changes},
    )
    with RunFolder(folder) as run:
        run.begin(config.model_dump(mode="json"), resume=(folder / "config.json").exists())
        run.note_environment(environment())
        run_search(
            run, config, executor, data=data, on_progress=lambda state: tell(f"{folder.name}: {state.done}/{trials}")
        )
        lines, timings = run.archive.replay(), run.timings.replay()
    driver = sum(line["cpu_seconds"] for line in timings if line["kind"] == "driver") / len(lines)
    costs = {line["index"]: line["cpu_seconds"] + driver for line in timings if line["kind"] == "trial"}
    return leaders(config, lines, costs, where=folder)


def leaders(
    config: SearchConfig, lines: Sequence[dict[str, Any]], costs: dict[int, float], *, where: Path
) -> list[tuple[float, str]]:
    """Return when which candidate came to lead: what somebody who stopped the search then would have been given."""
    found: list[tuple[float, str]] = []
    spent = 0.0
    for count in range(1, len(lines) + 1):
        spent += costs[lines[count - 1]["index"]]
        search = restored(config, lines[:count], where=where)
        search.settle()
        leader = next(search.ranking(), None)
        if leader is not None and (not found or found[-1][1] != leader.text):
            found.append((spent, leader.text))
    return found


def confirm(out: Path, executor: Executor, losses: Sequence[str], data: TrialData) -> dict[str, list[float]]:
    """Return the log Fréchet distances of each loss on the final seeds, at the rate that the tuning seeds chose."""
    log = Log(out / "confirmed.jsonl")
    done = {(line["loss"], line["rate"], line["seed"]): line["fid"] for line in log.replay()}
    shared = executor.share(data)

    def measure(wanted: list[tuple[str, float, str, int]]) -> None:
        rest = [(loss, rate, seed_of(0, role, number)) for loss, rate, role, number in wanted]
        rest = [key for key in dict.fromkeys(rest) if key not in done]
        jobs = (TrialJob(loss, RECIPE.at_rate(rate), "mnist", None, seed, shared=shared) for loss, rate, seed in rest)
        for number, (key, completed) in enumerate(
            zip(rest, executor.map_in_order(run_job, jobs, seconds=20 * RECIPE.seconds), strict=True), 1
        ):
            reply = completed.value
            metrics = reply.outcome.metrics if isinstance(reply, TrialReply) else None
            done[key] = None if metrics is None else metrics["fid"]
            log.append({"loss": key[0], "rate": key[1], "seed": key[2], "fid": done[key]})
            tell(f"confirmed {number}/{len(rest)}")

    def log_fids(loss: str, rate: float, role: str, count: int) -> list[float]:
        found = [done[loss, rate, seed_of(0, role, number)] for number in range(count)]
        return [math.inf if fid is None else math.log(fid) for fid in found]

    measure([(loss, rate, "bench tuning", n) for loss in losses for rate in RATES for n in range(TUNING)])
    best = {
        loss: min(RATES, key=lambda rate: statistics.fmean(log_fids(loss, rate, "bench tuning", TUNING)))
        for loss in losses
    }
    measure([(loss, best[loss], "bench final", n) for loss in losses for n in range(FINAL)])
    return {loss: log_fids(loss, best[loss], "bench final", FINAL) for loss in losses}


def trajectory(found: Sequence[tuple[float, str]], confirmed: dict[str, list[float]]) -> Trajectory:
    """Return core seconds and the confirmed log Fréchet distance of the loss that was the best so far then."""
    return [(round(seconds, 1), statistics.fmean(confirmed[loss])) for seconds, loss in found]


def at(path: Trajectory, seconds: float) -> float:
    """Return the quality at a time; infinite before there was a loss."""
    return next((value for start, value in reversed(path) if start <= seconds), math.inf)


def mean_path(paths: Sequence[Trajectory]) -> Trajectory:
    """Return the mean over searches at all times at which one of them changes, from when all have a loss."""
    times = sorted({seconds for path in paths for seconds, _ in path})
    means = [(seconds, statistics.fmean(at(path, seconds) for path in paths)) for seconds in times]
    return [(seconds, value) for seconds, value in means if math.isfinite(value)]


def first_time(path: Trajectory, quality: float) -> float | None:
    """Return when a quality was first reached; None: never."""
    return next((seconds for seconds, value in path if value <= quality), None)


def spared_by_screen(folders: Sequence[Path]) -> dict[str, float]:
    """Return how many times as many candidates the paper's way would have trained without the screen.

    "all": whatever was drawn; "judged": without those that do not use both variables, which any reader sees. Each is
    taken to cost what a screened one does, and the searches to find the same: a bound, not a measurement.
    """
    lines = [line for folder in folders for line in Log(folder / "archive.jsonl").replay()]
    rejected = sum((Counter(line["rejected"]) for line in lines), Counter[str]())
    return {
        "all": 1 + rejected.total() / len(lines),
        "judged": 1 + (rejected.total() - rejected["variables"]) / len(lines),
    }


def summary(
    ways: dict[str, list[list[tuple[float, str]]]], confirmed: dict[str, list[float]], spared: dict[str, float]
) -> dict[str, Any]:
    """Return the trajectories and what follows from them."""
    runs = {way: [trajectory(found, confirmed) for found in searches] for way, searches in ways.items()}
    plain, full = (mean_path(runs[way]) for way in ("plain", "full"))
    target = plain[-1][1]
    slow, fast = first_time(plain, target), first_time(full, target)
    speedup = None if slow is None or fast is None else slow / fast
    return {
        "command": "python benchmarks/search.py --data-dir DIR",
        "recipe": RECIPE.name,
        "data": "MNIST, trained on 20,000, scored against 5,000 validation images, in-domain features",
        "target_log_fid": target,
        "seconds_to": {
            f"{quality:g}": {"plain": first_time(plain, quality), "full": first_time(full, quality)}
            for quality in QUALITIES
        },
        "at_the_end": {way: [path[-1] for path in runs[way]] for way in runs},
        "plain_seconds_to_target": slow,
        "full_seconds_to_target": fast,
        "speedup": None if speedup is None else round(speedup, 2),
        "speedup_without_screen": {
            name: None if speedup is None else round(speedup * factor, 1) for name, factor in spared.items()
        },
        "plain": plain,
        "full": full,
        "runs": runs,
        "losses": {loss: {"log_fids": values} for loss, values in confirmed.items()},
        "incumbents": ways,
    }


def tell(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--out", type=Path, default=Path("results/bench-search"))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--plain-trials", type=int, default=170)
    parser.add_argument("--full-trials", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    data = load_trial_data("mnist", given.data_dir, RECIPE)
    with PoolExecutor(given.workers) as pool:
        ways: dict[str, list[list[tuple[float, str]]]] = {"full": [], "plain": []}
        for seed in range(given.seeds):
            folder = given.out / f"full-{seed}"
            ways["full"].append(run_full(folder, pool, data, seed=seed, trials=given.full_trials, changes={}))
        for seed in range(given.seeds):
            folder = given.out / f"plain-{seed}"
            plain = run_plain(folder, pool, data_dir=given.data_dir, seed=seed, trials=given.plain_trials)
            ways["plain"].append(plain)
        losses = list(dict.fromkeys(loss for _, loss in itertools.chain(*ways["full"], *ways["plain"])))
        confirmed = confirm(given.out, pool, losses, data)
    spared = spared_by_screen([given.out / f"plain-{seed}" for seed in range(given.seeds)])
    found = summary(ways, confirmed, spared)
    write_json(given.out / "summary.json", found)
    print(json.dumps({key: found[key] for key in ("speedup", "target_log_fid", "plain", "full")}, indent=1))


if __name__ == "__main__":
    main()
