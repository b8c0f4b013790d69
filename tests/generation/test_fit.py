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

import pytest
import torch

from ganetics._check import InputError
from ganetics.data import Skipped
from ganetics.execution.process import prepared
from ganetics.generation import fit as module
from ganetics.generation.fit import FitConfig, configuration, fit, stored_configuration, summary
from ganetics.generation.sample import sample_run
from ganetics.records import FailureKind, Recipe, to_json
from ganetics.training import RECIPES, TrainingState, checkpoint
from ganetics.trial import TrialData, load_trial_data

RECIPE = RECIPES["digits"].model_copy(update={"steps": 230, "eval_samples": 100, "width": 2, "batch_size": 8})


@pytest.fixture(scope="module")
def data() -> TrialData:
    return load_trial_data("digits", None, RECIPE)


def config_for(data: TrialData, recipe: Recipe = RECIPE, loss: str = "ganetic") -> FitConfig:
    return configuration("digits", loss, recipe, data, seed=0)


def files(run: Path) -> dict[str, bytes]:
    found = (path for path in run.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(run)): path.read_bytes() for path in found}


def test_a_run_leaves_everything_that_is_needed(data: TrialData, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    config = config_for(data)
    result = fit(tmp_path / "run", config, data, on_progress=lambda done, total, note: seen.append((done, total)))
    assert seen == [(step, 230) for step in (50, 100, 150, 200)]
    assert set(files(tmp_path / "run")) == {
        "config.json",
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


@pytest.mark.parametrize("saved_every", [0.0, 1e9])
def test_interrupted_and_resumed_equals_never_stopped(
    saved_every: float, data: TrialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(data)
    fit(tmp_path / "whole", config, data)
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", saved_every)

    def interrupt(done: int, total: int, note: str) -> None:
        if done == 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts", config, data, on_progress=interrupt)
    assert checkpoint.exists(tmp_path / "parts/checkpoint") == (saved_every == 0)
    fit(tmp_path / "parts", config, data, resume=True)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


PROGRAM = """
import sys
from pathlib import Path
from ganetics.execution.process import prepare
from ganetics.generation import fit as module
from ganetics.generation.fit import fit, stored_configuration, FitConfig
from ganetics.records import from_json
from ganetics.trial import load_trial_data
prepare()
module.CHECKPOINT_SECONDS = 0.0
config = from_json(FitConfig, Path(sys.argv[2]).read_text(), where="config")
fit(Path(sys.argv[1]), config, load_trial_data("digits", None, config.recipe))
"""


@pytest.mark.slow
def test_killed_and_resumed_equals_never_stopped(data: TrialData, tmp_path: Path) -> None:
    config = config_for(data, RECIPE.model_copy(update={"steps": 400}))
    (tmp_path / "wanted.json").write_text(to_json(config))
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path / "parts"), str(tmp_path / "wanted.json")]
    child = subprocess.Popen(arguments, env={**os.environ, "OMP_NUM_THREADS": "1"})
    until = time.monotonic() + 60
    while not checkpoint.exists(tmp_path / "parts/checkpoint"):
        assert child.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.1)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert 0 < checkpoint.load(tmp_path / "parts/checkpoint").step < 400
    with prepared():
        fit(tmp_path / "parts", config, data, resume=True)
        fit(tmp_path / "whole", config, data)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


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
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0.0)
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
    assert sample_run(tmp_path, 3).shape == (3, 1, 8, 8)
    assert [json.loads(line)["step"] for line in (tmp_path / "history.jsonl").read_text().splitlines()] == [50, 100]


def test_skipped_images_are_kept_and_counted(data: TrialData, tmp_path: Path) -> None:
    bad = replace(data.held_out, skipped=(Skipped("a/1.png", "cannot be read: no image"),))
    config = config_for(replace(data, held_out=bad), RECIPE.model_copy(update={"steps": 2}))
    assert config.skipped == ("a/1.png: cannot be read: no image",)
    told = summary(tmp_path, config, fit(tmp_path, config, data))
    assert (told["skipped"], told["n"], told["n_real"], told["floor_n"]) == (1, 100, 100, 50)


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
