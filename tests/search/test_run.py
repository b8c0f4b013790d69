"""A search from its beginning to its end, and after any other end: equal bytes, whoever trains and whoever kills."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ganetics._check import InputError
from ganetics.execution import Completed, Executor, InProcessExecutor, Log, PoolExecutor, RunFolder
from ganetics.execution import pool as pool_module
from ganetics.execution.executor import Job
from ganetics.records import SearchConfig
from ganetics.report.run import read_search
from ganetics.search import Progress, SearchResult, evolve, run_search
from ganetics.search import run as run_module

COMPARED = ("archive.jsonl", "hall_of_fame.json")
Search = Callable[..., SearchResult]


@pytest.fixture(scope="module")
def in_process() -> Iterator[Executor]:
    with InProcessExecutor() as executor:
        yield executor


@pytest.fixture(scope="module")
def search(config: SearchConfig, fakes: ModuleType, in_process: Executor) -> Search:
    """Return what begins a search in a folder, or goes on with the one in it."""

    def run(
        folder: Path, settings: SearchConfig = config, executor: Executor = in_process, **options: Any
    ) -> SearchResult:
        with RunFolder(folder) as opened:
            opened.begin(settings.model_dump(mode="json"), resume=(folder / "config.json").exists())
            return run_search(opened, settings, executor, **{"job": fakes.trial, **options})

    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, search: Search) -> Path:
    folder = tmp_path_factory.mktemp("search") / "finished"
    search(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in COMPARED}


def lines(folder: Path, kind: str = "trial") -> list[dict[str, Any]]:
    return [line for line in Log(folder / "archive.jsonl").read() if line["kind"] == kind]


def begun(folder: Path, finished: Path, archive: bytes) -> None:
    folder.mkdir()
    (folder / "config.json").write_bytes((finished / "config.json").read_bytes())
    (folder / "archive.jsonl").write_bytes(archive)


def test_a_search_is_whole(finished: Path, config: SearchConfig, fakes: ModuleType) -> None:
    trials, finals = lines(finished), lines(finished, "final")
    assert [line["index"] for line in trials] == list(range(13))
    assert [line["generation"] for line in trials] == [0] * 5 + [1] * 4 + [2] * 4
    assert [line["origin"] for line in trials[:5]] == ["guess"] * 4 + ["random"]
    assert [line["index"] for line in finals] == list(range(4 * 2 * 2))
    assert len({line["seed"] for line in trials}) == 3
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


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_number_of_workers_changes_nothing(
    workers: int, finished: Path, tmp_path: Path, search: Search, fakes: ModuleType
) -> None:
    with PoolExecutor(workers) as pool:
        search(tmp_path / "run", executor=pool, job=fakes.trial_in_its_time)
    assert contents(tmp_path / "run") == contents(finished)


@pytest.mark.parametrize("torn", [False, True], ids=["at the line's end", "within the line"])
def test_cut_off_at_any_line_and_gone_on_with_it_comes_to_the_same(
    torn: bool, finished: Path, tmp_path: Path, search: Search
) -> None:
    whole = (finished / "archive.jsonl").read_bytes().splitlines(keepends=True)
    for count in range(len(whole) if torn else len(whole) + 1):
        rest = whole[count][: 1 + 37 * count % (len(whole[count]) - 1)] if torn else b""
        folder = tmp_path / str(count)
        begun(folder, finished, b"".join(whole[:count]) + rest)
        asked: list[Progress] = []
        search(folder, on_progress=asked.append)
        assert contents(folder) == contents(finished), count
        assert len(asked) == len(whole) - count


@pytest.mark.parametrize("every", [1, 3])
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
    assert sessions == 29 // every + 1
    assert contents(tmp_path / "run") == contents(finished)
    for path in (finished / "previews").iterdir():
        assert (tmp_path / "run" / "previews" / path.name).read_bytes() == path.read_bytes()


def test_a_finished_search_is_left_as_it_is(finished: Path, tmp_path: Path, search: Search) -> None:
    begun(tmp_path / "run", finished, (finished / "archive.jsonl").read_bytes())
    result = search(tmp_path / "run", job=None)
    assert contents(tmp_path / "run") == contents(finished)
    assert result.trials == 13
    assert result.failed == sum(line["outcome"]["metrics"] is None for line in lines(finished))
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
    assert [line["index"] for line in found if line["kind"] == "trial"] == [0, *range(2, 13)]


def test_progress_tells_what_the_archive_holds(finished: Path, tmp_path: Path, search: Search) -> None:
    told: list[Progress] = []
    search(tmp_path / "run", on_progress=told.append)
    archive = Log(finished / "archive.jsonl").read()
    assert len(told) == len(archive)
    for count, progress in enumerate(told, start=1):
        past = archive[:count]
        trials = [line for line in past if line["kind"] == "trial"]
        fids = [line["outcome"]["metrics"]["fid"] for line in trials if line["outcome"]["metrics"]]
        assert progress == Progress(
            phase="search" if len(trials) == count else "finals",
            done=count if len(trials) == count else count - 13,
            total=13 if len(trials) == count else 16,
            best_fid=min(fids, default=None),
            failed=sum(line["outcome"]["metrics"] is None for line in past),
            rejected=sum(sum(line["rejected"].values()) for line in trials),
        )


@pytest.mark.parametrize(
    ("change", "field"),
    [({"seed": 6}, "seed"), ({"trials": 14}, "trials"), ({"guesses": ()}, "guesses"), ({"max_size": 20}, "max_size")],
)
def test_another_configuration_is_refused_naming_the_field(
    change: dict[str, Any], field: str, finished: Path, config: SearchConfig, search: Search
) -> None:
    before = contents(finished)
    with pytest.raises(InputError, match=f"another configuration: {field} is .* there, got"):
        search(finished, config.model_copy(update=change))
    assert contents(finished) == before


@pytest.mark.parametrize("place", ["trial 7", "final 3"])
def test_an_archive_that_does_not_fit_is_refused_naming_the_line(
    place: str, finished: Path, tmp_path: Path, search: Search
) -> None:
    kind, index = place.split()
    archive = [json.loads(line) for line in (finished / "archive.jsonl").read_bytes().splitlines()]
    for line in archive:
        if (line["kind"], line["index"]) == (kind, int(index)):
            line["expression"], line["name"] = "p*y", None
    if kind == "trial":
        archive = archive[:10]
    begun(tmp_path / "run", finished, b"".join(json.dumps(line).encode() + b"\n" for line in archive))
    with pytest.raises(InputError, match=rf"archive\.jsonl: {place} must be .* by this release, got .*p\*y"):
        search(tmp_path / "run")


def test_a_job_that_fails_in_any_way_is_a_named_result(
    tmp_path: Path, config: SearchConfig, fakes: ModuleType, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "ATTEMPTS", 1)
    settings = config.model_copy(
        update={
            "guesses": (*fakes.FAULTS.values(), "ganetic"),
            "trials": 9,
            "finalists": 0,
            "rivals": (),
        }
    )

    class Impatient(PoolExecutor):
        def submit(self, function: Job, argument: Any, *, seconds: float | None) -> Future[Completed]:
            assert seconds == 20 * settings.recipe.seconds
            hangs = argument.loss == fakes.FAULTS["hang"]
            return super().submit(function, argument, seconds=1 if hangs else seconds)

    with Impatient(2) as pool:
        result = search(tmp_path / "run", settings, pool, job=fakes.faulty_trial)
    found = {line["expression"]: line for line in lines(tmp_path / "run")}
    failures = {name: found[text]["outcome"]["failure"] for name, text in fakes.FAULTS.items()}
    assert {name: (failure["kind"], failure["message"]) for name, failure in failures.items()} == {
        "raise": ("crashed", "ZeroDivisionError: by zero"),
        "none": ("crashed", "the job gave no reply"),
        "hang": ("timed out", "stopped after 1 s"),
        "kill": ("crashed", "the worker was killed (perhaps for lack of memory)"),
    }
    for name, text in fakes.FAULTS.items():
        line = found[text]
        assert line["fitness"] is None, name
        assert line["outcome"]["seed"] == line["seed"]
        assert line["outcome"]["data"] == found["p**3 + sqrt(3.985*y/p)"]["outcome"]["data"]
    assert {tuple(line["parents"]) for line in lines(tmp_path / "run")[5:]} <= {(4,), (4, 4)}
    assert result.failed >= 4


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


class Clock:
    """A clock that goes on when a job runs, and jumps between sessions."""

    def __init__(self, job: Callable[[Any], Any]) -> None:
        self.now, self._job = 1000.0, job

    def job(self, job: Any) -> Any:
        self.now += 10.0
        return self._job(job)

    def time(self) -> SimpleNamespace:
        return SimpleNamespace(monotonic=lambda: self.now, process_time=lambda: 0.0)


@pytest.mark.parametrize(("minutes", "trials"), [(0.001, 1), (0.5, 4), (1.1, 7), (1.5, 10)])
@pytest.mark.parametrize("interrupted", [False, True])
def test_minutes_end_a_search_as_a_number_of_trials_would(
    minutes: float,
    trials: int,
    interrupted: bool,
    tmp_path: Path,
    config: SearchConfig,
    search: Search,
    fakes: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(fakes.trial)
    monkeypatch.setattr(run_module, "time", clock.time())
    timed = config.model_copy(update={"minutes": minutes, "trials": None})
    if interrupted:
        for _ in range(trials + 2):  # a result a session, the last two in the last round

            def interrupt(progress: Progress) -> None:
                assert (progress.total is None) == (progress.phase == "search")
                raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                search(tmp_path / "timed", timed, job=clock.job, on_progress=interrupt)
            clock.now = hash_of(clock.now)
        assert len(lines(tmp_path / "timed", "final")) == 2
    result = search(tmp_path / "timed", timed, job=clock.job)
    assert result.trials == trials
    search(tmp_path / "counted", config.model_copy(update={"trials": trials}))
    assert contents(tmp_path / "timed") == contents(tmp_path / "counted")


def hash_of(number: float) -> float:
    return hashlib.sha256(repr(number).encode()).digest()[0] * 1000.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": None}, "trials or minutes must be given"),
        ({"elites": 5}, r"elites: must be fewer than the population \(5\), got 5"),
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


def test_where_no_other_loss_is_left_the_last_round_begins(
    tmp_path: Path, config: SearchConfig, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evolve, "PROPOSALS", 200)
    small = {"max_size": 5, "max_depth": 3, "guesses": ("p - 2*y*p",), "trials": 500, "crossover": 1.0}
    result = search(tmp_path / "run", config.model_copy(update=small))
    assert 1 <= result.trials < 500
    assert {entry["name"] for entry in result.hall_of_fame} == {None, "ganetic", "hinge"}
