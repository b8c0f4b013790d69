"""A set of images in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganetics.records import DataIdentity

Pixels = npt.NDArray[np.unsignedinteger[Any]]
"""uint8 or uint16."""
WIDE = 257
"""Times an 8-bit value is the same gray in 16 bits: 255 becomes 65535."""


@dataclass(frozen=True)
class Skipped:
    """An image that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class ImageSet:
    """Images and what is known of them.

    Attributes:
        images: uint8 or, where the files have more than 8 bits, uint16 ``[n, c, h, w]``, c 1 or 3. May lie in a file
            that is read as needed: do not write to it.
        labels: int64 ``[n]``, or None where there are no classes.
        identity: equal identities mean equal tensors.
        skipped: images that were left out.
        classes: names of the labels 0, 1 …; empty where there are none.
        groups: the patient, sequence … of each image, where groups were given; else empty.
    """

    images: Tensor
    labels: Tensor | None
    identity: DataIdentity
    skipped: tuple[Skipped, ...] = ()
    classes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


def image_set(
    name: str,
    split: str,
    pixels: Pixels,
    labels: npt.NDArray[np.int64] | None,
    skipped: tuple[Skipped, ...] = (),
    sha256: str | None = None,
) -> ImageSet:
    """Return the set of these pixels ``[n, c, h, w]``; ``sha256`` if it is known already."""
    count, channels, height, width = pixels.shape
    identity = DataIdentity(
        name=name,
        split=split,
        sha256=sha256 or hash_of(pixels),
        count=count,
        channels=channels,
        height=height,
        width=width,
    )
    tensor = None if labels is None else torch.from_numpy(np.ascontiguousarray(labels))
    return ImageSet(torch.from_numpy(pixels), tensor, identity, skipped)


def hash_of(pixels: Pixels) -> str:
    """Return the SHA-256 of shape and bytes."""
    digest = hashlib.sha256(repr(tuple(int(side) for side in pixels.shape)).encode())
    for start in range(0, len(pixels), 1000):  # a block at a time: the array may be a file larger than memory
        digest.update(np.ascontiguousarray(pixels[start : start + 1000]).tobytes())
    return digest.hexdigest()


def to_8_bits(images: Tensor) -> Tensor:
    """Return uint8 images: those of 16 bits are scaled by their full range (65535 becomes 255) and rounded.

    >>> to_8_bits(torch.tensor([0, 128, 129, 65535], dtype=torch.uint16))
    tensor([  0,   0,   1, 255], dtype=torch.uint8)
    """
    return images if images.dtype == torch.uint8 else images.float().div_(WIDE).round_().to(torch.uint8)
