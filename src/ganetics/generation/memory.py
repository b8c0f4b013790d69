"""What a generator was trained on, as the check for copies sees it; and small changes that the check must see through.

The rule is that of :mod:`ganetics.metrics.copies`, in two views: the direction of the extractor's features, and the
image as 8×8 pixels, mirrored too. Neither sees all: features move far under noise and under the blocks of a JPEG, large
pixels under a shift.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from ganetics._check import InputError
from ganetics._random import torch_generator
from ganetics.data import ImageSet, to_8_bits
from ganetics.data.imageset import hash_of
from ganetics.features.coarse import coarse, directions
from ganetics.metrics.copies import FEWEST_GROUPS, Copies, Known, known, look

Features = npt.NDArray[np.float32]
QUALITY = 75
"""Of JPEG, of 100."""
NOISE = 5.0
"""Standard deviation, gray levels of 255."""
REPLAYED = 200
"""Training images that are changed, at most: every so manieth."""


class Memory:
    """The training images, and what is near enough to one of them to be its copy."""

    def __init__(self, images: ImageSet, features: Features) -> None:
        """Find out from which distance on images are copies.

        Args:
            images: those that were trained on, with their groups where they are known.
            features: of the extractor ``[n, d]``, in the same order.

        Raises:
            InputError: fewer than three different images.
        """
        self.images = images
        groups = _groups(images)
        try:
            self._features: Known = known([directions(features)], groups=groups)
            self._pixels: Known = known(coarse(images.images), groups=groups)
        except InputError as error:
            raise InputError(f"training images: {error}") from None

    @property
    def groups(self) -> int | None:
        """Patients, sequences … that strangers are told by; None: every image is a stranger to every other."""
        found = len(set(self.images.groups))
        return found if found >= FEWEST_GROUPS else None

    @property
    def limits(self) -> dict[str, dict[str, float]]:
        """View → limits of the two conditions within which an image is a copy: distance, and ratio."""
        views = {"features": self._features, "pixels": self._pixels}
        return {name: {"distance": view.distance, "ratio": view.ratio} for name, view in views.items()}

    def look(self, images: Tensor, features: Features) -> Copies:
        """Say how near images are to training images.

        Args:
            images: uint8 or uint16 ``[n, c, h, w]``.
            features: theirs ``[n, d]``.

        Raises:
            InputError: features of another dimension.
        """
        return look([(self._features, [directions(features)]), (self._pixels, coarse(images))])


def _groups(images: ImageSet) -> list[str]:
    """Return the group of each image; equal images are of one, the first's: they are no strangers."""
    own = images.groups or tuple(map(str, range(len(images))))
    first: dict[str, str] = {}
    return [
        first.setdefault(hash_of(image[None].numpy()), group) for image, group in zip(images.images, own, strict=True)
    ]


def replayed(images: Tensor, count: int = REPLAYED) -> dict[str, Tensor]:
    """Return training images as they are and slightly changed: kind of change → uint8 ``[n, c, h, w]``.

    Args:
        images: uint8 or uint16 ``[n, c, h, w]``.
        count: so many of them at most, from the whole list.
    """
    rows = np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(np.int64))
    chosen = to_8_bits(images[torch.from_numpy(rows)])
    return {name: change(chosen) for name, change in CHANGES.items()}


def _moved(images: Tensor) -> Tensor:
    """Return the images one pixel further to the right; the column on the left is there twice."""
    return torch.cat([images[..., :1], images[..., :-1]], dim=-1)


def _noisy(images: Tensor) -> Tensor:
    noise = torch.randn(images.shape, generator=torch_generator(0, "noise of the copy check"))
    return (images.float() + NOISE * noise).round_().clamp_(0, 255).to(torch.uint8)


def _jpeg(images: Tensor) -> Tensor:
    return torch.stack([_encoded(image) for image in images])


def _encoded(image: Tensor) -> Tensor:
    pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(pixels.contiguous().numpy()).save(file, "JPEG", quality=QUALITY)
    back = torch.from_numpy(np.array(Image.open(file)))
    return back[None] if len(image) == 1 else back.permute(2, 0, 1)


CHANGES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "as they are": lambda images: images,
    "mirrored": lambda images: images.flip(-1),
    "moved by a pixel": _moved,
    f"with noise of {NOISE:g} gray levels": _noisy,
    f"as JPEG of quality {QUALITY}": _jpeg,
}
"""Kind of change → the change, uint8 ``[n, c, h, w]`` to the same."""
