"""Distance to the nearest normal images."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ganetics._check import InputError
from ganetics.anomaly.detector import Detector, Place, Seen
from ganetics.anomaly.settings import NeighboursSettings
from ganetics.anomaly.spaces import Space


class Neighbours(Detector[NeighboursSettings]):
    """Mean Euclidean distance to the k nearest images that it was fitted on.

    Features of a network's last layer are of unit length, deviations of maps in those of the normal images.
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
        self._space = Space(self.settings.features)

    def weights(self) -> Mapping[str, float]:
        """Return component of the score → weight."""
        return {"distance": 1.0}

    def tensors(self) -> dict[str, Tensor]:
        """Return the features of the images that it was fitted on."""
        return {"normal": self._normal, "scale": self._scale}

    def _learn(self, fit: Tensor, held_out: Tensor, place: Place) -> None:
        if self.settings.k > len(fit):
            raise InputError(f"k must be at most the {len(fit)} images that are fitted on, got {self.settings.k}")
        features = self._space.features(fit, place)
        self._scale = self._space.scale(features)
        self._normal = features / self._scale

    def _look(self, images: Tensor) -> Seen:
        # by differences, not by a product of matrices: exactly 0 for equal images, and the same in every batch
        features = self._space.features(images) / self._scale
        distances = torch.cdist(features, self._normal, compute_mode="donot_use_mm_for_euclid_dist")
        return Seen({"distance": distances.topk(self.settings.k, dim=1, largest=False).values.mean(dim=1)})

    def _fill(self, tensors: dict[str, Tensor], shape: tuple[int, int, int]) -> None:
        self._normal, self._scale = tensors["normal"], tensors["scale"]
