"""``ganetics train``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_a_run_prints_one_object_and_leaves_its_files(train_run: Any) -> None:
    found = train_run.ended.json
    assert (found["loss"], found["seed"], found["step"], found["failure"]) == ("least-squares", 3, 10, None)
    files = train_run.files()
    assert {"config.json", "history.jsonl", "metrics.json", "samples/step-000010.png"} <= set(files)
    assert found["metrics"] == json.loads(files["metrics.json"])["outcome"]["metrics"]
    assert json.loads(files["config.json"])["recipe"]["learning_rate"] == 0.001


def test_a_finished_run_gone_on_with_takes_its_settings_from_the_folder_and_stays_as_it_is(
    train_run: Any, command: Any
) -> None:
    before = train_run.files()
    assert command("train", train_run.path, "--resume", "--json").json == train_run.ended.json
    assert train_run.files() == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--resume", "--seed", 4], "it holds another configuration: seed is 3 there, got 4"),
        (["--resume", "--loss", "hinge"], "loss is 'least-squares' there, got 'hinge'"),
        (["--steps", 10], "run folder {run}: it holds "),
    ],
)
def test_a_run_is_neither_changed_nor_begun_again(options: list[Any], told: str, train_run: Any, command: Any) -> None:
    before = train_run.files()
    ended = command("train", train_run.path, *options)
    assert ended.status == 2
    assert told.format(run=train_run.path) in ended.complaint
    assert train_run.files() == before


def test_a_loss_that_diverges_is_told_and_the_exit_status_is_1(command: Any, tmp_path: Path) -> None:
    ended = command("train", tmp_path / "run", "--steps", 10, "--rate", 1e30, "--json")
    assert ended.status == 1
    found = json.loads(ended.out)
    assert found["metrics"] is None
    assert found["failure"]["kind"] == "diverged"


@pytest.mark.parametrize("arguments", [("search", "{run}", "--resume"), ("report", "{run}")], ids=["search", "report"])
def test_a_training_run_is_no_search(arguments: tuple[str, ...], train_run: Any, command: Any) -> None:
    ended = command(*(argument.format(run=train_run.path) for argument in arguments))
    assert (ended.status, ended.complaint) == (2, f"{train_run.path}: holds a training run, not a search")
