"""What is tried beside the study is written down; on fundus images the optic disc is found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from ganetics.anomaly.settings import FAnoGANSettings, FeatureGANSettings

from .conftest import write_images


def eye(row: int, column: int, *, radius: int = 9, seed: int = 0) -> np.ndarray:
    """A left eye ``[128, 128, 3]`` with a disc, darker at one side, with noise and a bright reflex at the rim."""
    down, across = np.indices((128, 128))
    field = (down - 64) ** 2 + (across - 64) ** 2 < 62**2
    light = 70 + 0.3 * across + np.random.default_rng(seed).normal(0, 6, (128, 128))
    light[(down - row) ** 2 + (across - column) ** 2 < radius**2] += 60
    light[(down - 10) ** 2 + (across - 95) ** 2 < 36] += 120
    colours = np.stack([1.5 * light, light, 0.5 * light], axis=2) * field[..., None]
    return colours.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("row", "column"), [(64, 26), (50, 20), (75, 40)])
def test_the_disc_is_found(benchmark: Callable[[str], ModuleType], row: int, column: int) -> None:
    found = benchmark("fundus_attempts").disc(eye(row, column))
    assert np.hypot(found[0] - row, found[1] - column) < 4


def test_a_right_eye_is_mirrored(benchmark: Callable[[str], ModuleType], tmp_path: Path) -> None:
    script = benchmark("fundus_attempts")
    Image.fromarray(eye(60, 28)).save(tmp_path / "patient1_left.png")
    Image.fromarray(eye(60, 28)[:, ::-1]).save(tmp_path / "patient1_right.png")
    left, right = (np.asarray(script.cropped(tmp_path / f"patient1_{side}.png")) for side in ("left", "right"))
    np.testing.assert_array_equal(left, right)
    assert left.shape == (64, 64, 3)
    assert left[32, 32].sum() > left[4, 32].sum()


@pytest.mark.slow
def test_attempts_are_written_down_with_intervals(
    benchmark: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = benchmark("fundus_attempts")
    for kind, patients, radius in (("normal", range(12), 9), ("glaucoma", range(20, 80), 12)):
        (tmp_path / "data" / "fundus" / kind).mkdir(parents=True)
        for number in patients:
            picture = Image.fromarray(eye(60, 28, radius=radius, seed=number))
            picture.save(tmp_path / "data" / "fundus" / kind / f"patient{number}_left.jpg")
    tiny = FAnoGANSettings(width=2, latent_dim=4, steps=2, encoder_steps=2, check_every=1, batch_size=4)
    monkeypatch.setattr(script, "FANOGAN", tiny)
    shared = sys.modules["detection_attempts"]
    monkeypatch.setattr(shared, "LOSSES", ("ganetic",))
    monkeypatch.setattr(shared, "NO_TRAINING", ("pixels",))
    short = FeatureGANSettings(steps=2, encoder_steps=2, check_every=1)
    monkeypatch.setattr(shared, "ON_FEATURES", ("fanogan-features",))
    monkeypatch.setattr(shared, "NAMED", {**shared.NAMED, "fanogan-features": short})
    places = ("--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"))
    monkeypatch.setattr(sys, "argv", ["fundus_attempts", "--seeds", "1", *places])
    script.main()
    found = json.loads((tmp_path / "out" / "fundus.json").read_text())
    attempts = found["attempts"]
    assert len(attempts) == 3 * (1 + 3) + 1
    assert found["images"]["abnormal"] == script.Study.link_patients.__globals__["CALIBRATION_PATIENTS"]
    assert [one["auroc"] for one in attempts] == sorted((one["auroc"] for one in attempts), reverse=True)
    assert all(one["low"] is None or one["low"] <= one["auroc"] <= one["high"] for one in attempts)


@pytest.mark.slow
def test_attempts_on_polyps_are_written_down_fold_by_fold(
    benchmark: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = benchmark("detection_attempts")
    names = [f"seq{group:02d}_{frame}.png" for group in range(14) for frame in range(4)]
    write_images(tmp_path / "polyp-patches" / "normal", names)
    write_images(tmp_path / "polyp-patches" / "polyp", names[1:], bright=90)
    monkeypatch.setattr(script, "NO_TRAINING", ("pixels",))
    monkeypatch.setattr(script, "LOSSES", ("ganetic",))
    monkeypatch.setattr(script, "ON_FEATURES", ("fanogan-maps",))
    short = FeatureGANSettings(features="efficientnet-lite0-maps", steps=2, encoder_steps=2, check_every=1)
    monkeypatch.setattr(script, "NAMED", {**script.NAMED, "fanogan-maps": short})
    monkeypatch.setattr(
        sys, "argv", ["detection_attempts", "--data-dir", str(tmp_path), "--out", str(tmp_path / "out")]
    )
    script.main()
    found = json.loads((tmp_path / "out" / "polyp.json").read_text())
    means = {one["attempt"]: one["mean"] for one in found["attempts"]}
    assert means["pixels"] > 0.95
    assert set(means) == {"pixels", *(f"fanogan-maps, ganetic: {part}" for part in script.PARTS)}
    assert all(len(one["folds"]) == len(found["folds"]) == script.FOLDS for one in found["attempts"])
    labels = [0] * len(names) + [1] * len(names)
    groups = [name.split("_")[0] for name in (*names, *names)]
    every = list(script.folds(groups, labels))
    assert not [1 for fit, scored in every if {groups[i] for i in fit} & {groups[i] for i in scored}]
    tested = set(script.split_groups(groups).test)
    assert not [1 for fit, scored in every if {groups[i] for i in (*fit, *scored)} & tested]
