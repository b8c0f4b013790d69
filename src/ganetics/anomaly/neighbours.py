"""Distance to the nearest normal images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ganetics._check import InputError
from ganetics.anomaly.detector import Detector, Place, Seen
from ganetics.anomaly.settings import NeighboursSettings
from ganetics.features import load_extractor

SIDE = 16


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


TRIVIAL: Mapping[str, Callable[[Tensor], Tensor]] = {
    "colour": colour, "brightness": brightness, "contrast": contrast, "pixels": pixels
}  # fmt: skip


class Neighbours(Detector[NeighboursSettings]):
    """Mean Euclidean distance to the k nearest images that it was fitted on.

    Features of a network are brought to unit length, as in Sun et al. 2022 (arXiv 2204.06507): their length says
    much of contrast and little of what is seen.
    """

    _normal: Tensor
    """Features ``[m, d]`` of the images that it was fitted on."""

    def __init__(self, settings: NeighboursSettings | None = None, *, seed: int = 0) -> None:
        """Load the extractor, where the features are not trivial.

        Raises:
            MissingDependencyError: its weights are not installed.
        """
        super().__init__(settings or NeighboursSettings(), seed=seed)
        name = self.settings.features
        self._extractor = None if name in TRIVIAL else load_extractor(name)

    def weights(self) -> Mapping[str, float]:
        """Return component of the score → weight."""
        return {"distance": 1.0}

    def tensors(self) -> dict[str, Tensor]:
        """Return the features of the images that it was fitted on."""
        return {"normal": self._normal}

    def _learn(self, fit: Tensor, held_out: Tensor, place: Place) -> None:
        if self.settings.k > len(fit):
            raise InputError(f"k must be at most the {len(fit)} images that are fitted on, got {self.settings.k}")
        self._normal = self._features(fit, place)

    def _look(self, images: Tensor) -> Seen:
        # by differences, not by a product of matrices: exactly 0 for equal images, and the same in every batch
        distances = torch.cdist(self._features(images), self._normal, compute_mode="donot_use_mm_for_euclid_dist")
        return Seen({"distance": distances.topk(self.settings.k, dim=1, largest=False).values.mean(dim=1)})

    def _fill(self, tensors: dict[str, Tensor], shape: tuple[int, int, int]) -> None:
        self._normal = tensors["normal"]

    def _features(self, images: Tensor, place: Place | None = None) -> Tensor:
        if self._extractor is None:
            return TRIVIAL[self.settings.features](images)
        on_progress = None if place is None else place.tell
        features = torch.from_numpy(self._extractor(images, on_progress=on_progress))
        return nn.functional.normalize(features, dim=1)
