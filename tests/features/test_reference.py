from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ganetics import data
from ganetics._check import InputError
from ganetics.data import ImageSet
from ganetics.features.reference import reference
from ganetics.metrics.frechet import frechet_distance, gaussian
from ganetics.records import DataIdentity, ExtractorIdentity


class Pixels:
    """Features are the pixels; counts its calls."""

    def __init__(self, version: str = "1") -> None:
        self.calls = 0
        self.device = "cpu"
        self.identity = ExtractorIdentity(
            name="pixels", version=version, weights_sha256="", resize="none", dimension=16
        )

    def __call__(self, images: torch.Tensor, *, on_progress: object = None) -> npt.NDArray[np.float32]:
        self.calls += 1
        return images.flatten(1).numpy().astype(np.float32)


def image_set(count: int, *, seed: int = 0) -> ImageSet:
    images = torch.randint(0, 256, (count, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    identity = DataIdentity(
        name="random", split="all", sha256=f"{seed}-{count}", count=count, channels=1, height=4, width=4
    )
    return ImageSet(images=images, labels=None, identity=identity, skipped=())


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANETICS_CACHE", str(tmp_path))
    assert data.cache_folder() == tmp_path
    return tmp_path


def test_floor_is_the_distance_of_two_disjoint_halves() -> None:
    images = image_set(101)
    found = reference(images, Pixels(), count=101)
    assert found.floor_count == 50
    assert found.floor == pytest.approx(float(frechet_distance(found.features[:50], found.features[50:100])))
    rows = {row.tobytes() for row in found.features}
    assert rows == {row.tobytes() for row in images.images.flatten(1).numpy().astype(np.float32)}


def test_first_images_of_a_fixed_permutation() -> None:
    images = image_set(60)
    part, whole = reference(images, Pixels(), count=20), reference(images, Pixels(), count=1000)
    assert len(whole.features) == 60
    np.testing.assert_array_equal(part.features, whole.features[:20])
    assert part.gaussian.count == 20
    np.testing.assert_allclose(part.gaussian.covariance, gaussian(part.features).covariance)


def test_second_call_reads_the_cache() -> None:
    images, extractor = image_set(30), Pixels()
    first, second = (reference(images, extractor, count=30) for _ in range(2))
    assert extractor.calls == 1
    assert first.floor == second.floor
    np.testing.assert_array_equal(first.features, second.features)


def test_other_data_extractor_or_count_is_made_anew() -> None:
    reference(image_set(30), Pixels(), count=30)
    for images, extractor, count in (
        (image_set(30, seed=1), Pixels(), 30),
        (image_set(30), Pixels("2"), 30),
        (image_set(30), Pixels(), 29),
    ):
        reference(images, extractor, count=count)
        assert extractor.calls == 1


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text"])
def test_damaged_cache_is_made_again(cache: Path, damage: str) -> None:
    images, extractor = image_set(30), Pixels()
    first = reference(images, extractor, count=30)
    (path,) = (cache / "features").iterdir()
    whole = path.read_bytes()
    flipped = whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:]
    path.write_bytes({"empty": b"", "cut": whole[:-40], "flipped": flipped, "text": b"x" * 100}[damage])
    second = reference(images, extractor, count=30)
    assert extractor.calls == 2
    np.testing.assert_array_equal(first.features, second.features)
    assert path.read_bytes() == whole


def test_unwritable_cache_does_not_matter(cache: Path) -> None:
    (cache / "features").write_text("a file where the folder should be")
    assert reference(image_set(30), Pixels(), count=30).floor > 0


def test_too_few_images() -> None:
    with pytest.raises(InputError, match=r"random: a reference needs at least 4 real images .* got 3"):
        reference(image_set(3), Pixels(), count=100)
