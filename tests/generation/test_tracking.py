"""Events for TensorBoard, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ganetics._check import MissingDependencyError
from ganetics.generation import tracking
from ganetics.generation.fit import configuration, fit
from ganetics.training import RECIPES
from ganetics.trial import load_trial_data

RECIPE = RECIPES["digits"].model_copy(
    update={"steps": 150, "eval_samples": 40, "width": 2, "batch_size": 4, "augment": "adaptive"}
)


def events(folder: Path) -> Any:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulators.EventAccumulator(str(folder))
    found.Reload()
    return found


def test_curves_and_pictures_are_those_of_the_run(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    data = load_trial_data("digits", None, RECIPE)
    config = configuration("digits", "ganetic", RECIPE, data, seed=0, patience=9, evaluate_every=50)

    def interrupt(done: int, total: int, note: str) -> None:
        if done == 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, config, data, tensorboard=True, on_progress=interrupt)
    fit(tmp_path, config, data, tensorboard=True, resume=True)
    found = events(tmp_path / "tensorboard")
    names = ("d_loss", "g_loss", "d_real", "d_fake", "augment_p", "rank_signal")
    held_out = ("fid", "kid", "d_real", "d_fake", "diversity")
    assert set(found.Tags()["scalars"]) == {f"training/{name}" for name in names} | {
        f"held-out/{name}" for name in held_out
    }
    # from the start again, as there was no checkpoint: nothing is there twice
    assert [event.step for event in found.Scalars("training/d_loss")] == [50, 100, 150]
    assert [event.step for event in found.Scalars("held-out/kid")] == [50, 100, 150]
    picture = found.Images("samples")[-1]
    with Image.open(tmp_path / "samples/step-000150.png") as written:
        assert (picture.width, picture.height) == written.size


def test_its_absence_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    data = load_trial_data("digits", None, RECIPE)
    config = configuration("digits", "ganetic", RECIPE, data, seed=0)
    with pytest.raises(MissingDependencyError, match=r"pip install tensorboard, or ganetics\[tracking\]"):
        fit(tmp_path / "run", config, data, tensorboard=True)
    assert not (tmp_path / "run").exists()
