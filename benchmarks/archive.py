"""What a search's driver costs: an archive of 100,000 trials opens, a trial is decided, a result is committed.

    python benchmarks/archive.py [--trials 100000] [--opens 5] [--out results/speed/archive.json]

The archive is as a real search would have written it, but for its losses, which are drawn and not screened, and their
scores; it is made once (a minute) and kept in the temporary folder. The rest takes two minutes. Seconds are those of
this process on a core; what it waits for the disk is said apart. Goals: opened in 3 s; screen, driver and log together
below 2 % of the workers' time.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

from synthetic import (
    Landscape,
    Scores,
    core_seconds,
    costs,
    drawn,
    fake_job,
    measured,
    outcome,
    searched,
    synthetic_config,
)

from ganetics._files import write_atomically
from ganetics.execution import Executor, InProcessExecutor, Log, PoolExecutor, RunFolder
from ganetics.execution.process import environment
from ganetics.records import to_json
from ganetics.search.config import SearchConfig
from ganetics.search.evolve import Search
from ganetics.search.lines import trial_line
from ganetics.search.objectives import hypervolume
from ganetics.search.replay import restored
from ganetics.search.run import run_search
from ganetics.search.rungs import Candidate, Trial

PROPOSED = 100
"""Trials at the archive's end whose losses the search itself proposed: the last is proposed again when it opens."""
Figures = dict[str, Any]


def made(folder: Path, config: SearchConfig, trials: int) -> None:
    """Write the archive, and times as a driver notes them. The last losses are proposed by the search itself."""
    search, scores = Search(config), Scores(trials)
    for index in range(trials):
        if search.open == config.lag:
            search.commit(scores.log_fid(search.trials[len(search.results)]))
        search.decide(drawn(search) if index < trials - PROPOSED else None)
    while search.open:
        search.commit(scores.log_fid(search.trials[len(search.results)]))
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
    parts = {name: now - before for (_, before), (name, now) in pairwise(marks)}
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
    """Run a search whose trials cost nothing; return the driver's milliseconds for each, without the decisions."""
    config, decide, deciding = synthetic_config(trials=trials), Search.decide, 0.0

    def timed(search: Search, recorded: Candidate | None = None) -> Trial | None:
        nonlocal deciding
        begin = time.process_time()
        trial = decide(search, recorded)
        deciding += time.process_time() - begin
        return trial

    with RunFolder(folder) as run, make() as executor, unsynced(), mock.patch.object(Search, "decide", timed):
        run.begin(config.model_dump(mode="json"), resume=False)
        begin = time.process_time()
        run_search(run, config, executor, job=fake_job)
        return 1000 * (time.process_time() - begin - deciding) / trials


def driving(trials: int) -> Figures:
    """Return what a trial costs the driver beside its decision: jobs, results, lines, progress, states."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:  # where runs are: a temporary folder can be memory
        folder = Path(name)
        alone = driven(folder / "alone", InProcessExecutor, trials)
        pool = driven(folder / "pool", lambda: PoolExecutor(2), trials)
        append = appending(folder, Log(folder / "alone" / "archive.jsonl").read())
    return {
        "append": append,
        "in process": round(alone, 2),
        "with a pool": round(pool, 2),
        "wait for the disk": round(append["on the disk"] - append["not synced"], 2),
    }


def bounds(search: Search, decision: float, rest: Figures) -> Figures:
    """Return how many trials a driver can do in a second, and its share of the time of the default ladder's trials.

    A wait for the disk is for one result where trials are long, and for all that came meanwhile where they are not.
    """
    core, cost = decision + rest["with a pool"], costs()
    mean = statistics.fmean(core_seconds(trial, search.config, cost) for trial in search.trials)
    each = core + rest["wait for the disk"]
    return {
        "milliseconds of a trial": {"core": round(core, 2), "with the disk": round(each, 2)},
        "trials a second": {"synced together": round(1000 / core, 1), "each synced": round(1000 / each, 1)},
        "core seconds of a trial of a worker": round(mean, 2),
        "share of the workers' time": round(each / 1000 / mean, 5),
    }


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
    decisions[f"tied, after {given.trials} trials of losses not screened"] = deciding(
        search, landscape, given.decisions
    )
    rest = driving(given.decisions)
    result = {
        "command": "python benchmarks/archive.py --out results/speed/archive.json",
        "seconds to open": opening,
        "milliseconds of a decision": decisions,
        "milliseconds of a trial's other work": rest,
        "driver": bounds(search, decisions["tied"]["mean"], rest),
        "environment": environment(),
    }
    print(json.dumps(result, indent=1))
    if given.out:
        write_atomically(given.out, (json.dumps(result, indent=1, sort_keys=True) + "\n").encode())


if __name__ == "__main__":
    main()
