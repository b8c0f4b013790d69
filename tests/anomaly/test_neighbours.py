"""Distance to the nearest normal images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganetics.anomaly import spaces as module
from ganetics.anomaly.neighbours import Neighbours
from ganetics.anomaly.settings import NeighboursSettings


class Angles:
    """Features on a ray: the first channel is its angle, the second how far out."""

    def __call__(self, images: Tensor, *, on_progress: Any = None) -> np.ndarray:
        angle, length = images[:, 0, 0, 0].double() / 100, 1 + images[:, 1, 0, 0].double()
        return (torch.stack([angle.cos(), angle.sin()], dim=1) * length[:, None]).float().numpy()


def images(*values: tuple[int, int]) -> Tensor:
    found = torch.zeros(len(values), 3, 4, 4, dtype=torch.uint8)
    found[:, :2] = torch.tensor(values, dtype=torch.uint8)[:, :, None, None]
    return found


def test_the_direction_of_features_counts_and_not_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_extractor", lambda _: Angles())
    detector = Neighbours(NeighboursSettings(k=1))
    detector.fit(images(*((angle, 7) for angle in range(20))), [str(n) for n in range(20)])
    near, far, other = detector.score_samples(images((3, 7), (3, 200), (90, 7)))
    assert abs(near - far) < 1e-3 * (other - near)
    assert other > near + 1


class Maps:
    """Three maps of one channel each: the image's first three channels."""

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(images[:, [channel]].float() for channel in range(3))


def test_deviations_of_maps_count_each_in_its_own_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EfficientNetExtractor", Maps)
    random = torch.Generator().manual_seed(0)
    scale = torch.tensor([100, 10, 1])[:, None, None]
    x = (torch.rand(40, 3, 16, 16, generator=random) * scale * (1 + torch.rand(40, 1, 1, 1, generator=random))).round()
    detector = Neighbours(NeighboursSettings(features="efficientnet-lite0-maps", k=1))
    detector.fit(x.to(torch.uint8), [str(n) for n in range(40)])
    shifted, flatter = x[:1] + 20, x[:1].clone()
    flatter[:, 1] = flatter[:, 1].mean()
    plain, moved, flat = detector.score_samples(torch.cat([x[:1], shifted, flatter]).to(torch.uint8))
    assert moved == pytest.approx(plain, abs=0.3)  # means do not count
    assert flat > plain + 3  # of the second channel, whose values are a tenth of the first's
