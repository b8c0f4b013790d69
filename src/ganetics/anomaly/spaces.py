"""Spaces in which images are compared: features of a frozen network, and trivial ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ganetics.anomaly.detector import BATCH, Place
from ganetics.features import load_extractor
from ganetics.features.efficientnet import EfficientNetExtractor

SIDE = 16
MAPS = "efficientnet-lite0-maps"
EPSILON = 1e-6


def colour(images: Tensor) -> Tensor:
    """Return the mean of each channel ``[n, c]``, 0 to 1."""
    return images.double().mean(dim=(2, 3)) / 255.0


def brightness(images: Tensor) -> Tensor:
    """Return the mean of everything ``[n, 1]``, 0 to 1."""
    return images.double().mean(dim=(1, 2, 3))[:, None] / 255.0


def contrast(images: Tensor) -> Tensor:
    """Return the standard deviation of each channel ``[n, c]``, 0 to 0.5."""
    return images.double().flatten(2).std(dim=2, correction=0) / 255.0


def pixels(images: Tensor) -> Tensor:
    """Return the means of 16×16 cells ``[n, c·256]``, 0 to 1."""
    return nn.functional.adaptive_avg_pool2d(images.double(), SIDE).flatten(1) / 255.0


Extract = Callable[[Tensor], Tensor]
TRIVIAL: Mapping[str, Extract] = {
    "colour": colour, "brightness": brightness, "contrast": contrast, "pixels": pixels
}  # fmt: skip


def last_layer(name: str) -> Extract:
    """Return what makes features ``[n, d]`` of unit length.

    As in Sun et al. 2022 (arXiv 2204.06507): their length says much of contrast and little of what is seen.
    """
    extractor = load_extractor(name)
    return lambda images: nn.functional.normalize(torch.from_numpy(extractor(images)), dim=1)


def deviations() -> Extract:
    """Return what makes the standard deviation over the places of each channel of three maps ``[n, 176]``."""
    extractor = EfficientNetExtractor()

    def extract(images: Tensor) -> Tensor:
        return torch.cat([one.flatten(2).std(dim=2) for one in extractor.maps(images)], dim=1)

    return extract


class Space:
    """Where images are compared.

    Args:
        name: of the features, as in :attr:`ganetics.anomaly.settings.NeighboursSettings.features`.

    Raises:
        MissingDependencyError: weights are not installed.
    """

    def __init__(self, name: str) -> None:
        self._own_scales = name == MAPS
        self._extract = TRIVIAL[name] if name in TRIVIAL else deviations() if name == MAPS else last_layer(name)

    def features(self, images: Tensor, place: Place | None = None) -> Tensor:
        """Return ``[n, d]`` of uint8 images ``[n, c, h, w]``."""
        parts = []
        for start in range(0, len(images), BATCH):
            parts.append(self._extract(images[start : start + BATCH]))
            if place is not None:
                place.tell(min(start + BATCH, len(images)), len(images))
        return torch.cat(parts)

    def scale(self, normal: Tensor) -> Tensor:
        """Return what features are divided by ``[d]``, from those of normal images: 1 where they have one scale."""
        return normal.std(dim=0) + EPSILON if self._own_scales else torch.ones_like(normal[0])
