"""CIFAR-10 (Krizhevsky 2009): 50,000 and 10,000 colour images of 32×32, in binary batches."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ganetics._check import InputError
from ganetics._files import in_place_of
from ganetics.data.cache import Decoded, cache_folder, cached
from ganetics.data.download import fetch
from ganetics.data.imageset import ImageSet

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
FOLDER = "cifar-10-batches-bin"
RECORD = 1 + 3 * 32 * 32
"""Bytes: a label, then the red, green and blue plane."""
BATCH = 10_000
PARTS = {"train": slice(0, 45_000), "validation": slice(45_000, 50_000), "test": slice(None), "all": slice(None)}
PUT = f"put the folder {FOLDER} with the binary batches into a folder and name it with --data-dir"


def load_cifar10(split: str, data_dir: Path | None) -> ImageSet:
    """Return the split ``[n, 3, 32, 32]``: train the first 45,000 of the training batches, validation the last 5,000.

    Raises:
        InputError: the files are not there, or damaged.
    """
    names = ["test_batch.bin"] if split == "test" else [f"data_batch_{i}.bin" for i in range(1, 6)]
    folder = _fetched(names) if data_dir is None else _folder(data_dir)
    files = [folder / name for name in names]
    for file in files:
        if not file.is_file():
            raise InputError(f"cifar10: no file {file.name} in {folder}: {PUT}")

    def decode() -> Decoded:
        records = np.concatenate([_read(file) for file in files])[PARTS[split]]
        return np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32)), records[:, 0].astype(np.int64), ()

    key = {"files": [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]}
    return cached("cifar10", split, key, decode)


def _folder(data_dir: Path) -> Path:
    for folder in (data_dir, data_dir / FOLDER, data_dir / "cifar10" / FOLDER):
        if (folder / "test_batch.bin").is_file():
            return folder
    raise InputError(f"cifar10: no file test_batch.bin in {data_dir}: {PUT}")


def _read(file: Path) -> npt.NDArray[np.uint8]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    if len(content) != BATCH * RECORD:
        raise InputError(f"{file}: must have {BATCH * RECORD} bytes, got {len(content)}")
    records = np.frombuffer(content, np.uint8).reshape(BATCH, RECORD)
    if records[:, 0].max() > 9:
        raise InputError(f"{file}: labels must be 0 to 9, got {records[:, 0].max()}")
    return records


def _fetched(names: list[str]) -> Path:
    folder = cache_folder() / "downloads" / FOLDER
    if not all((folder / name).is_file() for name in names):  # each is whole: it was renamed to its name
        archive = fetch(URL, f"md5:{MD5}", put=PUT)
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as tar:
            for name in names:  # the members that are wanted, by name: nothing lands outside
                member = tar.extractfile(f"{FOLDER}/{name}")
                if member is not None:
                    with in_place_of(folder / name) as temporary:
                        temporary.write_bytes(member.read())
    return folder
