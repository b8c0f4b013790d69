"""``ganetics search``: one small search, gone on with in all the right and wrong ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

WHOLE = ("archive.jsonl", "config.json", "hall_of_fame.json", "reference.json")


def test_a_search_prints_one_object_and_leaves_its_files(search_run: Any) -> None:
    found = search_run.ended.json
    assert set(found) == {"run", "trials", "failed", "best", "hall_of_fame", "report"}
    assert found["trials"] == 4
    assert set(found["best"]) >= {"expression", "name", "complexity", "objectives", "best_rate"}
    files = search_run.files()
    assert {*WHOLE, "timings.jsonl", "environment.json", "report.html"} <= set(files)
    assert found["best"].items() <= json.loads(files["hall_of_fame.json"])[0].items()
    assert set(json.loads(files["reference.json"])) == {"floor", "floor_n"}
    lines = [json.loads(line) for line in files["archive.jsonl"].splitlines()]
    # one finalist and three rivals, at three rates
    assert [line["kind"] for line in lines] == ["trial"] * 4 + ["final"] * 12
    assert lines[0]["expression"] == "(p - y)**2"
    config = json.loads(files["config.json"])
    settings = ("seed", "trials", "population", "finalists", "final_seeds", "guesses")
    assert [config[name] for name in settings] == [3, 4, 4, 1, 1, ["(p - y)**2"]]
    assert config["recipe"]["steps"] == 10


def test_a_finished_search_gone_on_with_takes_its_settings_from_the_run_and_stays_as_it_is(
    search_run: Any, command: Any
) -> None:
    before = search_run.files()
    again = command("search", search_run.path, "--resume", "--workers", 1, "--json")
    assert again.json == search_run.ended.json
    assert {name: search_run.files()[name] for name in WHOLE} == {name: before[name] for name in WHOLE}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--resume", "--seed", 4], "it holds another configuration: seed is 3 there, got 4"),
        (["--resume", "--population", 5], "it holds another configuration: population is 4 there, got 5"),
        (["--trials", 4], "run folder {run}: it holds "),
    ],
)
def test_a_search_is_neither_changed_nor_begun_again(
    options: list[Any], told: str, search_run: Any, command: Any
) -> None:
    before = search_run.files()
    ended = command("search", search_run.path, *options, "--workers", 1)
    assert ended.status == 2
    assert told.format(run=search_run.path) in ended.complaint
    assert search_run.files() == before


def test_a_search_is_no_training_run(search_run: Any, command: Any) -> None:
    ended = command("train", search_run.path, "--resume")
    assert (ended.status, ended.complaint) == (2, f"{search_run.path}: holds a search, not a training run")
