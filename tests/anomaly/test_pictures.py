"""Heat maps: one scale for all images, which begins at what normal images show as well."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from PIL import Image

from ganetics.anomaly.detectors import build
from ganetics.anomaly.pictures import STRONG, STRONGEST, overlay
from ganetics.anomaly.settings import Settings

from .conftest import textures

GREY = torch.full((3, 192, 192), 200, dtype=torch.uint8)


def under_the_map(values: np.ndarray, *, low: float, high: float) -> np.ndarray:
    """Return ``[h, w, 3]``: the right half of the picture."""
    picture = Image.open(io.BytesIO(overlay(GREY, values.astype(np.float32), low=low, high=high)))
    return np.asarray(picture)[:, -192:]


def test_below_the_scale_is_clear_and_above_it_the_strongest_colour() -> None:
    values = np.zeros((192, 192))
    values[0], values[1], values[2], values[3] = 2.0, 3.0, 4.0, 9.0
    seen = under_the_map(values, low=2.0, high=4.0)
    assert (seen[[0, 4]] == 200).all()
    assert (seen[2] == np.rint(200 + (STRONG - 200) * STRONGEST)).all()
    assert (seen[3] == seen[2]).all()
    assert (seen[1] != seen[0]).any()
    assert (seen[1] != seen[2]).any()


@pytest.mark.parametrize("low", [0.0, 1.0])
def test_nothing_is_coloured_on_a_scale_of_no_length(low: float) -> None:
    assert (under_the_map(np.full((192, 192), 5.0), low=low, high=low) == 200).all()


@pytest.mark.parametrize("name", ["padim", "padim-mean", "autoencoder"])
def test_the_scale_begins_at_what_normal_images_show_as_well(name: str, tiny: Mapping[str, Settings]) -> None:
    detector = build(tiny[name], seed=0)
    detector.fit(textures(60, 0), [str(number) for number in range(60)])
    low, high = detector.frozen.map_low, detector.frozen.map_high
    assert 0 <= low < high
    normal = detector.anomaly_map(textures(40, 1))
    assert 0.7 < (normal <= low).mean() < 0.98
    assert (normal > high).mean() < 0.05
