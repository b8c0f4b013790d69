"""What workers are busy for, and what a larger lag costs: a search simulated on up to 4,096 workers.

    python benchmarks/scale.py [--out results/scale] [--driver results/speed/archive.json]

Reads what a driver costs (benchmarks/archive.py) and how long trials take (the curve pool and the first search on
MNIST). The search's own class decides what is trained when; its losses are made up for the simulation of workers, and
looked up in a made-up world like the measured one (benchmarks/synthetic.py) for the price of the lag. Writes
``summary.json``. About five minutes of a core.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student
from synthetic import Landscape, Scores, core_seconds, costs, made_up, measured, searched, synthetic_config

from ganetics._random import numpy_generator
from ganetics.execution import Log
from ganetics.expressions.primitives import Array
from ganetics.records import write_json
from ganetics.search.evolve import Search
from ganetics.search.rungs import Trial

WORKERS = tuple(2**power for power in range(13))
MULTIPLES = (1, 2, 3, 4, 8)
"""The lag, of the workers."""
LENGTHS = {"mnist": 1, "60 times as long": 60}
"""Trials of the recipe "mnist", and of one for a cluster."""
GOAL = 0.9
"""Of the workers' time, at 1,024 of them."""
FEWEST, LENGTH = 6000, 8
"""Trials that are simulated: at least so many, and so many times the lag."""
BORN = 0.55
"""Share of the default ladder's trials that a loss is born with."""
LAGS = (1, 8, 32, 128, 512)
Figures = dict[str, Any]


@dataclass(frozen=True)
class Driver:
    """Seconds of the one process that decides and commits."""

    proposal: float
    """A decision that a loss is born by."""
    decision: float
    """Another one."""
    commit: float
    """All else that it does for a trial: its job, its lines, its states."""
    sync: float
    """A wait for the disk, after which all results that were there are committed."""

    @property
    def trial(self) -> float:
        """Of the default ladder, without the wait."""
        return BORN * self.proposal + (1 - BORN) * self.decision + self.commit


NONE = Driver(0.0, 0.0, 0.0, 0.0)


def driver_of(path: Path) -> Driver:
    found = json.loads(path.read_text(encoding="utf-8"))
    decisions, rest = found["milliseconds of a decision"]["tied"], found["milliseconds of a trial's other work"]
    figures = (decisions["proposal"]["mean"], decisions["no proposal"]["mean"], rest["with a pool"])
    return Driver(*(value / 1000 for value in (*figures, rest["wait for the disk"])))


def spread() -> Array:
    """Return how long single runs took, of 1 for their mean: equal work, other losses, seeds and moments."""
    files = (("results/curve-pool", "cpu_seconds"), ("results/search-mnist-1", "wall_seconds"))
    parts = []
    for folder, name in files:
        lines = Log(Path(folder) / "timings.jsonl").read()
        seconds = np.array([line[name] for line in lines if line.get("kind", "trial") == "trial"])
        parts.append(seconds / seconds.mean())
    return np.concatenate(parts)


def decided(lag: int, trials: int) -> Iterator[Trial]:
    """Yield the trials that a search of this lag decides on."""
    search = Search(synthetic_config(lag=lag))
    scores = Scores(trials)
    for index in range(trials):
        if search.open == lag:
            search.commit(scores.log_fid(search.trials[len(search.results)]))
        trial = search.decide(made_up(len(search.candidates)))
        if trial is None:
            raise RuntimeError(f"no trial {index}")
        yield trial


@dataclass(frozen=True)
class Stream:
    """A search's trials: whether a loss is born with each, and how many seconds it takes."""

    born: list[bool]
    seconds: list[float]


def stream(lag: int) -> Stream:
    config, cost = synthetic_config(), costs()
    trials = list(decided(lag, max(FEWEST, LENGTH * lag)))
    factors = numpy_generator(0, "seconds", lag).choice(spread(), len(trials)).tolist()
    seconds = [core_seconds(trial, config, cost) * factor for trial, factor in zip(trials, factors, strict=True)]
    return Stream([trial.born for trial in trials], seconds)


def simulated(trials: Stream, *, workers: int, lag: int, driver: Driver, length: float) -> Figures:
    """Return which share of their time the workers are busy, and the driver.

    As in ``search.run``: the driver decides while fewer than ``lag`` trials are open, and hands each to the workers,
    who take the oldest that waits. Then it waits for the oldest open one, commits it with those behind it that are
    done, up to as many as there are workers, and goes on deciding. Looked at is the time from when the first half of
    the trials is decided to when the last is: the start, when all losses are new, and the end are left out.
    """
    free, ends, clock, working, committed = [0.0] * workers, [0.0] * len(trials.born), 0.0, 0.0, 0
    starts, decisions = [0.0] * len(ends), [(0.0, 0.0)] * len(ends)
    for index, (born, seconds) in enumerate(zip(trials.born, trials.seconds, strict=True)):
        if index - committed == lag:
            clock = max(clock, ends[committed])
            count = 1
            while count < min(workers, index - committed) and ends[committed + count] <= clock:
                count += 1
            committed += count
            clock += driver.sync + count * driver.commit
            working += driver.sync + count * driver.commit
        spent = driver.proposal if born else driver.decision
        clock, working = clock + spent, working + spent
        decisions[index] = clock, working
        starts[index] = max(clock, free[0])
        ends[index] = starts[index] + length * seconds
        heapq.heapreplace(free, ends[index])
    (begin, before), (end, after) = decisions[len(decisions) // 2], decisions[-1]
    busy = np.clip(np.minimum(ends, end) - np.maximum(starts, begin), 0.0, None).sum()
    return {
        "busy": round(float(busy / (workers * (end - begin))), 3),
        "driver": round((after - before) / (end - begin), 3),
        "trials_a_second": round(len(decisions) / 2 / (end - begin), 2),
    }


def utilisation(driver: Driver) -> Figures:
    """Return, by length of trials and multiple of the workers, figures by the number of workers."""
    streams = {lag: stream(lag) for lag in sorted({n * multiple for n in WORKERS for multiple in MULTIPLES})}
    return {
        name: {
            f"lag {multiple}x": {
                str(n): simulated(streams[n * multiple], workers=n, lag=n * multiple, driver=one, length=length)
                for n in WORKERS
            }
            for multiple in MULTIPLES
        }
        for name, length, one in (("no driver", 1, NONE), *((name, length, driver) for name, length in LENGTHS.items()))
    }


def searches(seeds: int, trials: int, lags: Sequence[int] = LAGS) -> Figures:
    """Return the true quality of the loss that a search of each lag ends with; and what that is more than at lag 8.

    The search's own class with all defaults but the lag, in a made-up world of its own for each seed.
    """
    known = measured()
    given: dict[int, list[float]] = {lag: [] for lag in lags}
    best: dict[int, list[float]] = {lag: [] for lag in lags}
    for seed in range(seeds):
        landscape = Landscape(known, seed)
        for lag in lags:
            search = searched(synthetic_config(seed=seed, lag=lag), landscape, trials)
            given[lag].append(landscape.quality(next(search.ranking())))
            best[lag].append(min(map(landscape.quality, search.candidates)))
    return {
        str(lag): {
            "given": interval(given[lag]),
            "more_than_at_lag_8": interval(np.subtract(given[lag], given[8])),
            "best_of_all": interval(best[lag]),
            "best_of_all_more_than_at_lag_8": interval(np.subtract(best[lag], best[8])),
        }
        for lag in lags
    }


def interval(values: Sequence[float] | Array) -> list[float]:
    """Return the mean and its 95 % interval (Student)."""
    mean, count = float(np.mean(values)), len(values)
    half = float(student.ppf(0.975, count - 1)) * statistics.stdev(map(float, values)) / math.sqrt(count)
    return [round(value, 4) for value in (mean, mean - half, mean + half)]


def smallest(rows: Figures) -> dict[str, int | None]:
    """Return for each multiple the largest number of workers up to which all are busy as the goal says."""
    found: dict[str, int | None] = {}
    for multiple, row in rows.items():
        enough = [int(n) for n, one in row.items() if one["busy"] >= GOAL]
        found[multiple] = max(enough, default=None)
    return found


def table(found: Figures) -> str:
    lines = [f"driver: {found['driver']}", f"mean trial: {found['core_seconds_of_a_trial']} s of a core", ""]
    for name, rows in found["utilisation"].items():
        lines += [f"workers busy, {name}", "   lag " + "".join(f"{n:>7}" for n in WORKERS)]
        for multiple, row in rows.items():
            lines.append(f"{multiple[4:]:>6} " + "".join(f"{row[str(n)]['busy']:>7.3f}" for n in WORKERS))
        lines.append("")
    lines.append("true log FID, 95 % intervals: of the search's loss, more than at lag 8; of the best tried, the same")
    for lag, row in found["lag"].items():
        lines.append(f"{lag:>6} " + "  ".join("{:7.4f} [{:7.4f}, {:7.4f}]".format(*value) for value in row.values()))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", type=Path, default=Path("results/speed/archive.json"))
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--out", type=Path, default=Path("results/scale"))
    given = parser.parse_args()
    driver = driver_of(given.driver)
    usual = stream(8)
    mean = statistics.fmean(usual.seconds)
    busy = utilisation(driver)
    found: Figures = {
        "command": f"python benchmarks/scale.py --seeds {given.seeds} --trials {given.trials}",
        "driver": {name: round(value, 6) for name, value in asdict(driver).items()}
        | {"trials_a_second": round(1 / driver.trial, 1)},
        "core_seconds_of_a_trial": round(mean, 3),
        "workers_that_the_driver_keeps_busy": {
            name: round(mean * length / driver.trial) for name, length in LENGTHS.items()
        },
        "utilisation": busy,
        "most_workers_at_goal": {name: smallest(rows) for name, rows in busy.items()},
        "noise": measured().noise.round(3).tolist(),
        "lag": searches(given.seeds, given.trials),
    }
    given.out.mkdir(parents=True, exist_ok=True)
    write_json(given.out / "summary.json", found)
    print(table(found))


if __name__ == "__main__":
    main()
