"""f-AnoGAN on frozen features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganetics._check import InputError
from ganetics.anomaly import feature_gan, spaces
from ganetics.anomaly.detector import Place
from ganetics.anomaly.detectors import FeatureGAN, build, load, save
from ganetics.anomaly.settings import FAnoGANSettings, FeatureGANSettings, GANomalySettings, Preprocessing, Settings
from ganetics.records import Penalty
from ganetics.training import Diverged

DIMENSION = 6


class Line:
    """Features near a line: where along it the first pixel says, how far beside it the second."""

    def __call__(self, images: Tensor, *, on_progress: Any = None) -> np.ndarray:
        along, beside = (images[:, channel, 0, 0].float() / 255 for channel in range(2))
        features = torch.ones(len(images), DIMENSION)
        features[:, 0] += along
        features[:, 1] += beside
        return features.numpy()


def images(along: Tensor, beside: int = 0) -> Tensor:
    found = torch.zeros(len(along), 3, 4, 4, dtype=torch.uint8)
    found[:, 0] = along[:, None, None].to(torch.uint8)
    found[:, 1] = beside
    return found


NORMAL = images(torch.arange(0, 256, 2))
SETTINGS = FeatureGANSettings(steps=400, encoder_steps=200, hidden=32, latent_dim=4, generated=500)


@pytest.fixture(autouse=True)
def line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "load_extractor", lambda _: Line())


def fitted(**changes: Any) -> FeatureGAN:
    return FeatureGAN(SETTINGS.model_copy(update=changes), seed=1).fit_parts(NORMAL[::2], NORMAL[1::2])


def test_what_lies_beside_normal_features_is_abnormal_by_every_distance() -> None:
    detector = fitted()
    ends = torch.tensor([20, 128, 235])  # the outer ones are farther from the centre than what lies beside it
    inside, outside = images(ends), images(ends, beside=90)
    normal, abnormal = (detector.results(x, maps=False).components for x in (inside, outside))
    for part in ("image", "residual", "generated"):
        assert abnormal[part].min() > normal[part].max()
    assert detector.score_samples(outside).min() > detector.frozen.threshold


def test_features_are_centred_and_keep_their_proportions() -> None:
    x = fitted().features(NORMAL[::2])
    torch.testing.assert_close(x.mean(dim=0), torch.zeros(DIMENSION), atol=1e-4, rtol=0)
    assert float(x.square().mean()) == pytest.approx(1.0, rel=1e-4)
    assert float(x[:, 0].square().mean()) > 2 * float(x[:, 2].square().mean())  # not each in its own scale


def test_maps_keep_the_scales_that_neighbours_have_them_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "deviations", lambda: lambda x: x[:, :, 0, 0].float() * torch.tensor([1.0, 100.0, 0]))
    random = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (60, 3, 4, 4), generator=random, dtype=torch.uint8)
    settings = SETTINGS.model_copy(update={"features": "efficientnet-lite0-maps", "steps": 2, "encoder_steps": 2})
    found = FeatureGAN(settings).fit_parts(x[:40], x[40:]).features(x[:40]).square().mean(dim=0)
    assert float(found[0]) == pytest.approx(float(found[1]), rel=1e-3)
    assert float(found[2]) == 0


def test_generated_features_cover_where_normal_ones_are_and_nothing_else() -> None:
    detector = fitted()
    made, real = detector.generated, detector.features(NORMAL)
    assert made.shape == (500, DIMENSION)
    distances, size = torch.cdist(made, real), float(real.norm(dim=1).mean())
    assert float(distances.amin(dim=1).mean()) < 0.2 * size
    assert float(distances.amin(dim=0).mean()) < 0.2 * size


def test_what_is_loaded_scores_the_same_whatever_the_generators_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = fitted(steps=3, encoder_steps=3)
    save(tmp_path, detector, Preprocessing(image_size=8))
    monkeypatch.setattr(feature_gan, "torch_generator", None)
    loaded, _ = load(tmp_path)
    assert loaded.score_samples(NORMAL).tolist() == detector.score_samples(NORMAL).tolist()


def test_images_whose_features_are_all_equal_are_refused() -> None:
    same = images(torch.full((20,), 7))
    with pytest.raises(InputError, match=r"^features of the 20 images that are fitted on must differ"):
        FeatureGAN(SETTINGS).fit_parts(same, same)


@pytest.mark.parametrize("settings", [SETTINGS, FAnoGANSettings(), GANomalySettings()], ids=lambda one: one.kind)
def test_a_part_of_a_score_that_is_not_known_is_refused_before_anything_is_fitted(settings: Settings) -> None:
    with pytest.raises(InputError, match=r"^unknown score 'beauty', known: .*image"):
        build(settings.model_copy(update={"score": {"beauty": 1.0}}))


@pytest.mark.parametrize("loss", ["wasserstein", "relativistic-pairing", "evolved-pairing"])
def test_any_loss_with_any_penalty_trains(loss: str) -> None:
    penalties = tuple(Penalty(kind=kind, weight=0.01) for kind in ("r1", "r2", "gradient", "clip"))
    first, second = (fitted(loss=loss, penalties=penalties, steps=3, encoder_steps=3) for _ in range(2))
    assert first.score_samples(NORMAL).tolist() == second.score_samples(NORMAL).tolist()


def test_a_training_that_does_not_stay_finite_is_said() -> None:
    with pytest.raises(Diverged, match="the loss of the"):
        fitted(learning_rate=1e30)


def test_a_loss_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputError, match="sorcery"):
        build(SETTINGS.model_copy(update={"loss": "sorcery"}))


def test_progress_goes_on_over_all_stages() -> None:
    told: list[tuple[int, int]] = []
    place = Place(None, lambda done, total, note: told.append((done, total)))
    FeatureGAN(SETTINGS, seed=1).fit_parts(NORMAL[::2], NORMAL[1::2], place=place)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {64 + 400 + 200}
