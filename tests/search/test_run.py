"""A search from its beginning to its end, and after any other end: equal bytes, whoever trains and whoever kills."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import random
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ganetics._check import InputError
from ganetics.execution import Completed, InProcessExecutor, Log, PoolExecutor
from ganetics.execution import pool as pool_module
from ganetics.execution.executor import Job, measured
from ganetics.report.search_run import read_search
from ganetics.search import Progress, SearchResult, evolve
from ganetics.search import run as run_module
from ganetics.search.config import SearchConfig
from ganetics.search.replay import restored

COMPARED = ("archive.jsonl", "hall_of_fame.json")
TRIALS, FINALS = 40, 4 * 2 * 2
Search = Callable[..., SearchResult]
ENDS: dict[str, dict[str, Any]] = {
    "trials": {},
    "plateau": {"trials": None, "plateau": 6, "rungs": [{"steps": 10}, {"steps": 40}]},
    "no other loss": {
        "trials": None, "plateau": 500, "rungs": [{"steps": 10}, {"steps": 40}], "max_size": 9, "population": 2,
        "guesses": ("ganetic", "(y - p)**2", "exp(p) - 3*y*p", "p - 2*y*p", "non-saturating", "p**3 - 2*y*p"),
    },
}  # fmt: skip
"""What is changed in the configuration for a search to end so."""


def changed(config: SearchConfig, **changes: Any) -> SearchConfig:
    return SearchConfig.model_validate({**config.model_dump(), **changes})


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in COMPARED}


def lines(folder: Path, kind: str = "trial") -> list[dict[str, Any]]:
    return [line for line in Log(folder / "archive.jsonl").read() if line["kind"] == kind]


def begun(folder: Path, finished: Path, archive: bytes) -> None:
    folder.mkdir()
    (folder / "config.json").write_bytes((finished / "config.json").read_bytes())
    (folder / "archive.jsonl").write_bytes(archive)


def test_a_search_is_whole(finished: Path, config: SearchConfig) -> None:
    trials, finals = lines(finished), lines(finished, "final")
    assert [line["index"] for line in trials] == list(range(TRIALS))
    assert [line["index"] for line in finals] == list(range(FINALS))
    births = [line for line in trials if "born" in line]
    assert [line["candidate"] for line in births] == list(range(len(births)))
    assert [line["born"]["origin"] for line in births[:5]] == ["guess"] * 4 + ["random"]
    assert {line["rung"] for line in trials} == {0, 1, 2, 3}
    assert {line["rate"] for line in trials if line["rung"] == 3} == {0.5, 1.0}
    assert all(set(line["outcome"]["metrics"] or {"fid": 0}) == {"fid"} for line in trials if line["rung"] == 0)
    fame = json.loads((finished / "hall_of_fame.json").read_bytes())
    assert {entry["name"] for entry in fame} == {None, "ganetic", "hinge"}
    assert {line["preview"] for line in finals} - {None} == {
        str(path.relative_to(finished)) for path in (finished / "previews").iterdir()
    }
    failed = [line for line in trials + finals if line["outcome"]["failure"]]
    assert failed
    assert all(line["outcome"]["failure"]["kind"] == "diverged" for line in failed)
    timings = Log(finished / "timings.jsonl").read()
    assert [(line["kind"], line.get("index")) for line in timings] == [
        *((line["kind"], line["index"]) for line in trials + finals),
        ("driver", None),
    ]
    assert not {"wall_seconds", "at", "elapsed_seconds"} & {key for line in trials + finals for key in line}
    assert len(read_search(finished).candidates) == len(births)


# --- whoever trains


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_number_of_workers_changes_nothing(
    workers: int, finished: Path, tmp_path: Path, search: Search, fakes: ModuleType
) -> None:
    with PoolExecutor(workers) as pool:
        search(tmp_path / "run", executor=pool, job=fakes.trial_in_its_time)
    assert contents(tmp_path / "run") == contents(finished)


class Scrambled(InProcessExecutor):
    """Runs what is waiting in a random order, and no more than what is asked for."""

    workers = 5

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self._waiting: list[tuple[Future[Completed], Job, Any]] = []
        self.open, self.overtaken = 0, 0

    def submit(self, function: Job, argument: Any, *, seconds: float | None) -> Future[Completed]:
        future = Late(self)
        self._waiting.append((future, function, argument))
        self.open = max(self.open, len(self._waiting))
        return future

    def finish(self, wanted: Future[Completed]) -> None:
        while not wanted.done():
            place = self._random.randrange(len(self._waiting))
            future, function, argument = self._waiting.pop(place)
            self.overtaken += place > 0
            future.set_result(measured(function, argument))


class Late(Future[Completed]):
    """Its result is made when it is asked for."""

    def __init__(self, executor: Scrambled) -> None:
        super().__init__()
        self._executor = executor

    def result(self, timeout: float | None = None) -> Completed:
        self._executor.finish(self)
        return super().result(timeout)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_in_which_results_arrive_changes_nothing(
    seed: int, finished: Path, tmp_path: Path, search: Search
) -> None:
    with Scrambled(seed) as executor:
        search(tmp_path / "run", executor=executor)
    assert contents(tmp_path / "run") == contents(finished)
    assert executor.overtaken > 10


@pytest.mark.parametrize("lag", [1, 3, 9])
def test_as_many_trials_are_open_as_the_lag_and_another_lag_is_another_search(
    lag: int, finished: Path, tmp_path: Path, search: Search, config: SearchConfig
) -> None:
    settings = changed(config, lag=lag)
    with Scrambled(0) as executor:
        search(tmp_path / "run", settings, executor)
    assert executor.open == lag
    assert (executor.overtaken > 0) == (lag > 1)
    assert contents(tmp_path / "run") != contents(finished)
    trials = lines(tmp_path / "run")
    assert len(trials) == TRIALS
    assert len(restored(settings, trials, where=tmp_path).results) == TRIALS


# --- however it is interrupted


@pytest.mark.parametrize("end", ENDS)
def test_cut_off_anywhere_and_gone_on_with_it_comes_to_the_same(
    end: str, tmp_path: Path, search: Search, config: SearchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each line's end, and within every other line."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # nobody pulls the plug
    if end == "no other loss":
        monkeypatch.setattr(evolve, "PROPOSALS", 30)
    settings = changed(config, final_seeds=1, choices=1, immigrants=0, **ENDS[end])
    search(tmp_path / "whole", settings)
    whole = (tmp_path / "whole/archive.jsonl").read_bytes().splitlines(keepends=True)
    expected = contents(tmp_path / "whole")
    assert 20 < len(whole) < 60
    for count in range(len(whole) + 1):
        torn = whole[count][: 1 + 37 * count % (len(whole[count]) - 1)] if count < len(whole) else b""
        for rest in {b"", torn if count % 2 else b""}:
            folder = tmp_path / f"{count}-{len(rest)}"
            begun(folder, tmp_path / "whole", b"".join(whole[:count]) + rest)
            told: list[Progress] = []
            search(folder, settings, on_progress=told.append)
            assert contents(folder) == expected, (count, len(rest))
            assert len(told) == len(whole) - count


@pytest.mark.parametrize("every", [2, 7])
def test_interrupted_again_and_again_it_comes_to_the_same(
    every: int, finished: Path, tmp_path: Path, search: Search
) -> None:
    def interrupt(_: Progress) -> None:
        if next(left) == 0:
            raise KeyboardInterrupt

    sessions, done = 0, False
    while not done:
        left, sessions = iter(range(every - 1, -2, -1)), sessions + 1
        with suppress(KeyboardInterrupt):
            search(tmp_path / "run", on_progress=interrupt)
            done = True
    assert sessions == (TRIALS + FINALS) // every + 1
    assert contents(tmp_path / "run") == contents(finished)
    for path in (finished / "previews").iterdir():
        assert (tmp_path / "run" / "previews" / path.name).read_bytes() == path.read_bytes()


def test_a_finished_search_is_left_as_it_is(finished: Path, tmp_path: Path, search: Search) -> None:
    begun(tmp_path / "run", finished, (finished / "archive.jsonl").read_bytes())
    result = search(tmp_path / "run", job=None)
    assert contents(tmp_path / "run") == contents(finished)
    trials = lines(finished)
    assert result.trials == TRIALS
    assert result.candidates == sum("born" in line for line in trials)
    assert result.failed == sum(line["outcome"]["metrics"] is None for line in trials)
    assert result.hall_of_fame == json.loads((finished / "hall_of_fame.json").read_bytes())


def test_damaged_timings_block_nothing(finished: Path, tmp_path: Path, search: Search) -> None:
    """They are no part of the result."""
    whole = (finished / "archive.jsonl").read_bytes().splitlines(keepends=True)
    begun(tmp_path / "run", finished, b"".join(whole[:5]))
    timings = (finished / "timings.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "run/timings.jsonl").write_bytes(b"".join([timings[0], b"\x00\n", *timings[2:5]]))
    search(tmp_path / "run")
    assert contents(tmp_path / "run") == contents(finished)
    found = read_search(tmp_path / "run").timings
    assert [line["index"] for line in found if line["kind"] == "trial"] == [0, *range(2, TRIALS)]


def test_a_full_disk_ends_the_search_and_keeps_what_is_finished(
    finished: Path, tmp_path: Path, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (finished / "archive.jsonl").read_bytes().splitlines(keepends=True)
    really = os.write
    room = itertools.count()

    def write(descriptor: int, content: bytes) -> int:
        if next(room) < 14:  # the number of the process, timings and results in turns
            return really(descriptor, content)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space left on device") as caught:
            search(tmp_path / "run")
    assert caught.value.filename == str(tmp_path / "run/archive.jsonl")
    assert (tmp_path / "run/archive.jsonl").read_bytes() == b"".join(whole[:6])
    search(tmp_path / "run")
    assert contents(tmp_path / "run") == contents(finished)


# --- the clock


class Clock:
    """A clock that goes on when a job runs, and jumps between sessions."""

    def __init__(self, job: Callable[[Any], Any]) -> None:
        self.now, self._job = 1000.0, job

    def job(self, job: Any) -> Any:
        self.now += 10.0
        return self._job(job)

    def time(self) -> SimpleNamespace:
        return SimpleNamespace(monotonic=lambda: self.now, process_time=lambda: 0.0)


@pytest.mark.parametrize(
    ("minutes", "interrupted", "trials"),
    [
        # four trials are run before the first result is taken, then one for each
        *((0.001, False, 1), (0.5, False, 1), (1.1, False, 4), (1.5, False, 7), (5.0, False, 28)),
        # a session for each result: it runs four
        *((0.001, True, 1), (1.1, True, 2), (1.5, True, 3), (8.0, True, 13)),
    ],
)
def test_minutes_end_a_search_as_a_number_of_trials_would(
    minutes: float,
    interrupted: bool,
    trials: int,
    tmp_path: Path,
    config: SearchConfig,
    search: Search,
    fakes: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(fakes.trial)
    monkeypatch.setattr(run_module, "time", clock.time())
    timed = config.model_copy(update={"minutes": minutes, "trials": None})

    def interrupt(progress: Progress) -> None:
        assert (progress.total is None) == (progress.phase == "search")
        raise KeyboardInterrupt

    for _ in range(trials + 2 if interrupted else 0):  # the last two in the last round
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "timed", timed, job=clock.job, on_progress=interrupt)
        clock.now = hash_of(clock.now)
    assert len(lines(tmp_path / "timed", "final")) == 2 * interrupted
    result = search(tmp_path / "timed", timed, job=clock.job)
    assert result.trials == trials
    counted = search(tmp_path / "counted", config.model_copy(update={"trials": trials}))
    assert contents(tmp_path / "timed") == contents(tmp_path / "counted")
    assert result == counted


def hash_of(number: float) -> float:
    return hashlib.sha256(repr(number).encode()).digest()[0] * 1000.0


def test_progress_tells_what_the_archive_holds(finished: Path, tmp_path: Path, search: Search) -> None:
    told: list[Progress] = []
    search(tmp_path / "run", on_progress=told.append)
    archive = Log(finished / "archive.jsonl").read()
    assert len(told) == len(archive)
    for count, progress in enumerate(told, start=1):
        past = archive[:count]
        trials = [line for line in past if line["kind"] == "trial"]
        full = [line["outcome"]["metrics"] for line in trials if line["rung"] >= 2]
        expected = {
            "phase": "search" if len(trials) == count else "finals",
            "done": count if len(trials) == count else count - TRIALS,
            "total": TRIALS if len(trials) == count else FINALS,
            "best_fid": pytest.approx(min(fids)) if (fids := [one["fid"] for one in full if one]) else None,
            "failed": sum(line["outcome"]["metrics"] is None for line in past),
            "rejected": sum(sum(line["born"]["rejected"].values()) for line in trials if "born" in line),
        }
        assert {name: getattr(progress, name) for name in expected} == expected
        on_rung = [
            {line["candidate"] for line in trials if line["rung"] == rung} for rung in range(len(progress.rungs))
        ]
        assert progress.rungs == tuple(map(len, on_rung))
        assert progress.front <= progress.rungs[-1]
    assert told[TRIALS - 1].front > 0
    assert told[-1].rungs[0] == sum("born" in line for line in archive)
    assert all(one.elapsed <= two.elapsed for one, two in itertools.pairwise(told))


# --- what is refused


@pytest.mark.parametrize(
    ("change", "field"),
    [({"seed": 6}, "seed"), ({"trials": 14}, "trials"), ({"lag": 5}, "lag"), ({"promote": 0.4}, "promote")],
)
def test_another_configuration_is_refused_naming_the_field(
    change: dict[str, Any], field: str, finished: Path, config: SearchConfig, search: Search
) -> None:
    before = contents(finished)
    with pytest.raises(InputError, match=f"another configuration: {field} is .* there, got"):
        search(finished, config.model_copy(update=change))
    assert contents(finished) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": None}, "trials, minutes or plateau must be given"),
        ({"rivals": ("ganetic", "ganetik")}, "unknown rival 'ganetik', nearest: ganetic"),
        ({"guesses": ("hinge",)}, "guesses: must be tied losses"),
        ({"guesses": ("p + q",)}, "unknown variable 'q'"),
        ({"guesses": (), "max_size": 2}, "none of 50 trees passed the screen within max_depth 7 and max_size 2"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_anything_is_trained(
    change: dict[str, Any],
    message: str,
    tmp_path: Path,
    config: SearchConfig,
    search: Search,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evolve, "PROPOSALS", 50)
    with pytest.raises(InputError, match=message):
        search(tmp_path / "run", config.model_copy(update=change), job=None)
    assert not (tmp_path / "run/archive.jsonl").exists()


@pytest.mark.parametrize(
    ("job", "message"),
    [("trial_without_data", "no file at nowhere"), ("trial_on_other_data", "must be the images that the run began")],
)
def test_missing_or_other_data_are_no_trials_result(
    job: str, message: str, finished: Path, tmp_path: Path, search: Search, fakes: ModuleType
) -> None:
    whole = (finished / "archive.jsonl").read_bytes().splitlines(keepends=True)
    begun(tmp_path / "run", finished, b"".join(whole[:6]))
    with pytest.raises(InputError, match=f"^dataset fake: .*{message}"):
        search(tmp_path / "run", job=getattr(fakes, job))
    assert (tmp_path / "run/archive.jsonl").read_bytes() == b"".join(whole[:6])
    search(tmp_path / "run")
    assert contents(tmp_path / "run") == contents(finished)


# --- what jobs do


def test_every_run_is_on_the_device_and_has_its_time(
    tmp_path: Path, config: SearchConfig, search: Search, fakes: ModuleType
) -> None:
    devices: list[str] = []
    limits: list[float | None] = []

    class Asked(InProcessExecutor):
        def submit(self, function: Job, argument: Any, *, seconds: float | None) -> Future[Completed]:
            devices.append(argument.device)
            limits.append(seconds)
            return super().submit(function, argument, seconds=seconds)

    with Asked() as executor:
        search(tmp_path / "run", config, executor, job=fakes.trial, device="cuda:1")
    assert len(devices) >= TRIALS + FINALS
    assert set(devices) == {"cuda:1"}
    assert set(limits) == {20 * config.recipe.seconds}


def test_a_job_that_fails_in_any_way_is_a_named_result(
    tmp_path: Path, config: SearchConfig, fakes: ModuleType, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "ATTEMPTS", 1)
    settings = changed(
        config, guesses=(*fakes.FAULTS.values(), "ganetic"), trials=20, rungs=[{"steps": 10}, {"steps": 40}],
        finalists=0, rivals=(), population=8,
    )  # fmt: skip

    class Impatient(PoolExecutor):
        def submit(self, function: Job, argument: Any, *, seconds: float | None) -> Future[Completed]:
            assert seconds == 20 * settings.recipe.seconds
            hangs = argument.loss == fakes.FAULTS["hang"]
            return super().submit(function, argument, seconds=1 if hangs else seconds)

    with Impatient(1, memory_mib=200) as pool:
        result = search(tmp_path / "run", settings, pool, job=fakes.faulty_trial)
    trials = lines(tmp_path / "run")
    found = {line["born"]["expression"]: line for line in trials if "born" in line}
    failures = {name: found[text]["outcome"]["failure"] for name, text in fakes.FAULTS.items()}
    assert failures["nan"]["message"].startswith("ValidationError: 1 validation error for Outcome metrics.fid Input")
    del failures["nan"]["message"]
    assert {name: tuple(failure.values()) for name, failure in failures.items()} == {
        "raise": ("crashed", "ZeroDivisionError: by zero", None),
        "none": ("crashed", "the job gave no reply", None),
        "nan": ("crashed", None),
        "hang": ("timed out", "stopped after 1 s", None),
        "kill": ("crashed", "the worker was killed (perhaps for lack of memory)", None),
        "memory": ("out of memory", "MemoryError", None),
    }
    for text in fakes.FAULTS.values():
        line = found[text]
        assert line["outcome"]["seed"] == line["seed"]
        assert line["outcome"]["data"] == found["p**3 + sqrt(3.985*y/p)"]["outcome"]["data"]
    assert len(trials) == 20
    assert result.failed >= 6
    faulty = {found[text]["candidate"] for text in fakes.FAULTS.values()}
    assert not faulty & {line["candidate"] for line in trials if line["rung"] > 0}
    parents = [line["born"]["parents"] for line in trials if "born" in line]
    assert not faulty & set(itertools.chain(*parents))
