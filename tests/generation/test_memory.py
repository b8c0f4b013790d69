"""The check for copies proves itself: what replays training images is flagged, images of held-out patients are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganetics._check import InputError
from ganetics.data import ImageSet, load
from ganetics.data.imageset import image_set
from ganetics.features import load_extractor
from ganetics.features.coarse import coarse, directions
from ganetics.generation.memory import CHANGES, Memory, replayed
from ganetics.metrics.copies import look

EXTRACTOR = "efficientnet-lite0"


def patients(count: int, seed: int) -> ImageSet:
    """Return two images of each of so many patients: smooth colours, of one patient nearly the same."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=random).repeat_interleave(2, dim=0)
    coarse += 0.02 * torch.rand(coarse.shape, generator=random)
    smooth = torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bicubic").clamp(0, 1)
    pixels = (255 * smooth).round().to(torch.uint8).numpy()
    found = image_set(f"patients-{seed}", "all", pixels, None)
    return replace(found, groups=tuple(f"{seed}-{i // 2}" for i in range(2 * count)))


def memory_of(images: ImageSet) -> tuple[Memory, Callable[[Tensor], float]]:
    extractor = load_extractor(EXTRACTOR)
    memory = Memory(images, extractor(images.images))
    return memory, lambda others: memory.look(others, extractor(others)).rate


def test_what_is_replayed_is_flagged_and_other_patients_are_not() -> None:
    train = patients(60, 0)
    memory, rate = memory_of(train)
    assert memory.groups == 60
    shares = {name: rate(images) for name, images in replayed(train.images, 30).items()}
    assert shares.keys() == CHANGES.keys()
    assert min(shares.values()) > 0.9, shares
    assert rate(patients(20, 1).images) < 0.1
    random = torch.Generator().manual_seed(0)
    assert rate(torch.randint(0, 256, (20, 3, 32, 32), dtype=torch.uint8, generator=random)) == 0
    several = train.images[torch.randint(0, 120, (20, 10), generator=random)].float().mean(dim=1)
    assert rate(several.round().to(torch.uint8)) < 0.25  # by distance alone most of them would be


def test_without_groups_images_of_one_patient_make_it_blind() -> None:
    """Why ``--groups`` matters here too: the second image of a patient would be a stranger that is very near."""
    train = patients(60, 0)
    memory, rate = memory_of(replace(train, groups=()))
    told, _ = memory_of(train)
    assert memory.groups is None
    assert memory.limits["pixels"]["distance"] < 0.3 * told.limits["pixels"]["distance"]
    assert rate(replayed(train.images, 30)["as JPEG of quality 75"]) < 0.9


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("folder", "groups"), [("polyp-patches", r"seq\d+"), ("fundus", r"patient\d+")], ids=["polyps", "fundus"]
)
def test_real_images(folder: str, groups: str, data_root: Path) -> None:
    """Polyp patches split by sequence, fundus by patient, 64 pixels; copies as they are and slightly changed."""
    train, held_out = (
        every(load(str(data_root / folder), split=split, image_size=64, groups=groups), count)
        for split, count in (("train", 300), ("test", 60))
    )
    assert not set(train.groups) & set(held_out.groups)
    memory, rate = memory_of(train)
    assert memory.groups == len(set(train.groups)) > 15
    shares = {name: rate(images) for name, images in replayed(train.images, 40).items()}
    assert min(shares.values()) > 0.9, shares
    assert rate(held_out.images) < 0.1
    if folder == "fundus":  # why there are two views: what docs/evaluate.md says of noise and features
        noisy = replayed(train.images, 40)["with noise of 5 gray levels"]
        features = directions(load_extractor(EXTRACTOR)(noisy))
        assert look([(memory._features, [features])]).rate < 0.2
        assert look([(memory._pixels, coarse(noisy))]).rate > 0.9


def every(images: ImageSet, count: int) -> ImageSet:
    """Return so many images, from the whole list."""
    rows = np.linspace(0, len(images) - 1, count).round().astype(int)
    return replace(images, images=images.images[rows], labels=None, groups=tuple(images.groups[row] for row in rows))


def test_changes_are_slight_and_not_nothing() -> None:
    images = patients(10, 3).images
    for channels in (1, 3):
        made = replayed(images[:, :channels], 12)
        assert {tuple(one.shape) for one in made.values()} == {(12, channels, 32, 32)}
        assert {one.dtype for one in made.values()} == {torch.uint8}
        plain = made["as they are"].float()
        for name, one in made.items():
            difference = (one.float() - (plain.flip(-1) if name == "mirrored" else plain)).abs().mean()
            assert (difference > 0) == (name not in ("as they are", "mirrored")), name
            assert difference < 12, name
    assert torch.equal(made["moved by a pixel"][..., 1:], made["as they are"][..., :-1])


def test_gray_and_16_bits_are_compared_with_colour_and_8() -> None:
    train = patients(20, 0)
    gray = replace(train, images=train.images[:, :1])
    _, rate = memory_of(gray)
    assert rate(gray.images.expand(-1, 3, -1, -1)) == 1.0
    assert rate((gray.images.to(torch.int32) * 257).to(torch.uint16)) == 1.0


def test_there_must_be_different_images() -> None:
    same = image_set("same", "all", np.zeros((5, 3, 32, 32), dtype=np.uint8), None)
    with pytest.raises(InputError, match=r"^training images: training samples must be at least 3 different ones"):
        memory_of(same)
