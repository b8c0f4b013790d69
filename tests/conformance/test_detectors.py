"""What every detector promises. A new one is covered by its line in NAMED and its small settings."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score
from torch import Tensor

from ganetics._check import InputError
from ganetics.anomaly.detectors import FILE, TENSORS, Detector, Results, build, load, save
from ganetics.anomaly.networks import NetworkDetector
from ganetics.anomaly.settings import (
    FROZEN,
    NAMED,
    TRIVIAL,
    AutoEncoderSettings,
    FAnoGANSettings,
    GANomalySettings,
    Preprocessing,
    Settings,
)

_spec = importlib.util.spec_from_file_location("textures", Path(__file__).parents[1] / "anomaly" / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
textures, TINY = _module.textures, _module.TINY

NETWORKS = (FAnoGANSettings, GANomalySettings, AutoEncoderSettings)
BLIND = {"colour", "brightness"}
"""To a checkerboard that leaves the means as they are."""
PREPROCESSING = Preprocessing(image_size=16)


@cache
def normals() -> tuple[Tensor, Tensor]:
    """Images to fit on, and held-out ones."""
    return textures(100, 0), textures(30, 1)


@cache
def fitted(name: str) -> Detector[Any]:
    before = torch.random.get_rng_state()
    detector = build(TINY[name], seed=1)
    assert detector.fit_parts(*normals()) is detector
    assert torch.equal(torch.random.get_rng_state(), before)  # nothing is drawn from the global generator
    return detector


@cache
def results(name: str) -> Results:
    """Of the test images, in one go."""
    return fitted(name).results(test_images())


@pytest.fixture(params=NAMED)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def detector(name: str) -> Detector[Any]:
    return fitted(name)


@cache
def test_images() -> Tensor:
    return torch.cat([textures(20, 2), textures(20, 3, abnormal=True)])


test_images.__test__ = False  # type: ignore[attr-defined]
LABELS = np.repeat([0, 1], 20)


def same(one: np.ndarray, other: np.ndarray) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_results_have_the_shapes_that_they_should(name: str, detector: Detector[Any]) -> None:
    found = results(name)
    assert found.pred_score.shape == found.pred_label.shape == (40,)
    assert found.pred_score.dtype == np.float64
    assert np.isfinite(found.pred_score).all()
    assert found.anomaly_map is not None
    assert found.anomaly_map.shape == (40, 16, 16)
    assert found.anomaly_map.dtype == np.float32
    assert np.isfinite(found.anomaly_map).all()
    np.testing.assert_array_equal(found.pred_label, found.pred_score > detector.frozen.threshold)
    np.testing.assert_array_equal(detector.predict(test_images()[:5]), found.pred_label[:5])
    same(detector.anomaly_map(test_images()[:5]), found.anomaly_map[:5])
    if not detector.localises:
        assert (np.ptp(found.anomaly_map, axis=(1, 2)) == 0).all()


def test_higher_is_more_abnormal(name: str, detector: Detector[Any]) -> None:
    scores, maps = results(name).pred_score, results(name).anomaly_map
    area = roc_auc_score(LABELS, scores)
    assert area > (0.2 if name in BLIND else 0.75)
    if detector.localises:
        assert maps is not None
        # the middle holds the checkerboard, whatever its place
        inside = maps[20:, 2:14, 2:14].mean(axis=(1, 2)) - maps[20:, [0, -1]].mean(axis=(1, 2))
        outside = maps[:20, 2:14, 2:14].mean(axis=(1, 2)) - maps[:20, [0, -1]].mean(axis=(1, 2))
        assert inside.mean() > outside.mean()


@pytest.mark.parametrize("name", sorted(BLIND))
def test_what_is_blind_to_textures_sees_brightness(name: str, detector: Detector[Any]) -> None:
    images = test_images()[:20]
    brighter = (images.int() + 80).clamp(max=255).to(torch.uint8)
    scores = np.concatenate([detector.score_samples(images), detector.score_samples(brighter)])
    assert roc_auc_score(LABELS, scores) > 0.95


def test_scores_depend_on_the_image_alone(name: str, detector: Detector[Any]) -> None:
    images, together = test_images(), results(name).pred_score
    shuffled = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    same(detector.score_samples(images[shuffled]), together[shuffled.numpy()])
    same(np.concatenate([detector.score_samples(part) for part in images.split(7)]), together)
    for place in (0, 21):
        alone = detector.results(images[place : place + 1])
        same(alone.pred_score, together[place : place + 1])
        same(np.asarray(alone.anomaly_map), np.asarray(results(name).anomaly_map)[place : place + 1])


def test_scores_are_in_deviations_of_held_out_normals(detector: Detector[Any]) -> None:
    scores = detector.score_samples(normals()[1])
    assert scores.mean() == pytest.approx(0, abs=1e-3)
    assert scores.std() == pytest.approx(1, abs=1e-3)
    assert (scores <= detector.frozen.threshold + 1e-4).mean() >= 0.95
    assert detector.frozen.held_out == 30


def test_the_same_seed_gives_the_same_detector(name: str) -> None:
    settings = TINY[name]
    few = {"steps": 4, "encoder_steps": 4, "check_every": 2}
    changes = {field: value for field, value in few.items() if field in type(settings).model_fields}
    fit, held_out = (part[:20] for part in normals())

    def short(seed: int) -> Detector[Any]:
        return build(settings.model_copy(update=changes), seed=seed).fit_parts(fit, held_out)

    one, again, other = short(1), short(1), short(2)
    assert again.frozen == one.frozen
    assert all(torch.equal(value, again.tensors()[key]) for key, value in one.tensors().items())
    if name not in (*TRIVIAL, *FROZEN):  # which draw nothing
        assert other.frozen.means != one.frozen.means


def test_it_comes_back_from_the_disk(detector: Detector[Any], tmp_path: Path) -> None:
    save(tmp_path, detector, PREPROCESSING)
    found, preprocessing = load(tmp_path)
    assert preprocessing == PREPROCESSING
    assert found.settings == detector.settings
    assert found.frozen == detector.frozen
    images = test_images()[:5]
    np.testing.assert_array_equal(found.score_samples(images), detector.score_samples(images))
    assert set(load_file(tmp_path / TENSORS)) == set(detector.tensors())


def test_it_never_trains_while_it_scores(detector: Detector[Any]) -> None:
    before = {name: value.clone() for name, value in detector.tensors().items()}
    detector.results(test_images()[:5])
    assert all(torch.equal(value, before[name]) for name, value in detector.tensors().items())
    assert isinstance(detector, NetworkDetector) == (type(detector.settings) in NETWORKS)
    if isinstance(detector, NetworkDetector):
        assert not any(module.training for module in detector.scorer.modules())


def test_fit_holds_groups_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = build(TINY[name])
    seen: dict[str, set[int]] = {}

    def record(fit: Tensor, held_out: Tensor, **_: object) -> Detector[Any]:
        seen.update(fit=set(fit[:, 0, 0, 0].tolist()), held_out=set(held_out[:, 0, 0, 0].tolist()))
        return detector

    monkeypatch.setattr(detector, "fit_parts", record)
    images = (torch.arange(30) // 3).to(torch.uint8)[:, None, None, None].expand(30, 3, 16, 16)
    detector.fit(images, groups=[f"g{i // 3}" for i in range(30)])
    assert seen["fit"] | seen["held_out"] == set(range(10))
    assert not seen["fit"] & seen["held_out"]


def test_what_is_wrong_is_refused(name: str, detector: Detector[Any]) -> None:
    fresh = build(TINY[name])
    with pytest.raises(InputError, match="fit must come before scoring"):
        fresh.score_samples(test_images())
    with pytest.raises(InputError, match=r"images must have the shape \[3, 16, 16\] fitted on, got \[3, 8, 8\]"):
        detector.score_samples(test_images()[:, :, :8, :8])
    with pytest.raises(InputError, match="images must be uint8"):
        detector.score_samples(test_images().float())
    with pytest.raises(InputError, match="groups must be those of the 40 images, got 1"):
        fresh.fit(test_images(), groups=["a"])
    with pytest.raises(InputError, match=r"number of held-out images must be at least 2, got 1"):
        fresh.fit_parts(test_images(), test_images()[:1])


def test_a_checkpoint_of_another_version_is_refused(detector: Detector[Any], tmp_path: Path) -> None:
    save(tmp_path, detector, PREPROCESSING)
    file = tmp_path / FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema_version": 1}))
    with pytest.raises(InputError, match=r"detector.json: schema_version: Input should be 2, got '1'$"):
        load(tmp_path)


def test_a_damaged_checkpoint_is_refused(detector: Detector[Any], tmp_path: Path) -> None:
    save(tmp_path, detector, PREPROCESSING)
    (tmp_path / TENSORS).write_bytes(b"\0" * 40)
    with pytest.raises(InputError, match=r"^detector: [^\n]+ does not fit: [^\n]+$"):
        load(tmp_path)
    (tmp_path / TENSORS).unlink()
    with pytest.raises(InputError, match=r"^detector: no file at"):
        load(tmp_path)


def test_all_have_small_settings() -> None:
    named: Mapping[str, Settings] = NAMED
    assert set(TINY) == set(named)
