"""What stands beside the figures, held to the runs and to the command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ganetics.cli import main
from ganetics.cli import search as command_line
from ganetics.data import resolved
from ganetics.execution import InProcessExecutor, RunFolder
from ganetics.report.search_facts import beyond_command, climbing, command, levels, standing, totals
from ganetics.report.search_run import SearchRun, read_search
from ganetics.search import run_search
from ganetics.search.config import Rung, SearchConfig
from ganetics.search.ladder import ladder
from ganetics.trial import TrialJob, TrialReply

from .conftest import CONFIG, TRIALS, archive_of, change_archive, made_up


@pytest.fixture(scope="module")
def read(finished: Path) -> SearchRun:
    return read_search(finished)


def test_cost_is_that_of_the_jobs_of_a_search(tmp_path: Path) -> None:
    """A worker that keeps states as the search asks for counts the steps it makes, for each candidate and rung."""
    made: dict[str, int] = {}
    steps: list[int] = []

    def job(one: TrialJob) -> TrialReply:
        until = one.until or one.recipe.steps
        steps.append(until - (made.get(one.state, 0) if one.state else 0))
        if one.state and until < one.recipe.steps:
            made[one.state] = until
        reply = made_up(one)
        return TrialReply(reply.outcome.model_copy(update={"metrics": {"fid": 9.0}, "failure": None}), None)

    rungs = (
        Rung(steps=50),
        Rung(steps=150, seeds=2, rates=(1.0, 2.0)),
        Rung(steps=300, seeds=2, rates=(1.0, 2.0), samples=500),
        Rung(steps=300, seeds=3, rates=(0.5, 1.0, 2.0)),
    )
    config = CONFIG.model_copy(update={"rungs": rungs, "lag": 1, "promote": 0.9, "finalists": 0, "rivals": ()})
    with RunFolder(tmp_path / "run") as run, InProcessExecutor() as executor:
        run.begin(config.model_dump(mode="json"), resume=False)
        run_search(run, config, executor, job=job)
    lines = archive_of(tmp_path / "run")
    first = min(line["candidate"] for line in lines if line["rung"] == 3)
    assert climbing(rungs) == [
        sum(steps[line["index"]] for line in lines if (line["candidate"], line["rung"]) == (first, rung))
        for rung in range(4)
    ]


def test_runs_that_were_made_again_cost_twice(run: Path) -> None:
    before = levels(read_search(run))
    with (run / "timings.jsonl").open("a") as file:
        for line in ({"kind": "trial", "index": 0}, {"kind": "final", "index": 0}, {"kind": "trial", "index": 10**6}):
            file.write(json.dumps({**line, "cpu_seconds": 1000.0}) + "\n")
    after = levels(read_search(run))
    more = [(two.cpu_seconds or 0) - (one.cpu_seconds or 0) for one, two in zip(before, after, strict=True)]
    assert more == pytest.approx([1000.0, 0.0, 0.0, 0.0, 1000.0])


def test_levels_before_anything_was_timed(run: Path) -> None:
    change_archive(run, lambda lines: lines[:1], ended=False)
    (run / "timings.jsonl").unlink()
    found = levels(read_search(run))
    assert [level.name for level in found] == ["rung 1", "rung 2", "rung 3", "rung 4"]
    assert [(level.losses, level.runs) for level in found] == [(1, 1), (0, 0), (0, 0), (0, 0)]
    assert [level.cpu_seconds for level in found] == [None] * 4


def test_standing(read: SearchRun) -> None:
    assert standing(read) is None
    seconds = ({"kind": "trial", "elapsed_seconds": 600.0},)
    counts = f"{len(read.candidates)} candidates, {len(read.front)} on the front"
    running = replace(read, finished=False, contenders=(), timings=seconds)
    assert standing(running) == f"{TRIALS} of {TRIALS} trials, {counts}, 10.0 min so far"
    clock = CONFIG.model_copy(update={"trials": None, "minutes": 90.0})
    assert standing(replace(running, config=clock)) == f"{TRIALS} trials, {counts}, 10.0 min of 90 min so far"
    last = replace(running, config=clock, contenders=read.contenders)
    assert standing(last) == f"{TRIALS} trials, {counts}, last round: {read.finals} runs, 10.0 min so far"
    empty = replace(running, trials=(), candidates=(), timings=())
    assert standing(empty) == f"0 of {TRIALS} trials, 0 candidates, 0 on the front"


def test_totals_count_what_the_archive_holds(read: SearchRun, finished: Path) -> None:
    lines = archive_of(finished)
    births = [line["born"] for line in lines if "born" in line]
    trained, _, rejected = (dict(rows) for _, rows in totals(read))
    assert trained["losses (candidates)"].startswith(f"{len(births)} (")
    assert f"guess {sum(born['origin'] == 'guess' for born in births)}" in trained["losses (candidates)"]
    assert trained["training runs (trials)"] == f"{TRIALS}"
    assert trained["finished the last rung"] == f"{len(read.complete)}, {len(read.front)} of them on the front"
    trees = sum(sum(born["rejected"].values()) for born in births)
    assert rejected["trees"] == f"{trees:,}"
    assert sum(int(count.replace(",", "")) for name, count in rejected.items() if name != "trees") == trees > 0


def test_a_session_that_was_killed_does_not_count_as_one_that_took_no_time(read: SearchRun) -> None:
    drivers = [line for line in read.timings if line["kind"] == "driver"]
    (driver,) = drivers
    jobs = [{**line, "cpu_seconds": 1.0} for line in read.timings if line["kind"] != "driver"]
    trained = sum(line["cpu_seconds"] for line in jobs)
    assert read.elapsed is not None
    half = {**driver, "workers": 2, "cpu_seconds": 0.01 * trained, "wall_seconds": read.elapsed / 2}
    cost = dict(dict(totals(replace(read, timings=(*jobs, half))))["Cost"])
    assert cost["the search itself"].endswith("of sessions that were not killed, 2 % of all")


def test_what_the_machine_may_have_decided_is_told(read: SearchRun) -> None:
    assert "repetition" not in dict(totals(read)[0][1])
    lost = replace(read.trials[0], fid=None, failure="timed out")
    rows = dict(totals(replace(read, trials=(lost, *read.trials[1:])))[0][1])
    assert rows["repetition"].startswith("not promised to give the same: 1 (timed out")


class Captured(Exception):  # noqa: N818 - it is no error
    """The settings that a command line comes to."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings


LADDER = ladder(CONFIG.recipe)


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        pytest.param(
            {},
            {"--mode", "--lag 8", "--plateau", "--minutes", "--toy-gate", "--accept-audit"},
            id="rungs and lag of its own",
        ),
        pytest.param(
            {"mode": "separate", "rungs": LADDER, "lag": 8, "trials": None, "plateau": 40},
            {"--rungs", "--lag", "--trials", "--minutes"},
            id="separate, until it gets no better",
        ),
        pytest.param(
            {"guesses": ("non-saturating", "p**3 + sqrt(y/p)"), "seed": 0, "plateau": 7}, {"--mode"}, id="guesses"
        ),
        pytest.param({"trials": None, "minutes": 5.0}, {"--minutes"}, id="by the clock"),
        pytest.param({"rivals": ()}, {"--rival"}, id="no rivals"),
        pytest.param({"toy_gate": True, "accept_audit": True, "groups": r"p\d+"}, {"--mode"}, id="gate, audit, groups"),
    ],
)
def test_the_command_comes_to_the_same_configuration(
    read: SearchRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], absent: set[str]
) -> None:
    config = SearchConfig(**{**CONFIG.model_dump(), "dataset": str(tmp_path / "it's here"), **changes})
    text = command(replace(read, config=config, trials=read.trials[:70]))
    assert str(tmp_path) not in text  # the page is there to be published
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it's here").mkdir()
    assert not any(option in text for option in absent)

    def prepared(dataset: str, _: Path | None, recipe: Any, settings: Mapping[str, Any], **_further: Any) -> None:
        raise Captured({"dataset": resolved(dataset), "recipe": recipe, **settings})

    monkeypatch.setattr(command_line, "checked", lambda *_, **__: None)  # there are no such images to audit
    monkeypatch.setattr(command_line, "prepared", prepared)
    with pytest.raises(Captured) as caught:
        main.app(shlex.split(text)[1:], standalone_mode=False)
    facts = {name: getattr(CONFIG, name) for name in ("data", "reference", "extractor")}
    found = SearchConfig(**{**caught.value.settings, **facts})
    counted = {"trials": 70, "minutes": None} if config.minutes else {}
    beyond = {name: getattr(found, name) for name in beyond_command(config)}
    assert found == config.model_copy(update={**counted, **beyond})
    assert set(beyond) == {"promote", *(() if config.rivals else ("rivals",))}
