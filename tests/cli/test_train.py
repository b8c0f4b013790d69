"""``ganetics train``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganetics import trial


def test_a_run_prints_one_object_and_leaves_its_files(train_run: Any) -> None:
    found = train_run.ended.json
    assert (found["loss"], found["seed"], found["step"], found["failure"]) == ("least-squares", 3, 10, None)
    files = train_run.files()
    assert {"config.json", "history.jsonl", "metrics.json", "samples/step-000010.png", "report.html"} <= set(files)
    assert found["metrics"] == json.loads(files["metrics.json"])["outcome"]["metrics"]
    assert json.loads(files["config.json"])["recipe"]["learning_rate"] == 0.001


def test_a_finished_run_gone_on_with_takes_its_settings_from_the_folder_and_stays_as_it_is(
    train_run: Any, command: Any
) -> None:
    before = train_run.files()
    again = command("train", train_run.path, "--resume", "--json")
    assert again.json == train_run.ended.json
    assert f"{train_run.path}: had ended already, nothing was trained; more --steps go on with it" in again.err
    assert "had ended already" not in train_run.ended.err
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


def test_another_dataset_is_refused_before_it_is_read(
    train_run: Any, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be read, or fetched")

    monkeypatch.setattr(trial, "load_trial_data", load)
    ended = command("train", train_run.path, "--resume", "--dataset", "mnist")
    told = f"run folder {train_run.path}: it holds another configuration: dataset is 'digits' there, got 'mnist'"
    assert (ended.status, ended.complaint) == (2, told)


def test_images_may_have_moved_when_it_is_gone_on_with(command: Any, gray_images: Path, tmp_path: Path) -> None:
    run, moved = tmp_path / "run", tmp_path / "elsewhere" / "images"
    given = ("--dataset", gray_images, "--groups", r"p(\d+)_", "--recipe", "digits", "--steps", 2)
    assert command("train", run, *given).status == 0
    before = json.loads((run / "config.json").read_text())
    moved.parent.mkdir()
    gray_images.rename(moved)
    lost = command("train", run, "--resume", "--steps", 3)
    assert (lost.status, lost.complaint[: len(str(gray_images)) + 2]) == (2, f"{gray_images}: ")
    found = command("train", run, "--resume", "--steps", 3, "--dataset", moved, "--json")
    assert (found.status, found.json["step"]) == (0, 3)
    before["recipe"]["steps"] = 3
    after = json.loads((run / "config.json").read_text())
    assert after["dataset"] == before["dataset"] == str(gray_images)
    assert (after["data"], after["groups"]) == (before["data"], before["groups"])
    # others are refused, even of the same name and number
    for file in moved.rglob("*.png"):
        Image.eval(Image.open(file), lambda value: 255 - value).save(file)
    other = command("train", run, "--resume", "--steps", 4, "--dataset", moved)
    assert other.status == 2
    assert "another configuration: data.sha256 is " in other.err
    named = command("train", run, "--resume", "--dataset", "mnist")
    assert f"dataset is '{gray_images}' there, got 'mnist'" in named.complaint


def test_the_loss_may_be_one_of_a_file(command: Any, tmp_path: Path) -> None:
    file = tmp_path / "losses.txt"
    file.write_text("hinge\nmine=p**3 + y/p+r1:2\n")
    given = ["--steps", 1, "--loss", f"@{file}#2+r2:1"]
    assert command("train", tmp_path / "run", *given, "--json").json["loss"] == "p**3 + y/p"
    penalties = json.loads((tmp_path / "run/config.json").read_text())["recipe"]["penalties"]
    assert [(one["kind"], one["weight"]) for one in penalties] == [("r2", 1.0), ("r1", 2.0)]
    ended = command("train", tmp_path / "another", "--loss", f"@{file}#3")
    assert (ended.status, ended.complaint) == (2, f"loss: {file} has 2 lines, #N must be one of them, got #3")
    ended = command("train", tmp_path / "another", "--loss", f"@{file}")
    assert (ended.status, ended.complaint) == (
        2,
        f"loss: {file} must hold one loss, got 2: pick line N as @{file}#N",
    )


def test_a_loss_that_diverges_is_told_and_the_exit_status_is_1(command: Any, tmp_path: Path) -> None:
    ended = command("train", tmp_path / "run", "--steps", 10, "--rate", 1e30, "--json")
    assert ended.status == 1
    found = json.loads(ended.out)
    assert found["metrics"] is None
    assert found["failure"]["kind"] == "diverged"
    assert "--rate 3e+29" in found["advice"]
    ended = command("train", tmp_path / "run", "--resume")
    assert (ended.status, ended.err) == (1, "")
    assert " ".join(ended.out.split()).endswith(found["advice"])


def test_the_baseline_is_the_loss_that_the_model_was_published_with(command: Any, tmp_path: Path) -> None:
    given = ["--steps", 1, "--loss", "baseline+r1:0.5/4", "--augment", "diffaugment", "--rate-half-life", 100]
    found = command("train", tmp_path / "run", *given, "--ema-half-life", 500, "--device", "auto", "--json").json
    assert found["loss"] == "non-saturating"
    recipe = json.loads((tmp_path / "run/config.json").read_text())["recipe"]
    assert recipe["penalties"] == [{"every": 4, "kind": "r1", "weight": 0.5}]
    assert (recipe["augment"], recipe["rate_half_life"], recipe["ema_half_life"]) == ("diffaugment", 100, 500)
    # said again when it is gone on with, it is the same
    assert command("train", tmp_path / "run", "--resume", "--loss", "baseline+r1:0.5/4", "--json").json == found


def test_a_finished_run_goes_on_with_more_steps(command: Any, tmp_path: Path) -> None:
    given = ["--steps", 50, "--patience", 2, "--evaluate-every", 50]
    assert command("train", tmp_path / "run", *given, "--json").json["stopped"] == 50
    ended = command("train", tmp_path / "run", "--resume", "--steps", 100)
    assert ended.status == 0, ended.err
    assert "the best of the evaluations up to step 100" in " ".join(ended.out.split())
    assert len((tmp_path / "run/evaluations.jsonl").read_text().splitlines()) == 2
    ended = command("train", tmp_path / "run", "--resume", "--steps", 50)
    assert (ended.status, "recipe.steps is 100 there, got 50" in ended.complaint) == (2, True)


def test_classes_are_learnt_and_asked_for_by_name(command: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert command("train", run, "--steps", 2, "--conditional", "--json").status == 0
    config = json.loads((run / "config.json").read_text())
    assert (config["classes"], config["recipe"]["classes"]) == ([str(digit) for digit in range(10)], 10)
    assert command("sample", run, "--out", tmp_path / "7", "--class", "7", "--count", 3, "--json").json["files"] == 3
    ended = command("sample", run, "--out", tmp_path / "x", "--class", "seven")
    assert (ended.status, ended.complaint[:21]) == (2, "unknown class 'seven'")


def test_without_classes_there_is_none_to_ask_for(train_run: Any, command: Any, tmp_path: Path) -> None:
    ended = command("sample", train_run.path, "--out", tmp_path / "out", "--class", "7")
    assert (ended.status, "was trained without classes, got '7'" in ended.complaint) == (2, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--device", "gpu"], "device must be cpu, cuda or auto, got 'gpu'"),
        (["--devices", 3], "batches must be a multiple of the 3 devices, got batches of 32"),
        (["--conditional", "--dataset", "{flat}"], "conditional: images must be of at least 2 classes"),
        (["--loss", "hinge+r3:1"], "loss: 'hinge+r3:1': penalty 'r3': kind: "),
        (["--patience", 1, "--steps", 70], "steps must be a multiple of evaluate_every (500)"),
        (["--recipe", "paper", "--dataset", "digits"], "image size of digits must be 8, got 32"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(options: list[Any], told: str, command: Any, tmp_path: Path) -> None:
    if "--devices" in options:
        pytest.importorskip("lightning_fabric")
    pixels = np.random.default_rng(0).integers(0, 256, (60, 32, 32), dtype=np.uint8)
    (tmp_path / "flat").mkdir()
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / "flat" / f"{number}.png")
    ended = command("train", tmp_path / "run", *(str(option).format(flat=tmp_path / "flat") for option in options))
    assert (ended.status, told in ended.err) == (2, True), ended.err


def test_a_training_run_is_no_search(train_run: Any, command: Any) -> None:
    ended = command("search", train_run.path, "--resume")
    assert (ended.status, ended.complaint) == (2, f"{train_run.path}: holds a training run, not a search")
