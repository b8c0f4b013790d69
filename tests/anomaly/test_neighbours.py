"""Distance to the nearest normal images."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

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


def test_the_direction_of_features_counts_and_not_their_length() -> None:
    detector = Neighbours(NeighboursSettings(k=1))
    detector._extractor = Angles()
    detector.fit(images(*((angle, 7) for angle in range(20))), [str(n) for n in range(20)])
    near, far, other = detector.score_samples(images((3, 7), (3, 200), (90, 7)))
    assert abs(near - far) < 1e-3 * (other - near)
    assert other > near + 1
