"""States on the way up: whoever goes on from one comes to the same as whoever begins again, and none is left lying."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ganetics.execution import Completed, InProcessExecutor, Log
from ganetics.execution.executor import Job, measured
from ganetics.search import Progress, SearchResult
from ganetics.search import run as run_module
from ganetics.search.config import SearchConfig
from ganetics.search.evolve import Search as State
from ganetics.trial import TrialJob, TrialReply, advance, run_job

Search = Callable[..., SearchResult]
COMPARED = ("archive.jsonl", "hall_of_fame.json")


def test_runs_of_a_loss_on_a_seed_share_a_state_and_no_others(
    config: SearchConfig, tmp_path: Path, search: Search, fakes: ModuleType
) -> None:
    asked: dict[str, set[tuple[str, int, float]]] = {}
    steps: dict[str, list[int]] = {}
    without: list[TrialJob] = []

    def job(job: TrialJob) -> TrialReply:
        if job.state is None:
            without.append(job)
        else:
            asked.setdefault(job.state, set()).add((job.loss, job.seed, job.recipe.learning_rate))
            steps.setdefault(job.state, []).append(job.until or 0)
        reply: TrialReply = fakes.trial(job)
        return reply

    search(tmp_path / "run", job=job)
    assert all(len(runs) == 1 for runs in asked.values())
    assert len({run for runs in asked.values() for run in runs}) == len(asked) > 10
    assert all(found == sorted(found) for found in steps.values())
    assert max(map(len, steps.values())) >= 3
    assert {path.parents[1] for path in map(Path, asked)} == {tmp_path / "run" / "states"}
    # of another rate, or of the last round
    assert {job.recipe.learning_rate for job in without if job.until} == {0.5 * config.recipe.learning_rate}
    assert sum(job.until is None for job in without) == 16
    assert all(job.samples == (50 if job.until == 10 else None) for job in without)


def test_where_nobody_goes_on_no_state_is_asked_for(
    config: SearchConfig, tmp_path: Path, search: Search, fakes: ModuleType
) -> None:
    flat = SearchConfig.model_validate({**config.model_dump(), "trials": 8, "rungs": [{"steps": 40, "samples": 20}]})
    states = []
    search(tmp_path / "run", flat, job=lambda job: (states.append(job.state), fakes.trial(job))[1])
    assert set(states) == {None}


def test_states_are_removed_that_nobody_is_expected_to_go_on_from(
    config: SearchConfig, tmp_path: Path, search: Search, fakes: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[State] = []
    restored = run_module.restored
    monkeypatch.setattr("ganetics.search.states.TIDY_EVERY", 1)
    monkeypatch.setattr(run_module, "restored", lambda *a, **o: seen.append(restored(*a, **o)) or seen[-1])
    wide = SearchConfig.model_validate({**config.model_dump(), "promote": 0.1, "lag": 2, "trials": 60})
    states = tmp_path / "run" / "states"
    (states / "kept").mkdir(parents=True)  # somebody else's
    removed: set[int] = set()
    kept = 0

    def look(progress: Progress) -> None:
        nonlocal kept
        if progress.phase == "search":
            there = {int(path.name) for path in states.iterdir() if path.name != "kept"}
            hopeless = {one.number for one in seen[0].candidates if seen[0].hopeless(one)}
            assert there == {trial.candidate.number for trial in seen[0].trials} - hopeless - removed
            removed.update(hopeless)
            kept = max(kept, len(there))

    search(tmp_path / "run", wide, job=fakes.trial_with_state, on_progress=look)
    assert len(removed) > 10
    assert kept > 5
    assert not states.exists()


class Threads(InProcessExecutor):
    """Runs jobs in threads: one that has begun cannot be cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(8)

    def submit(self, function: Job, argument: Any, *, seconds: float | None) -> Future[Completed]:
        return self._threads.submit(measured, function, argument)

    def close(self) -> None:
        self._threads.shutdown()
        super().close()


def test_where_the_clock_ends_a_search_no_state_comes_after_it(
    config: SearchConfig, tmp_path: Path, search: Search, fakes: ModuleType
) -> None:
    """The guess is there at once, and ends the search; the others then are at work."""
    short = config.model_copy(update={"trials": None, "minutes": 1e-9, "finalists": 0, "rivals": ()})
    with Threads() as executor:
        result = search(tmp_path / "run", short, executor, job=fakes.late_trial_with_state)
        assert (result.trials, result.candidates) == (1, 1)
        assert not (tmp_path / "run" / "states").exists()
    assert not (tmp_path / "run" / "states").exists()


def test_elsewhere_states_lie_in_a_temporary_folder_of_this_run_and_no_other(
    config: SearchConfig, tmp_path: Path, search: Search, fakes: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    class Elsewhere(InProcessExecutor):
        shares_files = False

    def folders(run: str, settings: SearchConfig) -> set[Path]:
        asked: set[str | None] = set()
        with Elsewhere() as executor:
            search(tmp_path / run, settings, executor, job=lambda job: (asked.add(job.state), fakes.trial(job))[1])
        return {Path(state).parents[1] for state in asked if state}

    short = config.model_copy(update={"trials": 8, "finalists": 0, "rivals": ()})
    first, second = folders("one", short), folders("two", short)
    shutil.rmtree(tmp_path / "one")
    third = folders("one", short.model_copy(update={"dataset": "other"}))
    assert len(first) == len(second) == len(third) == 1
    assert len(first | second | third) == 3
    assert {folder.parent for folder in first} == {tmp_path}


def spoil(folder: Path, chance: random.Random) -> None:
    """Do to the states in a folder what a crash, a full disk or a careless hand may do."""
    states = sorted(path.parent for path in folder.rglob("state.json"))
    for state in states:
        match chance.randrange(7):
            case 0:
                shutil.rmtree(state)
            case 1:
                (state / "state.json").write_text("{")
            case 2:
                tensors = next(state.glob("*.safetensors"))
                tensors.write_bytes(tensors.read_bytes()[: chance.randrange(5000)])
            case 3:  # another seed's, or another loss's
                other = chance.choice(states)
                if other.exists() and other != state:
                    shutil.rmtree(state)
                    shutil.copytree(other, state)


def test_states_that_are_missing_damaged_or_anothers_change_nothing(
    real: Path, digits: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[int, int]] = []

    def counted(state: Any, *arguments: Any, until: int, **options: Any) -> Any:
        steps.append((state.step, until))
        return advance(state, *arguments, until=until, **options)

    monkeypatch.setattr("ganetics.trial.job.advance", counted)
    chance = random.Random(0)
    with InProcessExecutor() as executor:
        digits.search(
            tmp_path / "run", executor, digits.config(), on_progress=lambda _: spoil(tmp_path / "run/states", chance)
        )
    for name in COMPARED:
        assert (tmp_path / "run" / name).read_bytes() == (real / name).read_bytes()
    climbing = [begun for begun, until in steps[: digits.TRIALS] if until == 30]
    assert {0, 15} <= set(climbing)
    assert not (tmp_path / "run" / "states").exists()


def test_promoted_runs_come_to_what_they_would_in_one_piece(real: Path, digits: ModuleType, monkeypatch: Any) -> None:
    trials = [line for line in Log(real / "archive.jsonl").read() if line["kind"] == "trial"]
    assert sum(line["rung"] == 1 for line in trials) >= 3
    assert {line["rung"] for line in trials} == {0, 1, 2}
    assert not (real / "states").exists()
    # trained in one piece they come to the same
    texts = {line["candidate"]: line["born"]["expression"] for line in trials if "born" in line}
    for line in [line for line in trials if line["rung"] > 0][:3]:
        job = TrialJob(texts[line["candidate"]], digits.RECIPE.at_rate(line["rate"]), "digits", None, line["seed"])
        with InProcessExecutor() as executor:
            job = replace(job, shared=executor.share(digits.data()))
            reply = executor.submit(run_job, job, seconds=None).result().value
        assert reply.outcome.model_dump(mode="json") == line["outcome"]


def test_a_search_in_separate_mode_with_guesses_of_both_kinds(digits: ModuleType, tmp_path: Path) -> None:
    settings = digits.config(
        mode="separate", guesses=("ganetic", "hinge"), trials=10, rungs=[{"steps": 5, "samples": 50}, {"steps": 30}],
        finalists=1, final_seeds=1, final_rates=(1.0,), rivals=("relativistic-average",),
    )  # fmt: skip
    with InProcessExecutor() as executor:
        digits.search(tmp_path / "run", executor, settings)
    lines = Log(tmp_path / "run/archive.jsonl").read()
    births = [line["born"] for line in lines if "born" in line]
    assert births[1]["expression"] == "real: relu(1 - x); fake: relu(1 + x); generator: -x"
    assert births[0]["expression"].startswith("real: sigmoid(x)**3 + ")
    assert all(birth["expression"].startswith("real: ") for birth in births)
    assert {line["rung"] for line in lines if line["kind"] == "trial"} == {0, 1}
    fame = json.loads((tmp_path / "run/hall_of_fame.json").read_bytes())
    assert len(fame) == 2
    assert sum(entry["expression"].startswith("real: ") for entry in fame) == 1


def test_a_state_that_cannot_be_saved_is_no_failure(
    real: Path, digits: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganetics.trial.job.checkpoint", SimpleNamespace(save=save, exists=lambda _: False))
    cut = digits.config().model_copy(update={"trials": 6, "finalists": 0, "rivals": ()})
    with InProcessExecutor() as executor:
        digits.search(tmp_path / "run", executor, cut)
    whole = (real / "archive.jsonl").read_bytes().splitlines(keepends=True)
    assert (tmp_path / "run/archive.jsonl").read_bytes() == b"".join(whole[:6])
