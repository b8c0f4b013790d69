"""The real side of a comparison: features, their Gaussian, and the floor; made once and kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open

from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics._random import numpy_generator
from ganetics.data import ImageSet
from ganetics.data.cache import cache_folder, private
from ganetics.execution.process import environment
from ganetics.features._batches import Progress
from ganetics.features._files import to_safetensors
from ganetics.features.extractor import Extractor
from ganetics.metrics import Gaussian, frechet_distance, gaussian
from ganetics.records import DataIdentity, ExtractorIdentity, to_json

Rows = npt.NDArray[np.int64]
FORMAT = 1
"""Of the files in the cache and of the choice of images; a change makes old files unused."""


@dataclass(frozen=True)
class Reference:
    """Real images as a comparison sees them."""

    features: npt.NDArray[np.float32]
    """``[n, d]``, in the order of a fixed permutation of the images."""
    gaussian: Gaussian
    floor: float
    """Fréchet distance of two disjoint halves: what sampling alone gives at ``floor_count`` images a side."""
    floor_count: int
    """Images in each half: n // 2. A floor at half the size is above the floor at the full size."""
    data: DataIdentity
    extractor: ExtractorIdentity

    @property
    def rows(self) -> Rows:
        """The images' places in their set ``[n]``."""
        return _rows(self.data.count, len(self.features))

    @property
    def in_order(self) -> npt.NDArray[np.float32]:
        """The features of all images ``[n, d]`` in the order of their set, where all were used."""
        ordered = np.empty_like(self.features)
        ordered[self.rows] = self.features
        return ordered


def reference(images: ImageSet, extractor: Extractor, *, count: int, on_progress: Progress | None = None) -> Reference:
    """Return the features, Gaussian and floor of ``count`` images, or of all if there are fewer.

    The images are the first of a permutation that depends on their number alone. Features and floor are kept
    in ``cache_folder()/features`` under the identities of data and extractor, the count and what machine and
    versions they were made with; a damaged file is made again.

    Args:
        images: real images; at least four.
        extractor: what makes features of them.
        count: how many to use, at least four.
        on_progress: called with (images done, images in all) while features are made.

    Raises:
        InputError: fewer than four images (each half needs two), or images the extractor does not take.
    """
    used = min(count, len(images.images))
    if used < 4:
        raise InputError(
            f"{images.identity.name}: a reference needs at least 4 real images (2 in each half), got {used}"
        )
    key = {
        "format": FORMAT,
        "data": images.identity.model_dump(mode="json"),
        "extractor": extractor.identity.model_dump(mode="json"),
        "count": used,
        # on another machine the same network gives other last digits, and a run promises bytes
        "machine": {**environment(extractor.device), "threads": torch.get_num_threads()},
    }
    name = hashlib.sha256(to_json(key).encode()).hexdigest()[:32]
    path = cache_folder() / "features" / f"{name}.safetensors"
    shape = (used, extractor.identity.dimension)
    kept = _read(path, shape)
    if kept is None:
        order = torch.from_numpy(_rows(len(images.images), used))
        features = extractor(images.images[order], on_progress=on_progress)
        kept = features, _floor(features)
        _write(path, *kept)
    features, floor = kept
    return Reference(features, gaussian(features), floor, used // 2, images.identity, extractor.identity)


def _rows(total: int, used: int) -> Rows:
    return numpy_generator(0, "reference").permutation(total)[:used]


def _floor(features: npt.NDArray[np.float32]) -> float:
    half = len(features) // 2
    return frechet_distance(features[:half], features[half : 2 * half])


def _digest(features: npt.NDArray[np.float32]) -> str:
    return hashlib.sha256(features.tobytes()).hexdigest()


def _read(path: Path, shape: tuple[int, int]) -> tuple[npt.NDArray[np.float32], float] | None:
    """Return features and floor from the cache; None if there are none, or they are damaged."""
    try:
        with safe_open(path, framework="np") as file:
            features: npt.NDArray[np.float32] = file.get_tensor("features")
            metadata = file.metadata() or {}
        if features.shape != shape or metadata["sha256"] != _digest(features):
            return None
        return features, float(metadata["floor"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return None


def _write(path: Path, features: npt.NDArray[np.float32], floor: float) -> None:
    # The cache only saves time: a full disk or a read-only folder must not end an evaluation.
    with contextlib.suppress(OSError):
        private(path.parent)
        metadata = {"floor": repr(floor), "sha256": _digest(features)}
        write_atomically(path, to_safetensors({"features": torch.from_numpy(features)}, metadata))
