"""What detectors share that are one network from pixels to scores: the one that is saved, scored with and exported."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from ganetics._check import number
from ganetics._random import torch_generator
from ganetics.anomaly.detector import Detector, Seen
from ganetics.anomaly.settings import FittedSettings
from ganetics.models.fanogan import initialise_

S = TypeVar("S", bound=FittedSettings)


@dataclass(frozen=True)
class Size:
    """What decides the networks."""

    image_size: int
    channels: int
    width: int
    latent_dim: int


class Scorer(nn.Module):
    """uint8 images ``[n, c, h, w]`` to the components of the score, ``[n]`` each, and last the maps ``[n, h, w]``."""

    components: tuple[str, ...]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return components and maps."""
        raise NotImplementedError


class NetworkDetector(Detector[S]):
    """A detector that is one network."""

    localises: ClassVar[bool] = True
    _scorer: Scorer

    @property
    def scorer(self) -> Scorer:
        """The network, in eval mode.

        Raises:
            InputError: it was not fitted.
        """
        _ = self.frozen
        return self._scorer

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights and buffers of the network."""
        return dict(self._scorer.state_dict())

    @abstractmethod
    def _make(self, shape: tuple[int, int, int]) -> Scorer:
        """Return the network for images ``(c, h, w)`` before training; its weights depend on the seed alone."""

    def _look(self, images: Tensor) -> Seen:
        *values, maps = self._scorer(images)
        return Seen(dict(zip(self._scorer.components, values, strict=True)), maps)

    def _fill(self, tensors: dict[str, Tensor], shape: tuple[int, int, int]) -> None:
        scorer = self._make(shape)
        scorer.load_state_dict(tensors)
        self._keep(scorer)

    def _keep(self, scorer: Scorer) -> None:
        """Score with this network from now on; in one order of memory, so that it scores the same when loaded."""
        scorer.eval().requires_grad_(False)
        self._scorer = scorer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def drawn(net: nn.Module, seed: int, role: str) -> nn.Module:
    """Return a network that was made on the meta device on the CPU, its weights drawn with the seed and the role."""
    net.to_empty(device="cpu")
    initialise_(net, torch_generator(seed, role))
    return net


def square(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Return channels and side of images.

    Raises:
        InputError: they are not square.
    """
    channels, height, width = shape
    number("width of images", width, low=height, high=height)
    return channels, height


def adam(nets: Iterable[nn.Module], rate: float, betas: tuple[float, float] = (0.9, 0.999)) -> torch.optim.Adam:
    """Return the optimizer of these networks."""
    return torch.optim.Adam([weight for net in nets for weight in net.parameters()], lr=rate, betas=betas, fused=True)
