"""Two plain ways of seeing images beside each other: the direction of features, and few, large pixels.

Features of a network move little when an image is shifted or made brighter, and far when noise or the blocks of a JPEG
are added, of which the large pixels know nothing. What was changed in either way is found in one of the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganetics import _check
from ganetics.data import to_8_bits

Features = npt.NDArray[np.float32]
SIDE = 8
"""Large pixels a side."""
BATCH = 500
MIRRORS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
"""Sides along which an image is mirrored: none, left to right, top to bottom, both (turned by 180°)."""


def directions(features: npt.ArrayLike) -> Features:
    """Return features ``[n, d]`` brought to length 1; those of length 0 stay.

    >>> directions([[3.0, 4.0], [0.0, 0.0]]).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    values = np.asarray(features, dtype=np.float32)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, 1.0))


def coarse(images: Tensor) -> list[Features]:
    """Return the images as 8×8 pixels of 0 to 255, ``[n, 192]``: as they are, and mirrored in three ways.

    Gray is repeated over three channels, so that it can be compared with colour.

    Args:
        images: uint8 or uint16 ``[n, c, h, w]``.

    Raises:
        InputError: another dtype or shape.
    """
    _check.images("images", images)
    parts = [_reduced(part) for part in torch.split(images, BATCH)]
    small = torch.cat(parts)
    return [_rows(small, sides) for sides in MIRRORS]


def _reduced(images: Tensor) -> Tensor:
    size = (SIDE, SIDE)
    small = torch.nn.functional.interpolate(
        to_8_bits(images).float(), size=size, mode="bilinear", align_corners=False, antialias=True
    )
    return small.expand(-1, 3, -1, -1)


def _rows(images: Tensor, sides: Sequence[int]) -> Features:
    return np.ascontiguousarray(images.flip(list(sides)).flatten(1).numpy())
