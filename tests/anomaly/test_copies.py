"""What is learnt from beside the images themselves."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from ganetics._check import InputError
from ganetics.anomaly.detector import with_copies
from ganetics.anomaly.detectors import build
from ganetics.anomaly.settings import NeighboursSettings, Settings

IMAGES = torch.arange(2 * 3 * 4 * 4, dtype=torch.uint8).reshape(2, 3, 4, 4)


def test_copies_are_all_ways_to_turn_and_mirror_an_image() -> None:
    assert with_copies(IMAGES, "none") is IMAGES
    mirrored = with_copies(IMAGES, "mirrored")
    assert torch.equal(mirrored, torch.cat([IMAGES, IMAGES.flip(3)]))
    turned = with_copies(IMAGES, "turned")
    assert len(torch.unique(turned, dim=0)) == len(turned) == 16
    assert torch.equal(turned.rot90(1, (2, 3)).unique(dim=0), turned.unique(dim=0))  # nothing is missing
    with pytest.raises(InputError, match=r"copies: images to be turned must be square, got \[4, 3\]"):
        with_copies(IMAGES[..., :3], "turned")


@pytest.mark.parametrize("copies", ["none", "mirrored", "turned"])
def test_a_turned_image_is_as_normal_as_it_was_where_copies_say_so(copies: str) -> None:
    """Each is fitted on exactly: its distance to the nearest is 0, in deviations below the mean."""
    random = torch.Generator().manual_seed(1)
    x = torch.randint(0, 256, (20, 3, 16, 16), dtype=torch.uint8, generator=random)
    settings = NeighboursSettings(features="pixels", k=1, copies=copies)  # type: ignore[arg-type]
    detector = build(settings).fit_parts(x[:15], x[15:])
    distances = detector.results(torch.cat([x[:1], x[:1].flip(3), x[:1].rot90(1, (2, 3))])).components["distance"]
    assert (distances == 0).tolist() == {
        "none": [True, False, False], "mirrored": [True, True, False], "turned": [True, True, True]
    }[copies]  # fmt: skip


def test_the_generator_of_f_anogan_is_its_moving_average(
    tiny: Mapping[str, Settings],
) -> None:
    random = torch.Generator().manual_seed(1)
    x = torch.randint(0, 256, (40, 3, 16, 16), dtype=torch.uint8, generator=random)
    settings = tiny["fanogan"].model_copy(update={"steps": 6, "encoder_steps": 2, "check_every": 1})
    last, average = (
        build(settings.model_copy(update={"ema_half_life": half_life}), seed=1).fit_parts(x[:30], x[30:]).tensors()
        for half_life in (1e-3, 1e9)
    )
    judged = [key for key in last if key.startswith("discriminator.")]
    assert judged
    assert all(torch.equal(last[key], average[key]) for key in judged)  # is trained alike
    made = [key for key in last if key.startswith("generator.") and key.endswith("weight")]
    assert made
    assert not any(torch.equal(last[key], average[key]) for key in made)
