"""What an extractor is, and the four there are by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ganetics import _check
from ganetics.features import efficientnet, inception
from ganetics.features._batches import Progress
from ganetics.features.classifier import ClassifierExtractor, shipped_weights
from ganetics.records import ExtractorIdentity


class Extractor(Protocol):
    """Images to features. Deterministic; features do not depend on the batch (to 1e-5)."""

    identity: ExtractorIdentity
    """Name, version, hash of the weights, resize filter: figures of different ones are never compared."""
    device: str
    """Where it computes."""

    def __call__(self, images: Tensor, *, on_progress: Progress | None = None) -> npt.NDArray[np.float32]:
        """Return float32 ``[n, d]`` for uint8 images ``[n, c, h, w]``; batches inside, no gradients.

        Images of 16 bits are brought to 8 (65535 becomes 255): the networks know no more, and so features of 8-bit
        samples can be compared with them.

        ``on_progress`` is called with (images done, images in all) after every batch.

        Raises:
            InputError: not uint8 or uint16 images, or of a shape that this extractor does not take.
        """
        ...


class Make(Protocol):
    """Make an extractor, from the weights at a path or from the installed ones."""

    def __call__(self, *, weights: Path | None, device: str) -> Extractor: ...


@dataclass(frozen=True)
class Known:
    """How to make an extractor, and where its weights are."""

    make: Make
    locate: Callable[[], Path]
    """Raises MissingDependencyError, with what to install, if they are absent."""


EXTRACTORS: dict[str, Known] = {
    "digits-classifier": Known(partial(ClassifierExtractor, "digits"), partial(shipped_weights, "digits")),
    "mnist-classifier": Known(partial(ClassifierExtractor, "mnist"), partial(shipped_weights, "mnist")),
    "inception": Known(inception.InceptionExtractor, inception.locate),
    "efficientnet-lite0": Known(efficientnet.EfficientNetExtractor, efficientnet.locate),
}

DEFAULTS: dict[str, str] = {"digits": "digits-classifier", "mnist": "mnist-classifier"}
"""Data sets with an extractor of their own; all others get efficientnet-lite0."""


def load_extractor(name: str, *, weights: Path | None = None, device: str = "cpu") -> Extractor:
    """Return the extractor called ``name``: a key of :data:`EXTRACTORS`.

    Args:
        name: "digits-classifier", "mnist-classifier", "inception" or "efficientnet-lite0".
        weights: read the weights here and not from the installed package.
        device: a PyTorch device.

    Raises:
        InputError: an unknown name, or weights that are damaged or not the known ones.
        MissingDependencyError: the weights are not installed; the message says how to install them.

    >>> load_extractor("digits-classifier").identity.dimension
    64
    """
    return EXTRACTORS[_check.one_of("extractor", name, EXTRACTORS)].make(weights=weights, device=device)


def default_extractor(dataset: str) -> str:
    """Return the name of the extractor that scores a data set if none is named.

    >>> default_extractor("mnist"), default_extractor("/some/folder")
    ('mnist-classifier', 'efficientnet-lite0')
    """
    return DEFAULTS.get(dataset, "efficientnet-lite0")
