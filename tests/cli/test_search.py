"""``ganetics search``: one small search, gone on with in all the right and wrong ways."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ganetics._check import InputError
from ganetics.cli.losses_given import losses_in

WHOLE = ("archive.jsonl", "config.json", "hall_of_fame.json", "reference.json")


def test_a_search_prints_one_object_and_leaves_its_files(search_run: Any) -> None:
    found = search_run.ended.json
    assert set(found) == {"run", "trials", "candidates", "failed", "best", "hall_of_fame", "report"}
    assert (found["trials"], found["candidates"]) == (4, 4)
    assert set(found["best"]) >= {"expression", "name", "complexity", "objectives", "best_rate"}
    files = search_run.files()
    assert {*WHOLE, "timings.jsonl", "environment.json", "report.html"} <= set(files)
    assert found["best"].items() <= json.loads(files["hall_of_fame.json"])[0].items()
    assert set(json.loads(files["reference.json"])) == {"floor", "floor_n"}
    lines = [json.loads(line) for line in files["archive.jsonl"].splitlines()]
    # one finalist and four rivals, at three rates
    assert [line["kind"] for line in lines] == ["trial"] * 4 + ["final"] * 15
    assert lines[0]["born"]["expression"] == "(p - y)**2"
    config = json.loads(files["config.json"])
    settings = ("seed", "trials", "population", "finalists", "final_seeds", "guesses", "mode", "lag")
    assert [config[name] for name in settings] == [3, 4, 4, 1, 1, ["(p - y)**2"], "tied", 8]
    assert config["recipe"]["steps"] == 10
    assert [rung["steps"] for rung in config["rungs"]] == [1, 5, 10, 10]


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
        (["--resume", "--mode", "separate"], "it holds another configuration: mode is 'tied' there, got 'separate'"),
        (["--resume", "--minutes", 1], "it holds another configuration: minutes is None there, got 1.0"),
        (["--resume", "--rival", "hinge"], "it holds another configuration: rivals is ["),
        (["--resume", "--rungs", "10x1"], "it holds another configuration: rungs is ["),
        (["--resume", "--steps", 11], "the last rung must have the recipe's 11 steps"),
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


def test_a_search_begins_with_the_losses_of_another_in_the_other_mode(
    search_run: Any, command: Any, tmp_path: Path
) -> None:
    fame = search_run.path / "hall_of_fame.json"
    options = [
        *("--mode", "separate", "--guess", "hinge", "--warm-start", fame, "--trials", 5, "--lag", 1, "--steps", 10),
        *("--rungs", "5x1:50,10x1@0.5/1", "--finalists", 0, "--final-seeds", 1, "--workers", 2, "--memory-mib", 800),
    ]
    ended = command("search", tmp_path / "run", *options, "--plateau", 100, "--json")
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["guesses"] == ["hinge", *losses_in(fame)]
    assert (config["mode"], config["lag"], config["plateau"]) == ("separate", 1, 100)
    assert config["rungs"] == [
        {"steps": 5, "seeds": 1, "rates": [1.0], "samples": 50},
        {"steps": 10, "seeds": 1, "rates": [0.5, 1.0], "samples": None},
    ]
    lines = [json.loads(line) for line in (tmp_path / "run/archive.jsonl").read_text().splitlines()]
    births = [line["born"] for line in lines if "born" in line]
    assert len(births) == ended.json["candidates"]
    assert {birth["origin"] for birth in births} == {"guess"}
    assert all(birth["expression"].startswith("real: ") for birth in births)
    assert "ganetics: workers wait for one another with a lag below 4 for each, got 2 and 1\n" in ended.err


def test_losses_to_begin_with_are_read_from_a_hall_of_fame_or_a_text(search_run: Any, tmp_path: Path) -> None:
    fame = json.loads(search_run.files()["hall_of_fame.json"])
    found = losses_in(search_run.path / "hall_of_fame.json")
    assert found == [entry["name"] or entry["expression"] for entry in fame]
    assert {"ganetic", "least-squares", "non-saturating"} < set(found)
    text = tmp_path / "losses.txt"
    text.write_text("# the best\nhinge\n\n  p**3 + sqrt(4*y/p)  # GANetic\nreal: -x; fake: x; generator: -x\n")
    assert losses_in(text) == ["hinge", "p**3 + sqrt(4*y/p)", "real: -x; fake: x; generator: -x"]


@pytest.mark.parametrize("text", ["", "{", "5", "null", '{"name": "hinge"}', '["hinge"]', '[{"name": null}]', "[[]]"])
def test_json_that_is_no_hall_of_fame_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "fame.json"
    file.write_text(text)
    with pytest.raises(InputError, match=rf"^warm start: {file} must be a hall_of_fame\.json, a list of losses$"):
        losses_in(file)


def test_without_ray_the_line_says_what_to_install(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "ganetics.execution.ray", raising=False)
    ended = command("search", tmp_path / "run", "--executor", "ray", "--trials", 1)
    assert (ended.status, ended.complaint) == (
        2,
        "ray is not installed: jobs on a cluster need it: pip install 'ganetics[cluster]'",
    )
    assert not (tmp_path / "run").exists()


def test_a_search_that_cannot_be_leaves_nothing(command: Any, tmp_path: Path) -> None:
    ended = command("search", tmp_path / "run", "--trials", 4, "--rival", "hinj")
    assert (ended.status, ended.complaint) == (2, "unknown rival 'hinj', nearest: hinge, ra-hinge")
    assert not (tmp_path / "run").exists()
