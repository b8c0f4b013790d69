"""Decoded images, kept: the second time a data set is opened, nothing is decoded and little is read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs

from ganetics._files import in_place_of
from ganetics.data.imageset import ImageSet, Pixels, Skipped, hash_of, image_set
from ganetics.records import to_json

VERSION = 2
"""Of the decoding; a change makes old caches unused."""

KINDS: dict[str, type[np.generic]] = {"uint8": np.uint8, "uint16": np.uint16}

Decoded = tuple[Pixels, npt.NDArray[np.int64] | None, tuple[Skipped, ...]]


def cache_folder() -> Path:
    """Return the folder for what can be made again: ``$GANETICS_CACHE``, or the user's cache folder."""
    chosen = os.environ.get("GANETICS_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("ganetics", appauthor=False))


def private(folder: Path) -> Path:
    """Make a folder in the cache that nobody but its owner may look into, as it holds images; return it.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # of another owner
        folder.chmod(0o700)
    return folder


def cached(name: str, split: str, key: dict[str, Any], decode: Callable[[], Decoded]) -> ImageSet:
    """Return the images that ``decode`` gives, from the cache if they were decoded before.

    Args:
        name: of the data set.
        split: which part.
        key: everything that decides the result, as plain JSON values.
        decode: called if there is no cached copy, or a damaged one.
    """
    text = to_json({"version": VERSION, "name": name, "split": split, **key})
    stem = cache_folder() / "data" / hashlib.sha256(text.encode()).hexdigest()[:24]
    found = _read(stem, name, split)
    if found is not None:
        return found
    pixels, labels, skipped = decode()
    sha256 = hash_of(pixels)
    with suppress(OSError):  # without a cache it only takes longer
        _write(stem, pixels, labels, {"sha256": sha256, "skipped": [[s.path, s.reason] for s in skipped]})
        kept = _read(stem, name, split)
        if kept is not None:  # read as needed, and shared between processes
            return kept
    return image_set(name, split, pixels, labels, skipped, sha256)


def _read(stem: Path, name: str, split: str) -> ImageSet | None:
    try:
        meta = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
        shape = tuple(meta["shape"])
        pixels = _mapped(stem.with_suffix(".npy"), KINDS[meta["kind"]], shape)
        labels = _mapped(stem.with_suffix(".labels.npy"), np.int64, shape[:1]) if meta["labels"] else None
        skipped = tuple(Skipped(path, reason) for path, reason in meta["skipped"])
        return image_set(name, split, pixels, labels, skipped, str(meta["sha256"]))
    except Exception:  # noqa: BLE001 - not there, or damaged (readers of damaged files raise anything): decoded again
        return None


def _mapped(path: Path, kind: type[np.generic], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return the array in a file, read as needed.

    Raises:
        ValueError: it is another array, or not a whole one.
    """
    # "c": pages are shared with other processes, and a write would stay in this one
    found: np.memmap[Any, Any] = np.lib.format.open_memmap(path, mode="c")
    whole = found.offset + found.nbytes == path.stat().st_size and found.flags.c_contiguous
    if found.dtype != kind or found.shape != shape or not whole:
        raise ValueError(f"{path} must hold {shape} of {kind.__name__}")
    return np.asarray(found)


def _write(stem: Path, pixels: Pixels, labels: npt.NDArray[np.int64] | None, meta: dict[str, Any]) -> None:
    private(stem.parent)
    _save(stem.with_suffix(".npy"), pixels)
    if labels is not None:
        _save(stem.with_suffix(".labels.npy"), labels)
    meta = {**meta, "labels": labels is not None, "shape": list(pixels.shape), "kind": str(pixels.dtype)}
    # last, since its presence says that the rest is whole
    with in_place_of(stem.with_suffix(".json")) as path:
        path.write_text(to_json(meta), encoding="utf-8")


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    with in_place_of(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)
