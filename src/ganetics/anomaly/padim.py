"""A Gaussian of features at each place: what is normal there."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganetics._random import torch_generator
from ganetics.anomaly.detector import BATCH, Detector, Place, Seen
from ganetics.anomaly.settings import PadimSettings
from ganetics.features.efficientnet import EfficientNetExtractor

CHANNELS, SIDE = 176, 16


class Padim(Detector[PadimSettings]):
    """Mahalanobis distance of each place's features to those of normal images at the same place.

    Three maps of EfficientNet-Lite0 are brought to 16×16 places and a random part of their channels is kept. A place's
    distance makes the map, the largest (or their mean) the score. Source: Defard et al. 2021, arXiv 2011.08785 (there
    with ResNet-18 or a larger net, and a smoothed map).
    """

    localises = True
    _mean: Tensor
    """``[places, d]``."""
    _whiten: Tensor
    """``[places, d, d]``: the inverse of the covariance's Cholesky factor."""
    _channels: Tensor
    """``[d]``: which are kept."""

    def __init__(self, settings: PadimSettings | None = None, *, seed: int = 0) -> None:
        """Load the network.

        Raises:
            MissingDependencyError: its weights are not installed.
        """
        super().__init__(settings or PadimSettings(), seed=seed)
        self._extractor = EfficientNetExtractor()

    def weights(self) -> Mapping[str, float]:
        """Return component of the score → weight."""
        return {"distance": 1.0}

    def tensors(self) -> dict[str, Tensor]:
        """Return the Gaussians and the channels that they are of."""
        return {"mean": self._mean, "whiten": self._whiten, "channels": self._channels}

    def _learn(self, fit: Tensor, held_out: Tensor, place: Place) -> None:
        order = torch.randperm(CHANNELS, generator=torch_generator(self.seed, "padim"))
        self._channels = order[: self.settings.dimensions].sort().values
        d = len(self._channels)
        total, squares = torch.zeros(SIDE**2, d).double(), torch.zeros(SIDE**2, d, d).double()
        # in float64, so that a large mean leaves its digits to the covariance
        for start in range(0, len(fit), BATCH):
            features = self._features(fit[start : start + BATCH]).double()
            total += features.sum(dim=1)
            squares += features.mT @ features
            place.tell(min(start + BATCH, len(fit)), len(fit))
        mean = total / len(fit)
        covariance = (squares - len(fit) * mean[:, :, None] * mean[:, None, :]) / (len(fit) - 1)
        covariance += self.settings.shrinkage * torch.eye(d).double()
        factor = torch.linalg.cholesky(covariance)
        unit = torch.eye(d).double().expand_as(factor)
        self._mean = mean.float()
        self._whiten = torch.linalg.solve_triangular(factor, unit, upper=False).float().contiguous()

    def _look(self, images: Tensor) -> Seen:
        away = self._features(images) - self._mean[:, None]
        distances = (away @ self._whiten.mT).norm(dim=2).T  # [n, places]
        places = distances.reshape(len(images), 1, SIDE, SIDE)
        size = (images.shape[2], images.shape[3])
        maps = nn.functional.interpolate(places, size=size, mode="bilinear", align_corners=False)[:, 0]
        score = distances.amax(dim=1) if self.settings.pool == "max" else distances.mean(dim=1)
        return Seen({"distance": score}, maps)

    def _fill(self, tensors: dict[str, Tensor], shape: tuple[int, int, int]) -> None:
        self._mean, self._whiten, self._channels = tensors["mean"], tensors["whiten"], tensors["channels"]

    def _features(self, images: Tensor) -> Tensor:
        """Return ``[places, n, d]``."""
        fine, middle, coarse = self._extractor.maps(images)
        size = (SIDE, SIDE)
        maps = [
            nn.functional.adaptive_avg_pool2d(fine, size),
            middle,
            nn.functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False),
        ]
        chosen = torch.cat(maps, dim=1)[:, self._channels]
        return chosen.flatten(2).permute(2, 0, 1)
