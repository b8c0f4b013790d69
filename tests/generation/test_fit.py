"""Runs that can be left and come back to."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganetics._check import InputError
from ganetics.data import Skipped
from ganetics.execution.process import prepared
from ganetics.generation import fit as module
from ganetics.generation import watch
from ganetics.generation.fit import FitConfig, advice, configuration, fit, stored_configuration, summary
from ganetics.generation.sample import sample_run
from ganetics.records import Failure, FailureKind, Penalty, Recipe, to_json
from ganetics.training import RECIPES, TrainingState, checkpoint
from ganetics.trial import TrialData, load_trial_data

RECIPE = RECIPES["digits"].model_copy(update={"steps": 230, "eval_samples": 100, "width": 2, "batch_size": 8})


@pytest.fixture(scope="module")
def data() -> TrialData:
    return load_trial_data("digits", None, RECIPE)


def config_for(data: TrialData, recipe: Recipe = RECIPE, loss: str = "ganetic") -> FitConfig:
    return configuration("digits", loss, recipe, data, seed=0)


def files(run: Path) -> dict[str, bytes]:
    beside = (".lock", "timings.jsonl")
    found = (path for path in run.rglob("*") if path.is_file() and path.name not in beside)
    return {str(path.relative_to(run)): path.read_bytes() for path in found}


def test_a_run_leaves_everything_that_is_needed(data: TrialData, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    config = config_for(data)
    result = fit(tmp_path / "run", config, data, on_progress=lambda done, total, note: seen.append((done, total)))
    assert seen == [(step, 230) for step in (50, 100, 150, 200)]
    assert set(files(tmp_path / "run")) == {
        "config.json",
        "environment.json",
        "checkpoint/state.json",
        "checkpoint/tensors-230.safetensors",
        "history.jsonl",
        "metrics.json",
        *(f"samples/step-{step:06d}.png" for step in (50, 100, 150, 200, 230)),
    }
    history = [json.loads(line) for line in (tmp_path / "run/history.jsonl").read_text().splitlines()]
    assert [line["step"] for line in history] == [50, 100, 150, 200]
    assert result.outcome.metrics is not None
    assert json.loads(to_json(summary(tmp_path / "run", config, result)))["metrics"]["fid"] > 0
    assert stored_configuration(tmp_path / "run") == config
    # a finished run is handed back as it is
    assert fit(tmp_path / "run", config, data, resume=True) == result
    (timing,) = [json.loads(line) for line in (tmp_path / "run/timings.jsonl").read_text().splitlines()]
    assert (timing["kind"], timing["from_step"], timing["step"], timing["device"]) == ("training", 0, 230, "cpu")
    assert timing["wall_seconds"] > 0


def test_what_the_machine_failed_at_is_done_again(
    data: TrialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    config = config_for(data)
    whole = fit(tmp_path / "whole", config, data)
    with monkeypatch.context() as patch:
        patch.setattr("ganetics.trial.outcome.score", full)
        failed = fit(tmp_path / "run", config, data)
    assert failed.outcome.failure is not None
    assert failed.outcome.failure.kind == FailureKind.OUT_OF_MEMORY
    assert fit(tmp_path / "run", config, data, resume=True) == whole


@pytest.mark.parametrize("saved_every", [0.0, 1e9])
def test_interrupted_and_resumed_equals_never_stopped(
    saved_every: float, data: TrialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(data)
    fit(tmp_path / "whole", config, data)
    monkeypatch.setattr(watch, "CHECKPOINT_SECONDS", saved_every)

    def interrupt(done: int, total: int, note: str) -> None:
        if done == 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts", config, data, on_progress=interrupt)
    assert checkpoint.exists(tmp_path / "parts/checkpoint") == (saved_every == 0)
    fit(tmp_path / "parts", config, data, resume=True)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    timings = [json.loads(line) for line in (tmp_path / "parts/timings.jsonl").read_text().splitlines()]
    went_on = 150 if saved_every == 0 else 0
    assert [(line["from_step"], line["step"]) for line in timings] == [(0, 150), (went_on, 230)]


PROGRAM = """
import sys
from pathlib import Path
from ganetics.execution.process import prepare
from ganetics.generation import watch
from ganetics.generation.fit import fit, FitConfig
from ganetics.records import from_json
from ganetics.trial import load_trial_data
prepare()
watch.CHECKPOINT_SECONDS = 0.0
config = from_json(FitConfig, Path(sys.argv[2]).read_text(), where="config")
fit(Path(sys.argv[1]), config, load_trial_data(config.dataset, None, config.recipe))
"""


def killed(run: Path, config: FitConfig, wanted: Path) -> None:
    """Begin a run in another process, and kill it after its first checkpoint."""
    wanted.write_text(to_json(config))
    arguments = [sys.executable, "-c", PROGRAM, str(run), str(wanted)]
    child = subprocess.Popen(arguments, env={**os.environ, "OMP_NUM_THREADS": "1"})
    until = time.monotonic() + 120
    while not checkpoint.exists(run / "checkpoint"):
        assert child.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.1)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert 0 < checkpoint.load(run / "checkpoint").step < config.recipe.steps


@pytest.mark.slow
def test_killed_and_resumed_equals_never_stopped(data: TrialData, tmp_path: Path) -> None:
    config = config_for(data, RECIPE.model_copy(update={"steps": 400}))
    killed(tmp_path / "parts", config, tmp_path / "wanted.json")
    with prepared():
        fit(tmp_path / "parts", config, data, resume=True)
        fit(tmp_path / "whole", config, data)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


ALL = Recipe(
    name="all", model="resnet", image_size=32, channels=3, classes=2, width=1, latent_dim=8, batch_size=4, steps=200,
    learning_rate=1e-3, rate_half_life=100, ema_half_life=100, augment="adaptive", precision="bfloat16",
    channels_last=True, extractor="efficientnet-lite0", eval_samples=20,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two classes of images, dark and bright."""
    root = tmp_path_factory.mktemp("images")
    pixels = np.random.default_rng(0).integers(0, 128, (60, 32, 32, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        path = root / ("dark", "light")[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image + np.uint8(100 * (number % 2))).save(path)
    return root


@pytest.mark.slow
def test_killed_and_resumed_with_everything_on(folder: Path, tmp_path: Path) -> None:
    """ResNet, classes, adaptive augmentation, moving average, bfloat16, falling rate, early stopping."""
    data = load_trial_data(str(folder), None, ALL)
    config = configuration(str(folder), "ganetic", ALL, data, seed=0, patience=2, evaluate_every=50)
    assert config.classes == ("dark", "light")
    killed(tmp_path / "parts", config, tmp_path / "wanted.json")
    with prepared():
        fit(tmp_path / "parts", config, data, resume=True)
        fit(tmp_path / "whole", config, data)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    dark, light, both = (sample_run(tmp_path / "whole", 8, of_class=name).images for name in ("dark", "light", None))
    assert not torch.equal(dark, light)
    assert torch.equal(both[0::2], dark[0::2])
    assert torch.equal(both[1::2], light[1::2])


def test_a_finished_run_goes_on_with_more_steps_as_if_it_had_been_longer(data: TrialData, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"rate_half_life": 50.0, "ema_half_life": 100.0, "augment": "adaptive"})
    fit(tmp_path / "parts", config_for(data, recipe), data)
    longer = config_for(data, recipe.model_copy(update={"steps": 330}))
    parts = fit(tmp_path / "parts", longer, data, resume=True)
    assert parts == fit(tmp_path / "whole", longer, data)
    assert stored_configuration(tmp_path / "parts") == longer
    found, expected = files(tmp_path / "parts"), files(tmp_path / "whole")
    assert {key for key in found if key not in expected} == {"samples/step-000230.png"}  # where it first ended
    assert {key: found[key] for key in expected} == expected
    with pytest.raises(InputError, match=r"recipe\.steps is 330 there, got 230"):
        fit(tmp_path / "parts", config_for(data, recipe), data, resume=True)


@pytest.mark.slow
def test_two_processes_leave_the_files_of_one(data: TrialData, tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric")
    recipe = RECIPE.model_copy(update={"steps": 200})
    config = configuration("digits", "ganetic", recipe, data, seed=0, patience=1, evaluate_every=50)
    result = fit(tmp_path / "two", config, data, devices=2)
    assert result == fit(tmp_path / "two", config, data, resume=True)
    found = files(tmp_path / "two")
    alone = fit(tmp_path / "one", config, data)
    assert result.stopped is not None
    assert result.outcome.data == alone.outcome.data
    first, same = (
        json.loads((tmp_path / name / "history.jsonl").read_text().split("\n")[0]) for name in ("one", "two")
    )
    assert same["d_loss"] == pytest.approx(first["d_loss"], rel=0.05)
    assert {"config.json", "metrics.json", "evaluations.jsonl", "best/state.json", "samples/best.png"} <= set(found)
    assert checkpoint.load(tmp_path / "two" / "checkpoint").step == result.stopped


def test_a_run_is_neither_overwritten_nor_changed(data: TrialData, tmp_path: Path) -> None:
    short = RECIPE.model_copy(update={"steps": 3})
    fit(tmp_path, config_for(data, short), data)
    before = files(tmp_path)
    with pytest.raises(InputError, match="holds a run already"):
        fit(tmp_path, config_for(data, short), data)
    with pytest.raises(InputError, match=r"recipe\.learning_rate is 0\.00\d+ there"):
        fit(tmp_path, config_for(data, short.at_rate(2)), data, resume=True)
    with pytest.raises(InputError, match="loss is 'ganetic' there, got 'hinge'"):
        fit(tmp_path, config_for(data, short, "hinge"), data, resume=True)
    assert files(tmp_path) == before


def test_there_must_be_a_run_to_resume(data: TrialData, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to resume"):
        fit(tmp_path, config_for(data), data, resume=True)
    with pytest.raises(InputError, match=r"no file at .*config\.json"):
        stored_configuration(tmp_path)


def test_a_divergence_is_recorded(data: TrialData, tmp_path: Path) -> None:
    result = fit(tmp_path, config_for(data, RECIPE.at_rate(1e30)), data)
    assert result.outcome.failure is not None
    assert result.outcome.failure.kind is FailureKind.DIVERGED
    assert json.loads((tmp_path / "metrics.json").read_text())["outcome"]["metrics"] is None
    assert not checkpoint.exists(tmp_path / "checkpoint")


def test_a_divergence_leaves_the_last_good_checkpoint(
    data: TrialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CHECKPOINT_SECONDS", 0.0)
    good: dict[str, bytes] = {}
    begun = module._state

    def watched(*arguments: Any) -> TrainingState:
        states.append(begun(*arguments))
        return states[0]

    def spoil(done: int, total: int, note: str) -> None:
        if done == 100:  # saved just before
            good.update(files(tmp_path / "checkpoint"))
            with torch.no_grad():
                next(states[0].gan.generator.parameters()).fill_(math.nan)

    states: list[TrainingState] = []
    monkeypatch.setattr(module, "_state", watched)
    result = fit(tmp_path, config_for(data), data, on_progress=spoil)
    assert result.outcome.failure is not None
    assert result.outcome.failure.kind is FailureKind.DIVERGED
    assert files(tmp_path / "checkpoint") == good
    assert set(good) == {"state.json", "tensors-100.safetensors"}
    assert sample_run(tmp_path, 3).images.shape == (3, 1, 8, 8)
    assert [json.loads(line)["step"] for line in (tmp_path / "history.jsonl").read_text().splitlines()] == [50, 100]


def test_skipped_images_are_kept_and_counted(data: TrialData, tmp_path: Path) -> None:
    bad = replace(data.held_out, skipped=(Skipped("a/1.png", "cannot be read: no image"),))
    config = config_for(replace(data, held_out=bad), RECIPE.model_copy(update={"steps": 2}))
    assert config.skipped == ("a/1.png: cannot be read: no image",)
    told = summary(tmp_path, config, fit(tmp_path, config, data))
    assert (told["skipped"], told["n"], told["n_real"], told["floor_n"]) == (1, 100, 100, 50)


@pytest.mark.parametrize(
    ("loss", "changes", "tries"),
    [
        (
            "ganetic",
            {"precision": "bfloat16"},
            "(--rate 0.00095), the penalty R1 (--loss 'ganetic+r1:1'), another loss (--loss hinge) "
            "or --precision float32",
        ),
        (
            "wasserstein",
            {"penalties": (Penalty(kind="gradient", weight=10),)},
            "(--rate 0.00095), the penalty R1 (--loss 'wasserstein+gradient:10+r1:1') or another loss (--loss hinge)",
        ),
        ("hinge", {"penalties": (Penalty(kind="r1"),)}, "(--rate 0.00095) or another loss (--loss least-squares)"),
    ],
)
def test_after_a_divergence_it_says_what_to_try(
    loss: str, changes: dict[str, Any], tries: str, data: TrialData, tmp_path: Path
) -> None:
    config = config_for(data, RECIPE.model_copy(update={"steps": 1, **changes}), loss)
    result = fit(tmp_path, config, data)
    assert advice(config, result) is None
    assert "advice" not in summary(tmp_path, config, result)
    failed = result.outcome.model_copy(update={"failure": Failure(kind=FailureKind.DIVERGED, message="it is nan")})
    result = result.model_copy(update={"outcome": failed})
    assert advice(config, result) == f"in another folder try a lower learning rate {tries}"
    assert summary(tmp_path, config, result)["advice"] == advice(config, result)


def test_an_unknown_loss_is_refused(data: TrialData) -> None:
    with pytest.raises(InputError, match="hinge"):
        config_for(data, loss="hinj")


def test_a_folder_is_kept_by_its_absolute_path(
    data: TrialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    monkeypatch.chdir(tmp_path)
    named = replace(data.train, identity=data.train.identity.model_copy(update={"name": "images"}))
    config = configuration("images", "ganetic", RECIPE, replace(data, train=named), seed=0)
    assert config.dataset == str((tmp_path / "images").resolve())
