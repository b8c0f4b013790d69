"""Where an image is abnormal, from files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ganetics._check import InputError
from ganetics.anomaly.images import files_in
from ganetics.data.decode import as_8_bits, fitted, read_named
from ganetics.data.folder import EXTENSIONS

Mask = npt.NDArray[np.bool_]
HALF = 127


def masks_of(images: Mapping[str, Path], folder: Path, *, image_size: int | None) -> list[Mask]:
    """Return the mask ``[h, w]`` of each image: true where the mask's file is brighter than half.

    Args:
        images: what an image is called → its file, which its mask has the size of.
        folder: holds a mask for each, of the same name but for the ending.
        image_size: cut and resized as the images are; None: as it is.

    Raises:
        InputError: a mask is missing, cannot be read, or is of another size than its image.
    """
    if not folder.is_dir():
        raise InputError(f"masks: {folder} must be a folder, got {'a file' if folder.exists() else 'nothing there'}")
    found: dict[str, Path] = {}
    for file, name in files_in([folder]):
        if found.setdefault(_without_ending(name), file) != file:
            raise InputError(f"masks: {folder} must hold one mask for each image, got two for {_without_ending(name)}")
    return [_mask(name, file, found.get(_without_ending(name)), folder, image_size) for name, file in images.items()]


def _without_ending(name: str) -> str:
    """Return a name without the ending of an image; of a UID the last number is no ending."""
    path = Path(name)
    return str(path.with_suffix("")) if path.suffix.lower() in EXTENSIONS else name


def _mask(name: str, image: Path, file: Path | None, folder: Path, image_size: int | None) -> Mask:
    if file is None:
        raise InputError(f"masks: {folder} must hold a mask for each abnormal image, got none for {name}")
    pixels, seen = as_8_bits(read_named(file)).max(axis=0, keepdims=True), read_named(image)
    if pixels.shape[1:] != seen.shape[1:]:
        sizes = [f"{part.shape[2]}×{part.shape[1]}" for part in (seen, pixels)]
        raise InputError(f"masks: {file} must be {sizes[0]} as its image is, got {sizes[1]}")
    if image_size is not None:
        pixels = fitted(pixels, image_size)
    return np.asarray(pixels[0] > HALF)
