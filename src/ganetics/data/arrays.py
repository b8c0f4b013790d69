"""MedMNIST (Yang et al. 2023, doi 10.1038/s41597-022-01721-8) and what is stored like it: one npz with all splits.

Its arrays are ``train_images`` and ``train_labels``, and the same with ``val_`` and ``test_``: images ``[n, h, w]`` or
``[n, h, w, 3]``, uint8 or uint16, labels ``[n]`` or ``[n, 1]``, whole numbers.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ganetics._check import InputError
from ganetics.data.imageset import Pixels
from ganetics.data.listing import Entry, Listing, written

PARTS = {"train": "train", "validation": "val", "test": "test"}
"""Split → how its arrays' names begin."""
PREFIX = "medmnist:"
"""What the names of these data sets begin with."""


def list_medmnist(dataset: str, data_dir: Path | None) -> Listing:
    """Return the images of ``medmnist:NAME``: of the file NAME.npz in a folder.

    Raises:
        InputError: no folder is named, the file is not in it, or is none of MedMNIST.
    """
    name = f"{dataset.removeprefix(PREFIX)}.npz"
    put = f"put {name} of MedMNIST into a folder and name it with --data-dir"
    if data_dir is None:
        raise InputError(f"{dataset}: is not fetched: {put}")
    if Path(name).name != name or not (data_dir / name).is_file():
        raise InputError(f"{dataset}: no file {name} in {data_dir}: {put}")
    return list_arrays(data_dir / name, dataset)


def list_arrays(file: Path, name: str | None = None) -> Listing:
    """Return the images of an npz file. Labels of more than one column, as for several findings, are left out.

    Raises:
        InputError: it cannot be read, an array is missing, or of another kind.
    """
    file = file.resolve()
    where = written(file)
    arrays = _Arrays(file, where)
    sizes = {split: arrays.images_header(prefix)[0] for split, prefix in PARTS.items()}
    labels = {split: arrays.labels(prefix, sizes[split]) for split, prefix in PARTS.items()}
    known = [part for part in labels.values() if part is not None]
    names = sorted({int(value) for part in known for value in part}) if len(known) == len(PARTS) else []
    places, entries = [], []
    for split, count in sizes.items():
        of_split = labels[split]
        for index in range(count):
            label = str(of_split[index]) if names and of_split is not None else None
            entries.append(Entry(f"{PARTS[split]}/{index:06d}", label, split=split, stratum=label or ""))
            places.append((PARTS[split], index))
    stat = file.stat()
    gray = len(arrays.images_header("train")) == 3
    return Listing(
        name=name or written(file.stem),
        where=where,
        entries=tuple(entries),
        classes=tuple(map(str, names)),
        read=lambda place: arrays.image(*places[place]),
        is_gray=lambda _: gray,
        key={"size": stat.st_size, "changed": stat.st_mtime_ns},
    )


class _Arrays:
    """The arrays of a file, each read when it is first asked for."""

    def __init__(self, file: Path, where: str) -> None:
        self.file, self.where = file, where
        self._kept: dict[str, npt.NDArray[Any]] = {}

    def _array(self, name: str) -> npt.NDArray[Any]:
        if name not in self._kept:
            try:
                # opened here: NumPy leaves a damaged file open
                with self.file.open("rb") as file, np.load(file, allow_pickle=False) as found:
                    self._kept[name] = found[name]
            except Exception as error:  # noqa: BLE001 - readers of damaged files raise anything
                raise InputError(f"{self.where}: {name} cannot be read: {_reason(error)}") from None
        return self._kept[name]

    def images_header(self, prefix: str) -> tuple[int, ...]:
        """Return the shape of a split's images without reading them."""
        name = f"{prefix}_images"
        try:
            with zipfile.ZipFile(self.file) as archive, archive.open(f"{name}.npy") as stream:
                read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                shape, _, kind = read[np.lib.format.read_magic(stream)](stream)
                held = archive.getinfo(f"{name}.npy").file_size - stream.tell()
        except KeyError:
            raise InputError(f"{self.where}: must hold an array {name}, got {', '.join(self._names()[:8])}") from None
        except Exception as error:  # noqa: BLE001 - as above
            raise InputError(f"{self.where}: must be an npz file: {_reason(error)}") from None
        if kind not in (np.uint8, np.uint16) or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] != 3):
            raise InputError(
                f"{self.where}: {name} must be uint8 or uint16 [n, h, w] or [n, h, w, 3], got {kind} {list(shape)}"
            )
        if (said := math.prod(shape) * kind.itemsize) != held:
            raise InputError(f"{self.where}: {name} must hold the {said} bytes that its header says, got {held}")
        return tuple(shape)

    def _names(self) -> list[str]:
        with zipfile.ZipFile(self.file) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]

    def labels(self, prefix: str, count: int) -> npt.NDArray[np.int64] | None:
        """Return the labels ``[n]`` of a split, or None where there are none, or several for an image."""
        name = f"{prefix}_labels"
        if name not in self._names():
            return None
        found = self._array(name)
        if found.ndim == 2 and found.shape[1] > 1:
            return None
        if found.dtype.kind not in "iu" or found.size != count:
            raise InputError(
                f"{self.where}: {name} must be {count} whole numbers, got {found.dtype} {list(found.shape)}"
            )
        return found.reshape(count).astype(np.int64)

    def image(self, prefix: str, index: int) -> Pixels:
        """Return an image ``[c, h, w]``."""
        pixels = self._array(f"{prefix}_images")[index]
        return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
