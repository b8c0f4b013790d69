from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganetics._check import InputError
from ganetics.anomaly import fanogan as fanogan_module
from ganetics.anomaly import learn as learn_module
from ganetics.anomaly.detector import Seen
from ganetics.anomaly.detectors import build
from ganetics.anomaly.fit import Prepared, fit, fitted_detector, prepare_run, prepared_again, stored_configuration
from ganetics.anomaly.protocol import threshold_at
from ganetics.anomaly.settings import FAnoGANSettings, GANomalySettings, NeighboursSettings, Preprocessing, Settings
from ganetics.records import FailureKind, Penalty
from ganetics.training import Diverged

from .conftest import Folder, textures

PATIENT = r"p\d+"
PIXELS = NeighboursSettings(features="pixels")
GAN = FAnoGANSettings(
    width=4, latent_dim=4, batch_size=8, steps=100, encoder_steps=8, check_every=2, loss="ganetic",
    score={"residual": 1.0, "ratio": 0.5},
)  # fmt: skip
GANOMALY = GANomalySettings(
    width=4, latent_dim=4, batch_size=8, steps=8, check_every=2, adversarial="output",
    penalties=(Penalty(kind="gradient", weight=1.0), Penalty(kind="r1", every=3)),
)  # fmt: skip


def prepared(folder: Folder, detector: Settings = PIXELS, **options: object) -> Prepared:
    normal = str(folder("normal", range(30)))
    given = {"groups": PATIENT, "preprocessing": Preprocessing(image_size=16), **options}
    return prepare_run(normal, detector, **given)  # type: ignore[arg-type]


def files(run: Path) -> dict[str, bytes]:
    found = (path for path in run.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(run)): path.read_bytes() for path in found}


def test_a_run_leaves_what_is_needed_and_nothing_else(image_folder: Folder, tmp_path: Path) -> None:
    run, ready = tmp_path / "run", prepared(image_folder)
    result = fit(run, ready)
    assert set(files(run)) == {
        "config.json", "places.json", "environment.json", "fit.json",
        "checkpoint/detector.json", "checkpoint/detector.safetensors",
    }  # fmt: skip
    assert stored_configuration(run) == ready.config
    assert ready.config.dataset == tmp_path.name
    assert str(tmp_path) not in (run / "config.json").read_text()  # it may be published
    config, detector, preprocessing = fitted_detector(run)
    assert config == ready.config
    assert preprocessing == ready.config.preprocessing
    assert result.threshold == detector.frozen.threshold
    assert (result.fit, result.held_out) == (30, 12)
    held_out = detector.score_samples(ready.part(config.parts.held_out).images)
    assert result.held_out_scores == pytest.approx(held_out.tolist(), abs=1e-4)
    assert (result.localises, detector.localises) == (False, False)
    assert fit(run, ready, resume=True) == result
    assert prepared_again(run).config == ready.config


def test_a_sum_of_parts_is_in_standard_deviations_of_held_out_normals(image_folder: Folder, tmp_path: Path) -> None:
    ready = prepared(image_folder, GAN.model_copy(update={"score": {"residual": 1.0, "image": 2.0}, "steps": 4}))
    result = fit(tmp_path / "run", ready)
    config, detector, _ = fitted_detector(tmp_path / "run")
    scores = detector.score_samples(ready.part(config.parts.held_out).images)
    assert (scores.mean(), scores.std()) == pytest.approx((0.0, 1.0), abs=1e-6)
    assert detector.frozen.deviation > 2.0  # of parts that hang together
    assert result.localises


@pytest.mark.parametrize("settings", [GAN, GANOMALY], ids=["fanogan", "ganomaly"])
def test_interrupted_and_resumed_equals_never_stopped(
    settings: Settings, image_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = prepared(image_folder, settings)
    fit(tmp_path / "whole", ready)
    for module in (learn_module, fanogan_module):
        monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0.0)
    steps: list[int] = []

    def interrupt(done: int, total: int, note: str) -> None:
        steps.append(done)
        if len(steps) in (2, 4):
            raise KeyboardInterrupt

    for turn in range(2):
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path / "parts", ready, resume=turn > 0, on_progress=interrupt)
        with pytest.raises(InputError, match="is not fitted yet"):
            fitted_detector(tmp_path / "parts")
    fit(tmp_path / "parts", prepared_again(tmp_path / "parts"), resume=True, on_progress=interrupt)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_a_threshold_between_both_survives_an_interruption(image_folder: Folder, tmp_path: Path) -> None:
    bad = image_folder("bad", range(25, 40), abnormal=True)
    ready = prepared(image_folder, GAN, calibration=str(bad))
    fit(tmp_path / "whole", ready)

    def interrupt(done: int, total: int, note: str) -> None:
        raise KeyboardInterrupt

    parts = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        fit(parts, ready, on_progress=interrupt)
    fit(parts, prepared_again(parts, calibration=True), resume=True)
    assert files(parts) == files(tmp_path / "whole")
    assert fitted_detector(parts)[1].frozen.threshold_from.endswith("Youden's index")
    next(bad.iterdir()).unlink()
    with pytest.raises(InputError, match=r"^calibration: .* must hold the images that the run began with, got others$"):
        prepared_again(parts, calibration=True)


def test_the_threshold_is_at_the_specificity_that_was_asked_for(image_folder: Folder, tmp_path: Path) -> None:
    fit(tmp_path / "run", prepared(image_folder, specificity=0.5))
    frozen = fitted_detector(tmp_path / "run")[1].frozen
    assert frozen.specificity == 0.5
    first, second = textures(30, 0), textures(30, 1)
    half, most = (build(PIXELS, seed=0).fit_parts(first, second, specificity=share) for share in (0.5, 0.95))
    assert half.frozen.threshold == threshold_at(half.score_samples(second), 0.5) < most.frozen.threshold


def test_what_was_left_by_a_kill_at_the_end_goes(image_folder: Folder, tmp_path: Path) -> None:
    run, ready = tmp_path / "run", prepared(image_folder)
    fit(run, ready)
    before = files(run)
    (run / "unfinished").mkdir()
    (run / "unfinished" / "state").touch()
    fit(run, ready, resume=True)
    assert files(run) == before
    assert not (run / "unfinished").exists()


def test_images_that_are_all_alike_have_finite_scores_and_others_none(monkeypatch: pytest.MonkeyPatch) -> None:
    same = textures(1, 0).repeat(6, 1, 1, 1)
    detector = build(PIXELS, seed=0).fit_parts(same, same)
    assert np.isfinite(detector.score_samples(textures(2, 1))).all()
    assert set(detector.frozen.deviations.values()) == {1.0}
    monkeypatch.setattr(detector, "_look", lambda x: Seen({"distance": torch.full((len(x),), torch.nan)}))
    with pytest.raises(Diverged, match=r"^the part 'distance' of the score is not finite for held-out normals"):
        detector.fit_parts(same, same)


def test_training_that_diverges_is_a_result(image_folder: Folder, tmp_path: Path) -> None:
    wild = GAN.model_copy(
        update={"learning_rate": 1e30, "loss": "wasserstein", "penalties": (), "score": {"residual": 1.0}}
    )
    result = fit(tmp_path / "run", prepared(image_folder, wild))
    assert result.failure is not None
    assert result.failure.kind is FailureKind.DIVERGED
    with pytest.raises(InputError, match=r"has no detector, its training failed: the .* after step"):
        fitted_detector(tmp_path / "run")


def test_groups_with_abnormal_images_are_kept_for_the_test(image_folder: Folder) -> None:
    bad = image_folder("bad", range(10), abnormal=True)
    ready = prepared(image_folder, abnormal=str(bad))
    assert {f"p00{i}" for i in range(10)} <= set(ready.config.parts.test)


def test_a_calibration_set_chooses_the_threshold_and_its_groups_are_seen(image_folder: Folder, tmp_path: Path) -> None:
    bad = image_folder("bad", range(25, 40), abnormal=True)
    ready = prepared(image_folder, calibration=str(bad))
    parts = ready.config.parts
    assert ready.calibration is not None
    used = set(ready.config.calibration_groups)
    assert used == {f"p0{i}" for i in range(25, 40)} - set(parts.fit) - set(parts.test)
    assert used <= ready.config.seen
    assert not used & set(parts.test)
    result = fit(tmp_path / "run", ready)
    assert result.calibration == 2 * len(used)
    _, detector, _ = fitted_detector(tmp_path / "run")
    held_out = detector.score_samples(ready.part(parts.held_out).images)
    abnormal = detector.score_samples(ready.calibration.images)

    def gain(place: float) -> float:
        return float((abnormal > place).mean() - (held_out > place).mean())

    assert gain(detector.frozen.threshold) == max(gain(place) for place in [*held_out, *abnormal, -99])
    assert detector.frozen.threshold_from.endswith("abnormal images, Youden's index")
    with pytest.raises(InputError, match="at least one image must be of a group that is neither fitted on nor tested"):
        prepared(image_folder, calibration=str(image_folder("fit", [int(parts.fit[0][1:])])))  # type: ignore[arg-type]


def test_wrong_input_is_one_line(image_folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^normal: [^\n]*\(to fit, to choose, to test\), got 2$"):
        prepare_run(str(image_folder("few", range(2))), PIXELS, groups=PATIENT)
    normal = image_folder("normal", range(30))
    with pytest.raises(InputError, match=r"no image may be among the normal ones of .*, got p000_a.png \(60 of 60\)$"):
        prepared(image_folder, abnormal=str(normal))
    with pytest.raises(InputError, match=r"calibration: .*absent: no such folder or file; must be "):
        prepared(image_folder, calibration=str(tmp_path / "absent"))
    with pytest.raises(InputError, match=r"^score 'ratio': .*, that of 'wasserstein' does not$"):
        prepared(image_folder, FAnoGANSettings(score={"ratio": 1.0}))
    with pytest.raises(InputError, match=r"^unknown loss 'hinj'"):
        prepared(image_folder, FAnoGANSettings(loss="hinj"))
    ready = prepared(image_folder)
    fit(tmp_path / "run", ready)
    with pytest.raises(InputError, match="it holds a run already"):
        fit(tmp_path / "run", ready)
    other = prepared(image_folder, seed=1)
    with pytest.raises(InputError, match="it holds another configuration: seed is 0 there, got 1"):
        fit(tmp_path / "run", other, resume=True)
    Image.fromarray(np.zeros((16, 16, 3), dtype=np.uint8)).save(normal / "p000_c.png")
    with pytest.raises(InputError, match=r"must hold the images that the run began with \(60, hash .*got others \(61"):
        prepared_again(tmp_path / "run")
    (tmp_path / "run" / "places.json").unlink()
    with pytest.raises(InputError, match=r"^places of the images: no file at"):
        prepared_again(tmp_path / "run")


def test_another_kind_of_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"loss": "hinge"}))
    with pytest.raises(InputError, match="holds a training run, not a detector"):
        stored_configuration(tmp_path)
