"""What every extractor promises. A new one is covered by its line in EXTRACTORS."""

from __future__ import annotations

import hashlib
import pickle
from functools import cache

import numpy as np
import pytest
import torch

from ganetics._check import InputError, MissingDependencyError
from ganetics.features.classifier import DOMAINS
from ganetics.features.extractor import EXTRACTORS, Extractor, load_extractor

SLOW = {"inception"}


@cache
def loaded(name: str) -> Extractor:
    try:
        return load_extractor(name)
    except MissingDependencyError as error:
        pytest.skip(str(error))


def images(extractor: Extractor, count: int) -> torch.Tensor:
    """Smooth random images of a kind that the extractor takes."""
    domain = DOMAINS.get(extractor.identity.name.removesuffix("-classifier"))
    channels, side = (domain.channels, domain.image_size) if domain else (3, 32)
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, channels, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic")
    return (smooth * 255).clamp(0, 255).to(torch.uint8)


@pytest.fixture(params=[pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in EXTRACTORS])
def extractor(request: pytest.FixtureRequest) -> Extractor:
    return loaded(request.param)


def test_shape_dtype_and_finiteness(extractor: Extractor) -> None:
    features = extractor(images(extractor, 3))
    assert features.shape == (3, extractor.identity.dimension)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_features_do_not_depend_on_the_batch(extractor: Extractor) -> None:
    batch = images(extractor, 64 if extractor.identity.name not in SLOW else 9)
    together = extractor(batch)
    scale = np.abs(together).max()
    for index in (0, 7, len(batch) - 1):
        alone = extractor(batch[index : index + 1])
        assert np.abs(alone[0] - together[index]).max() <= 1e-5 * scale
    assert np.abs(extractor(batch.flip(0))[::-1] - together).max() <= 1e-5 * scale


def test_images_of_16_bits_are_taken_with_8(extractor: Extractor) -> None:
    batch = images(extractor, 2)
    wide = (batch.int() * 257 + torch.tensor([-128, 128])[:, None, None, None]).clamp(0, 65535).to(torch.uint16)
    np.testing.assert_array_equal(extractor(wide), extractor(batch))


def test_same_input_same_output(extractor: Extractor) -> None:
    batch = images(extractor, 4)
    np.testing.assert_array_equal(extractor(batch), extractor(batch))


def test_a_copy_in_another_process_makes_the_same(extractor: Extractor) -> None:
    batch = images(extractor, 2)
    copy = pickle.loads(pickle.dumps(extractor))
    assert copy.identity == extractor.identity
    np.testing.assert_array_equal(copy(batch), extractor(batch))


def test_different_images_different_features(extractor: Extractor) -> None:
    batch = images(extractor, 4)
    features = extractor(batch)
    assert np.abs(features[0] - features[1]).max() > 1e-2 * np.abs(features).max()


def test_global_random_state_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    for name in EXTRACTORS:
        try:
            load_extractor(name)
        except MissingDependencyError:
            continue
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(2, 1, 28, 28),
        torch.zeros(2, 2, 8, 8, dtype=torch.uint8),
        torch.zeros(1, 28, 28, dtype=torch.uint8),
        torch.zeros(0, 3, 8, 8, dtype=torch.uint8),
    ],
    ids=["float", "two channels", "three axes", "no image"],
)
def test_wrong_images_are_refused(extractor: Extractor, wrong: torch.Tensor) -> None:
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        extractor(wrong)


def test_progress_reaches_the_end(extractor: Extractor) -> None:
    calls: list[tuple[int, int]] = []
    extractor(images(extractor, 5), on_progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (5, 5)


def test_identity_names_the_weights(extractor: Extractor) -> None:
    name = extractor.identity.name
    content = EXTRACTORS[name].locate().read_bytes()
    assert extractor.identity.weights_sha256 == hashlib.sha256(content).hexdigest()
    assert name in EXTRACTORS
    assert extractor.identity.resize
