from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images

from ganetics._check import MissingDependencyError
from ganetics.features.efficientnet import EfficientNetExtractor
from ganetics.features.extractor import load_extractor


def test_gray_is_repeated_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    try:
        extractor = load_extractor("efficientnet-lite0")
    except MissingDependencyError as error:
        pytest.skip(str(error))
    gray = torch.randint(0, 256, (2, 1, 40, 50), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(extractor(gray), extractor(gray.expand(-1, 3, -1, -1)))
    assert capfd.readouterr().out == ""


def test_crops_of_one_photograph_are_nearer_than_of_another() -> None:
    """The weights are trained ones, rightly connected: features hold what a picture shows."""
    try:
        extractor = load_extractor("efficientnet-lite0")
    except MissingDependencyError as error:
        pytest.skip(str(error))
    china, flower = (torch.from_numpy(np.array(i)).permute(2, 0, 1) for i in load_sample_images().images)
    a, b, c = extractor(torch.stack([china[:, :400, :600], china[:, 20:420, 30:630], flower[:, :400, :600]]))
    assert np.linalg.norm(a - b) < 0.5 * np.linalg.norm(a - c)


def test_maps_are_those_on_the_way_to_the_features() -> None:
    try:
        extractor = EfficientNetExtractor()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    images = torch.randint(0, 256, (18, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    maps = extractor.maps(images)
    assert [tuple(one.shape[1:]) for one in maps] == [(24, 32, 32), (40, 16, 16), (112, 8, 8)]
    hooked: list[torch.Tensor] = []
    handles = [
        extractor._network._blocks[block].register_forward_hook(lambda _, __, out: hooked.append(out))
        for block in (2, 4, 10)
    ]
    extractor(images[16:])
    for handle in handles:
        handle.remove()
    for one, expected in zip(maps, hooked, strict=True):
        torch.testing.assert_close(one[16:], expected, atol=1e-4, rtol=1e-4)
