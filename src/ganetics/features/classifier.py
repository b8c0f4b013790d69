"""In-domain features: the penultimate layer of a small classifier trained on the data set itself.

ImageNet features say little about 8×8 or 28×28 digits, and cost 1000 times more. The weights ship with the
package; ``python -m ganetics.features.train_classifier`` makes them again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ganetics._check import InputError
from ganetics.features import _files
from ganetics.features._batches import Progress, extract
from ganetics.records import ExtractorIdentity

DIMENSION = 64
BATCH_SIZE = 256
VERSION = "1"
"""Of the architecture and the scaling of inputs; part of the identity."""


@dataclass(frozen=True)
class Domain:
    """The images that one in-domain classifier knows."""

    image_size: int
    channels: int
    classes: int


DOMAINS: dict[str, Domain] = {
    "digits": Domain(image_size=8, channels=1, classes=10),
    "mnist": Domain(image_size=28, channels=1, classes=10),
}


class Classifier(nn.Module):
    """Three convolutions, a 2×2 grid of averages, a layer of 64 features, the logits of the classes.

    The activation before the logits is GELU and not ReLU: a ReLU leaves features that are zero for every
    image, which make covariances singular. The first convolution halves the size at once, since maps of full
    size would cost most of the time.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.hidden = nn.Linear(4 * 64, DIMENSION)
        self.logits = nn.Linear(DIMENSION, classes)

    def features(self, images: Tensor) -> Tensor:
        """Return ``[n, 64]`` for uint8 images ``[n, c, h, w]``."""
        scaled = images.float() / 127.5 - 1.0
        return nn.functional.gelu(self.hidden(self.convolutions(scaled)))

    def forward(self, images: Tensor) -> Tensor:
        """Return class logits ``[n, classes]`` for uint8 images ``[n, c, h, w]``."""
        logits: Tensor = self.logits(self.features(images))
        return logits


def build_classifier(domain: Domain) -> Classifier:
    """Return the network with uninitialised weights: no global random state is drawn from."""
    with torch.device("meta"):
        network = Classifier(domain.channels, domain.classes)
    return network.to_empty(device="cpu")


class ClassifierExtractor:
    """Features of one data set's own classifier; refuses images of another size or number of channels."""

    def __init__(self, dataset: str, *, weights: Path | None = None, device: str = "cpu") -> None:
        """Load the shipped weights of ``dataset`` ("digits" or "mnist"), or those at ``weights``.

        Raises:
            InputError: the file is missing, damaged, or holds another network or data set.
        """
        path = shipped_weights(dataset) if weights is None else weights
        name, self.domain = f"{dataset}-classifier", DOMAINS[dataset]
        what = f"weights of {name}"
        tensors, metadata, digest = read_weights(path, what)
        if metadata.get("dataset") != dataset:
            raise InputError(f"{what}: {path} must be trained on {dataset}, got {metadata.get('dataset')}")
        network = build_classifier(self.domain)
        try:
            network.load_state_dict(tensors)
        except RuntimeError:
            raise InputError(f"{what}: {path} does not hold this network's tensors") from None
        self.identity = ExtractorIdentity(
            name=name, version=VERSION, weights_sha256=digest, resize="none", dimension=DIMENSION
        )
        self._network = network.eval().requires_grad_(False).to(device)
        self.device = device

    def __call__(self, images: Tensor, *, on_progress: Progress | None = None) -> npt.NDArray[np.float32]:
        """Return float32 features ``[n, 64]`` of uint8 images ``[n, c, h, w]``.

        Raises:
            InputError: not uint8, or of another size or number of channels than the classifier's.
        """
        side, channels = self.domain.image_size, self.domain.channels
        if tuple(images.shape[1:]) != (channels, side, side):
            raise InputError(
                f"{self.identity.name} takes images of shape [n, {channels}, {side}, {side}], got {list(images.shape)}"
            )
        return extract(
            self._network.features,
            images,
            dimension=DIMENSION,
            batch_size=BATCH_SIZE,
            device=self.device,
            on_progress=on_progress,
        )


def shipped_weights(dataset: str) -> Path:
    """Return the path of the weights that ship with the package."""
    return Path(str(resources.files("ganetics.features"))) / "weights" / f"{dataset}-classifier.safetensors"


def read_weights(path: Path, what: str) -> tuple[dict[str, Tensor], dict[str, str], str]:
    """Return a safetensors file's tensors, its metadata, and the SHA-256 of its bytes.

    Raises:
        InputError: the file is missing or damaged.
    """
    digest = hashlib.sha256(_files.read(path, what)).hexdigest()
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}, digest
    except SafetensorError as error:
        raise InputError(f"{what}: {path} is not a safetensors file: {error}") from None
