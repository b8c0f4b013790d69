"""What a search's driver costs: an archive of 100,000 trials opens, a trial is decided, a result is committed.

    python benchmarks/archive.py [--trials 100000] [--opens 5] [--out results/speed/archive.json]

The archive is that of a search in a made-up world (benchmarks/synthetic.py), as a real one would have written it; it is
made once (about four minutes) and kept in the temporary folder. The rest takes about a minute. Seconds are those of
this process on a core (what it waits for the disk is said apart). Goals: opened in 3 s; screen, driver and log
together below 2 % of the workers' time.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from synthetic import Landscape, core_seconds, costs, fake_job, measured, outcome, searched, synthetic_config

from ganetics._files import write_atomically
from ganetics.execution import Executor, InProcessExecutor, Log, PoolExecutor, RunFolder
from ganetics.execution.process import environment
from ganetics.records import SearchConfig, to_json
from ganetics.search.evolve import Search
from ganetics.search.objectives import hypervolume
from ganetics.search.run import restored, run_search, trial_line

Figures = dict[str, Any]


def made(folder: Path, config: SearchConfig, trials: int) -> None:
    """Write the archive, and times as a driver notes them."""
    search = searched(config, Landscape(measured(), 0), trials)
    timing = {"kind": "trial", "wall_seconds": 1.234, "cpu_seconds": 1.234, "peak_mib": 431.2, "attempts": 1,
              "elapsed_seconds": 12345.678, "at": "2026-01-01T00:00:00+00:00"}  # fmt: skip
    lines = (
        trial_line(trial, outcome(trial, config, log_fid))
        for trial, log_fid in zip(search.trials, search.results, strict=True)
    )
    times = ({**timing, "index": index} for index in range(trials))
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in (("timings.jsonl", times), ("archive.jsonl", lines)):
        write_atomically(folder / name, "".join(to_json(record) + "\n" for record in records).encode())


def opened(folder: Path, config: SearchConfig) -> tuple[Figures, Search]:
    """Open the archive as a search that is gone on with does; return core seconds by part."""
    gc.collect()
    marks = [("", time.process_time())]

    def mark(name: str) -> None:
        marks.append((name, time.process_time()))

    lines = Log(folder / "archive.jsonl").replay()
    mark("read archive")
    search = restored(config, lines, where=folder)
    mark("restored")
    search.settle()
    search.nondominated(), list(search.ranking()), hypervolume(search.front, config)
    mark("front, ranking, hypervolume")
    Log(folder / "timings.jsonl", skip_damaged=True).replay()
    mark("read timings")
    parts = {name: now - before for (_, before), (name, now) in zip(marks, marks[1:], strict=False)}
    return parts | {"opened": sum(parts.values()) - parts["read timings"]}, search


def openings(folder: Path, config: SearchConfig, opens: int) -> tuple[Figures, Search]:
    """Return smallest and median seconds of some openings, and the search."""
    found = []
    for _ in range(opens):
        parts, search = opened(folder, config)
        found.append(parts)
    figures: Figures = {
        name: {
            "min": round(min(one[name] for one in found), 3),
            "median": round(statistics.median(one[name] for one in found), 3),
        }
        for name in found[0]
    }
    size = (folder / "archive.jsonl").stat().st_size
    return figures | {"trials": len(search.results), "candidates": len(search.candidates), "mib": size >> 20}, search


def deciding(search: Search, landscape: Landscape, trials: int) -> Figures:
    """Go on with a search; return milliseconds of a decision, with a proposal and without."""
    spent: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(trials):
        begin = time.process_time()
        trial = search.decide()
        if trial is None:
            raise SystemExit("no other loss can be found")
        spent[trial.born].append(1000 * (time.process_time() - begin))
        search.commit(landscape.log_fid(search.trials[len(search.results)]))
    births = spent[True]
    return {
        "proposal": {"median": round(statistics.median(births), 2), "mean": round(statistics.fmean(births), 2)},
        "no proposal": {"mean": round(statistics.fmean(spent[False]), 3)},
        "mean": round(statistics.fmean(births + spent[False]), 2),
    }


def deciding_by_mode(landscape: Landscape, trials: int) -> Figures:
    """Return what decisions cost in either mode, after a search's random beginning."""
    found = {}
    for mode in ("tied", "separate"):
        found[mode] = deciding(searched(synthetic_config(mode=mode), landscape, trials), landscape, trials)
    return found


@contextmanager
def unsynced() -> Iterator[None]:
    with mock.patch("os.fsync"):
        yield


def appending(folder: Path, lines: list[dict[str, Any]]) -> Figures:
    """Return median milliseconds of an append of a trial's line, by the clock."""

    def appended(name: str) -> float:
        log, spent = Log(folder / name), []
        for line in lines:
            begin = time.perf_counter()
            log.append(line)
            spent.append(1000 * (time.perf_counter() - begin))
        log.close()
        return round(statistics.median(spent), 3)

    found = {"on the disk": appended("synced.jsonl")}
    with unsynced():
        found["not synced"] = appended("unsynced.jsonl")
    return found


def driven(folder: Path, make: Callable[[], Executor], trials: int) -> float:
    """Run a search whose trials cost nothing; return the driver's milliseconds on a core for each."""
    config = synthetic_config(trials=trials, final_seeds=1)
    with RunFolder(folder) as run, make() as executor, unsynced():
        run.begin(config.model_dump(mode="json"), resume=False)
        begin = time.process_time()
        run_search(run, config, executor, job=fake_job)
        return 1000 * (time.process_time() - begin) / trials


def driving(trials: int) -> Figures:
    """Return what a trial costs the driver in all, and from it how many it can do in a second."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:  # where runs are: a temporary folder can be memory
        folder = Path(name)
        archive = Path(tempfile.gettempdir())
        del archive
        alone = driven(folder / "alone", InProcessExecutor, trials)
        pool = driven(folder / "pool", lambda: PoolExecutor(2), trials)
        lines = Log(folder / "alone" / "archive.jsonl").read()
        append = appending(folder, lines)
    waits = 2 * (append["on the disk"] - append["not synced"])
    return {
        "append": append,
        "all but the executor": round(alone, 2),
        "executor": round(max(pool - alone, 0.0), 2),
        "waits for the disk": round(waits, 2),
        "in all": round(max(pool, alone) + waits, 2),
        "trials a second": round(1000 / (max(pool, alone) + waits), 1),
    }


def shares(search: Search, driver: Figures) -> Figures:
    """Return the mean trial of the default ladder, and the driver's share of its time."""
    cost = costs()
    mean = statistics.fmean(core_seconds(trial, search.config, cost) for trial in search.trials)
    return {"core seconds of a trial": round(mean, 2), "share": round(driver["in all"] / 1000 / mean, 5)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--opens", type=int, default=5)
    parser.add_argument("--decisions", type=int, default=300)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    config = synthetic_config(choices=1)
    folder = Path(tempfile.gettempdir()) / f"ganetics-archive-{given.trials}-{config.digest()}"
    if not (folder / "archive.jsonl").exists():
        made(folder, config, given.trials)
    opening, search = openings(folder, config, given.opens)
    landscape = Landscape(measured(), 0)
    search.config = config.model_copy(update={"choices": synthetic_config().choices})  # as it is by default, from here
    decisions = deciding_by_mode(landscape, given.decisions)
    decisions[f"tied, after {given.trials} trials"] = deciding(search, landscape, given.decisions)
    driver = driving(given.decisions)
    result = {
        "command": "python benchmarks/archive.py --out results/speed/archive.json",
        "seconds to open": opening,
        "milliseconds of a decision": decisions,
        "milliseconds of the driver for a trial": driver,
        "default ladder, recipe mnist": shares(search, driver),
        "environment": environment(),
    }
    print(json.dumps(result, indent=1))
    if given.out:
        write_atomically(given.out, (json.dumps(result, indent=1, sort_keys=True) + "\n").encode())


if __name__ == "__main__":
    main()
