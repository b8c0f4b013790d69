"""MNIST (LeCun et al. 1998): 60,000 and 10,000 digits of 28×28, in IDX files."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ganetics._check import InputError
from ganetics.data.cache import Decoded, cached
from ganetics.data.download import fetch
from ganetics.data.imageset import ImageSet

URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""Of the compressed files."""
PARTS = {"train": slice(0, 50_000), "validation": slice(50_000, 60_000), "test": slice(None), "all": slice(None)}
PUT = "put the four *-ubyte.gz files of MNIST into a folder and name it with --data-dir"


def load_mnist(split: str, data_dir: Path | None) -> ImageSet:
    """Return the split ``[n, 1, 28, 28]``: train the first 50,000 of the training file, validation its last 10,000.

    Raises:
        InputError: the files are not there, or damaged.
    """
    kind = "t10k" if split == "test" else "train"
    files = [_file(f"{kind}-{part}", data_dir) for part in ("images-idx3-ubyte", "labels-idx1-ubyte")]

    def decode() -> Decoded:
        images, labels = _read_idx(files[0], 3), _read_idx(files[1], 1)
        if len(images) != len(labels):
            raise InputError(f"{files[1]}: must hold {len(images)} labels, as there are images, got {len(labels)}")
        part = PARTS[split]
        if len(images) <= (part.start or 0):
            raise InputError(f"{files[0]}: must hold more than {part.start or 0} images for {split}, got {len(images)}")
        return np.ascontiguousarray(images[part, None]), labels[part].astype(np.int64), ()

    key = {"files": [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]}
    return cached("mnist", split, key, decode)


def _file(name: str, data_dir: Path | None) -> Path:
    if data_dir is None:
        return fetch(f"{URL}{name}.gz", f"md5:{MD5[name]}", put=PUT)
    for folder in (data_dir, data_dir / "mnist", data_dir / "MNIST" / "raw"):
        for candidate in (folder / f"{name}.gz", folder / name):
            if candidate.is_file():
                return candidate
    raise InputError(f"mnist: no file {name}.gz in {data_dir}: {PUT}")


def _read_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """Read an IDX file of bytes: magic number, sizes as big-endian 32-bit integers, values."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    magic, header = 0x0800 + dimensions, 4 + 4 * dimensions
    found = int.from_bytes(content[:4], "big")
    if len(content) < header or found != magic:
        raise InputError(f"{path}: must begin with the IDX magic number {magic}, got {found}")
    shape = [int(size) for size in np.frombuffer(content, ">u4", dimensions, 4)]
    size = int(np.prod(shape, dtype=np.int64))
    if len(content) != header + size:
        raise InputError(f"{path}: must hold {size} bytes after its header of {shape}, got {len(content) - header}")
    if dimensions == 3 and shape[1:] != [28, 28]:
        raise InputError(f"{path}: images must be 28 by 28, got {shape[1]} by {shape[2]}")
    return np.frombuffer(content, np.uint8, size, header).reshape(shape)
