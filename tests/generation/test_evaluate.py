from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ganetics import data
from ganetics._check import InputError, MissingDependencyError
from ganetics.data import ImageSet
from ganetics.features import Extractor, Progress, load_extractor
from ganetics.generation import evaluate as module
from ganetics.generation.evaluate import evaluate
from ganetics.generation.results import Evaluation
from ganetics.records import DataIdentity, from_json, to_json


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANETICS_CACHE", str(tmp_path / "cache"))


def image_set(images: torch.Tensor, name: str) -> ImageSet:
    count, channels, height, width = images.shape
    identity = DataIdentity(
        name=name, split="all", sha256=name, count=count, channels=channels, height=height, width=width
    )
    return ImageSet(images=images, labels=None, identity=identity, skipped=())


@pytest.fixture
def digits() -> torch.Tensor:
    images = data.load("digits", split="all").images
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]


def score(real: torch.Tensor, fake: torch.Tensor, train: torch.Tensor | None = None, seed: int = 0) -> Evaluation:
    return evaluate(
        image_set(real, "real"),
        image_set(fake, "fake"),
        extractor=load_extractor("digits-classifier"),
        train=None if train is None else image_set(train, "train"),
        seed=seed,
    )


def test_real_against_real_is_at_the_floor_and_noise_far_above(digits: torch.Tensor) -> None:
    same = score(digits[:600], digits[600:1200])
    noise = torch.randint(0, 256, (600, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    far = score(digits[:600], noise)
    assert same.fid < 1.2 * same.floor
    assert far.fid > 20 * far.floor
    assert abs(same.kid) < 0.1 * far.kid
    for name in ("precision", "recall", "coverage"):
        assert getattr(same, name) > 0.8
        assert getattr(far, name) < getattr(same, name)
    assert (same.n, same.n_real, same.floor_n) == (600, 600, 300)
    assert same.extractor.name == "digits-classifier"
    assert same.resize == same.extractor.resize == "none"


def test_kid_is_that_of_all_images_and_its_spread_that_of_halves(
    digits: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, fake = digits[:150], digits[600:750]
    first, other = score(real, fake), score(real, fake, seed=1)
    assert first.kid == pytest.approx(other.kid, abs=1e-9)  # the seed draws the halves alone
    assert first.kid_std != other.kid_std
    assert first.kid_subset == 75
    monkeypatch.setattr(module, "KERNEL_SUBSET", 40)
    many = score(real, fake)
    assert many.kid_subset == 40
    assert many.kid == pytest.approx(first.kid, abs=3 * many.kid_std)


def test_collapse_costs_recall_not_precision(digits: torch.Tensor) -> None:
    few = digits[600:610].repeat(40, 1, 1, 1)
    collapsed = score(digits[:600], few)
    assert collapsed.precision > 0.5
    assert collapsed.recall < 0.3
    assert collapsed.coverage < 0.3


def test_copies_are_found(digits: torch.Tensor) -> None:
    train, real, fresh = digits[:600], digits[600:1200], digits[1200:1500]
    copied = score(real, train[:300], train)
    honest = score(real, fresh, train)
    half = score(real, torch.cat([train[:150], fresh[:150]]), train)
    assert copied.copy_rate == 1.0
    assert copied.copy_rate_interval is not None
    assert copied.copy_rate_interval[0] > 0.98
    assert honest.copy_rate is not None
    assert honest.copy_rate_interval is not None
    assert honest.copy_rate_interval[0] <= honest.copy_rate < 0.05
    assert half.copy_rate == pytest.approx(0.5, abs=0.05)
    for found in (copied, honest, half):  # neither depends on what was generated
        assert found.copy_rate_control is not None
        assert found.copy_rate_control < 0.1
        assert found.copy_rate_control == honest.copy_rate_control
        assert found.copy_rate_replayed == honest.copy_rate_replayed
        assert found.copy_rate_replayed is not None
        assert found.copy_rate_replayed["as they are"] == 1.0
    assert honest.copy_limits is not None
    assert min(value for view in honest.copy_limits.values() for value in view.values()) > 0
    assert (honest.n_train, honest.train_groups) == (600, None)


def test_as_many_training_images_are_compared_too(digits: torch.Tensor) -> None:
    train, real = digits[:600], digits[600:900]
    found = score(real, digits[900:1200], train)
    assert found.train_fid is not None
    assert found.train_fid == pytest.approx(found.fid, rel=0.2)  # all three are the same kind of images
    assert found.train_kid == pytest.approx(0, abs=3 * found.kid_std)
    assert found.copy_rate_control_interval is not None
    assert found.copy_rate_control is not None
    low, high = found.copy_rate_control_interval
    assert low <= found.copy_rate_control <= high < 0.05
    noise = torch.randint(0, 256, (300, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    assert score(real, noise, train).train_fid == found.train_fid  # it does not depend on what was generated
    fewer = score(real, digits[900:1000], train)
    assert fewer.train_fid is not None
    assert fewer.train_fid > found.train_fid  # as biased upwards as what it stands beside
    assert score(real, digits[900:1200], digits[:200]).train_fid is None
    assert score(real, digits[900:1200]).train_fid is None
    assert score(real, digits[900:1200]).train_kid is None


def test_held_out_images_that_were_trained_on_are_counted_and_left_out_of_the_control(digits: torch.Tensor) -> None:
    train, real = digits[:600], digits[600:900]
    honest, mixed = score(real, digits[900:950], train), score(torch.cat([train[:5], real]), digits[900:950], train)
    assert (honest.held_out_duplicates, mixed.held_out_duplicates) == (0, 5)
    assert mixed.copy_rate_control == honest.copy_rate_control
    with pytest.raises(InputError, match=r"^real images must be others than the training images, got all 10 among"):
        score(train[:10], digits[900:950], train)


def test_without_training_images_no_copy_rate(digits: torch.Tensor) -> None:
    found = score(digits[:100], digits[100:200])
    assert found.copy_rate is None
    assert found.n_train is None
    assert not {name for name in found.model_dump() if name.startswith("copy")}


def test_seed_decides_nothing_but_the_kernel_distance(digits: torch.Tensor) -> None:
    real, fake = digits[:150], digits[150:300]
    first, again, other = score(real, fake), score(real, fake), score(real, fake, seed=1)
    assert first == again
    changed = {k for k, v in other.model_dump().items() if v != first.model_dump()[k]}
    assert changed <= {"kid", "kid_std", "seed"}


def test_record_goes_to_json_and_back(digits: torch.Tensor) -> None:
    for found in (score(digits[:100], digits[100:200]), score(digits[:100], digits[100:200], digits[200:300])):
        assert from_json(Evaluation, to_json(found), where="test") == found


@pytest.mark.parametrize("count", [2, 3, 6])
def test_few_generated_images_still_give_finite_figures(digits: torch.Tensor, count: int) -> None:
    found = score(digits[:40], digits[40 : 40 + count])
    assert found.n == count
    assert np.isfinite([found.fid, found.kid, found.precision, found.coverage]).all()


def test_too_few_images(digits: torch.Tensor) -> None:
    with pytest.raises(InputError, match="generated images must be at least 2, got 1"):
        score(digits[:40], digits[:1])
    with pytest.raises(InputError, match="real images must be at least 4, got 3"):
        score(digits[:3], digits[:40])
    with pytest.raises(InputError, match="training images must be at least 4, got 2"):
        score(digits[:40], digits[40:80], digits[80:82])


def test_different_sizes_are_refused(digits: torch.Tensor) -> None:
    larger = torch.zeros(10, 1, 16, 12, dtype=torch.uint8)
    with pytest.raises(InputError, match=r"generated images must be as large .* 8x8, got 12x16: give an image"):
        score(digits[:40], larger)
    with pytest.raises(InputError, match="training images must be as large"):
        score(digits[:40], digits[:40], larger)


def test_training_images_as_real_ones_are_refused(digits: torch.Tensor) -> None:
    same = image_set(digits[:40], "same")
    with pytest.raises(InputError, match="training images must be others"):
        evaluate(same, image_set(digits[40:80], "fake"), extractor=load_extractor("digits-classifier"), train=same)


class Recorder:
    """An extractor that remembers the features it made, in double precision."""

    def __init__(self, extractor: Extractor) -> None:
        self.extractor, self.identity, self.device = extractor, extractor.identity, extractor.device
        self.features: list[torch.Tensor] = []

    def __call__(self, images: torch.Tensor, *, on_progress: Progress | None = None) -> npt.NDArray[np.float32]:
        made = self.extractor(images, on_progress=on_progress)
        self.features.append(torch.from_numpy(made).double())
        return made


@pytest.mark.slow
def test_fid_on_inception_features_agrees_with_torchmetrics(digits: torch.Tensor) -> None:
    """The whole way from images to FID, against torchmetrics' formula on the same features, to 1e-3 relative."""
    fid = pytest.importorskip("torchmetrics.image.fid")
    try:
        extractor = load_extractor("inception")
    except MissingDependencyError as error:
        pytest.skip(str(error))
    recorded = Recorder(extractor)
    found = evaluate(image_set(digits[:24], "real"), image_set(255 - digits[24:40], "fake"), extractor=recorded)
    # the distance does not change under a rotation, and few images span few of the dimensions
    basis = torch.linalg.qr(torch.cat(recorded.features).T).Q
    (mu1, sigma1), (mu2, sigma2) = ((f.mean(dim=0), f.T.cov()) for f in (f @ basis for f in recorded.features))
    expected = float(fid._compute_fid(mu1, sigma1, mu2, sigma2))
    assert found.fid == pytest.approx(expected, rel=1e-3)
    assert found.fid > 2 * found.floor
