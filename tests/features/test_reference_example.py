from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ganetics._check import InputError, MissingDependencyError
from ganetics.features.inception import SCALINGS, InceptionExtractor
from ganetics.features.reference_example import fid_reference_example
from ganetics.metrics import frechet_distance
from ganetics.records import ExtractorIdentity


class Means:
    """Features are the mean colour, as far as the network would see it."""

    def __init__(self, scaling: str) -> None:
        name, self._scaled = SCALINGS[scaling]
        self.identity = ExtractorIdentity(name=name, version="1", weights_sha256="", resize="none", dimension=3)

    def __call__(self, images: torch.Tensor) -> npt.NDArray[np.float32]:
        return self._scaled(images.float()).mean(dim=(2, 3)).numpy()


def images(count: int, *, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 8, 8), generator=generator, dtype=torch.uint8)


def test_scaled_twice_every_image_is_nearly_the_same() -> None:
    pixels = torch.tensor([0.0, 127.5, 255.0])
    # Keras' preprocess_input (x / 127.5 - 1) of what lies in [-1, 1] already
    expected = (pixels / 127.5 - 1) / 127.5 - 1
    assert torch.equal(SCALINGS["twice"][1](pixels), expected)
    assert expected.tolist() == pytest.approx([-1.00784, -1.0, -0.99216], abs=1e-5)
    assert SCALINGS["once"][1](pixels).tolist() == pytest.approx([-1.0, -0.00390625, 0.9921875])


def test_it_compares_the_first_64() -> None:
    extractor = Means("twice")
    real, fake = images(70, seed=0), images(80, seed=1) // 2
    found = fid_reference_example(real, fake, extractor=extractor)  # type: ignore[arg-type]
    assert found == frechet_distance(extractor(real[:64]), extractor(fake[:64]))
    once = Means("once")
    assert found < frechet_distance(once(real[:64]), once(fake[:64])) / 1000


def test_what_it_refuses() -> None:
    with pytest.raises(InputError, match="must be inception-scaled-twice, got inception"):
        fid_reference_example(images(64, seed=0), images(64, seed=1), extractor=Means("once"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="generated images must be at least 64, got 63"):
        fid_reference_example(images(64, seed=0), images(63, seed=1), extractor=Means("twice"))  # type: ignore[arg-type]


@pytest.mark.slow
def test_inception_sees_less_of_images_scaled_twice() -> None:
    try:
        once, twice = InceptionExtractor(), InceptionExtractor(scaling="twice")
    except MissingDependencyError as error:
        pytest.skip(str(error))
    assert (once.identity.name, twice.identity.name) == ("inception", "inception-scaled-twice")
    assert once.identity.digest() != twice.identity.digest()
    noise, dark = images(4, seed=0), images(4, seed=0) // 4
    spread = [float(np.linalg.norm(one(noise) - one(dark))) for one in (once, twice)]
    assert 0 < spread[1] < spread[0] / 2
