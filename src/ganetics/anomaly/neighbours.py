"""Distance to the nearest normal images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ganetics._check import InputError
from ganetics.anomaly.detector import BATCH, Detector, Place, Seen
from ganetics.anomaly.settings import NeighboursSettings
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
    """Return what makes features ``[n, d]`` of unit length."""
    extractor = load_extractor(name)
    return lambda images: nn.functional.normalize(torch.from_numpy(extractor(images)), dim=1)


def deviations() -> Extract:
    """Return what makes the standard deviation over the places of each channel of three maps ``[n, 176]``."""
    extractor = EfficientNetExtractor()

    def extract(images: Tensor) -> Tensor:
        return torch.cat([one.flatten(2).std(dim=2) for one in extractor.maps(images)], dim=1)

    return extract


class Neighbours(Detector[NeighboursSettings]):
    """Mean Euclidean distance to the k nearest images that it was fitted on.

    Features of a network's last layer are brought to unit length, as in Sun et al. 2022 (arXiv 2204.06507): their
    length says much of contrast and little of what is seen. Deviations of maps are in those of the normal images.
    """

    _normal: Tensor
    """Features ``[m, d]`` of the images that it was fitted on."""
    _scale: Tensor
    """``[d]``: what features are divided by."""

    def __init__(self, settings: NeighboursSettings | None = None, *, seed: int = 0) -> None:
        """Load the extractor, where the features are not trivial.

        Raises:
            MissingDependencyError: its weights are not installed.
        """
        super().__init__(settings or NeighboursSettings(), seed=seed)
        name = self.settings.features
        self._extract = TRIVIAL[name] if name in TRIVIAL else deviations() if name == MAPS else last_layer(name)

    def weights(self) -> Mapping[str, float]:
        """Return component of the score → weight."""
        return {"distance": 1.0}

    def tensors(self) -> dict[str, Tensor]:
        """Return the features of the images that it was fitted on."""
        return {"normal": self._normal, "scale": self._scale}

    def _learn(self, fit: Tensor, held_out: Tensor, place: Place) -> None:
        if self.settings.k > len(fit):
            raise InputError(f"k must be at most the {len(fit)} images that are fitted on, got {self.settings.k}")
        features = self._features(fit, place)
        scaled = self.settings.features == MAPS
        self._scale = features.std(dim=0) + EPSILON if scaled else torch.ones_like(features[0])
        self._normal = features / self._scale

    def _look(self, images: Tensor) -> Seen:
        # by differences, not by a product of matrices: exactly 0 for equal images, and the same in every batch
        features = self._features(images) / self._scale
        distances = torch.cdist(features, self._normal, compute_mode="donot_use_mm_for_euclid_dist")
        return Seen({"distance": distances.topk(self.settings.k, dim=1, largest=False).values.mean(dim=1)})

    def _fill(self, tensors: dict[str, Tensor], shape: tuple[int, int, int]) -> None:
        self._normal, self._scale = tensors["normal"], tensors["scale"]

    def _features(self, images: Tensor, place: Place | None = None) -> Tensor:
        parts = []
        for start in range(0, len(images), BATCH):
            parts.append(self._extract(images[start : start + BATCH]))
            if place is not None:
                place.tell(min(start + BATCH, len(images)), len(images))
        return torch.cat(parts)
