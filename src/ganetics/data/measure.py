"""What an audit must know of each image, measured once and kept: some 900 bytes an image, whatever its size."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ganetics._check import InputError, MissingDependencyError
from ganetics._files import in_place_of
from ganetics.data.cache import cache_folder, private
from ganetics.data.decode import as_8_bits, with_channels
from ganetics.data.imageset import Pixels
from ganetics.data.listing import Listing, Progress, written
from ganetics.records import to_json

VERSION = 1
"""Of what is measured; a change makes old files unused."""
THUMB = 16
"""Side of the thumbnail that two images are compared by."""
MIRRORED = 8
"""Ways to turn a square by quarters and to mirror it; the first leaves it as it is."""
BORDER = 0.05
"""Width of the border, of the shorter side."""
MEASURES = np.dtype(
    [
        ("height", "i4"),  # 0 of an image that cannot be read
        ("width", "i4"),
        ("channels", "i4"),
        ("bits", "i4"),
        ("bytes", "i8"),  # of its file; -1 where it has none
        ("sha256", "S64"),  # of shape, depth and pixels
        ("hashes", "u8", MIRRORED),  # difference hash of the image, and of the image turned and mirrored
        ("thumbnail", "u1", (THUMB, THUMB, 3)),
        ("brightness", "f4"),  # means and spread: of 1 for the full range
        ("red", "f4"),
        ("green", "f4"),
        ("blue", "f4"),
        ("border", "f4"),
        ("spread", "f4"),  # standard deviation of gray
        ("brightest", "f4"),
    ]
)
Measures = npt.NDArray[np.void]


@dataclass(frozen=True)
class Measured:
    """Measures ``[n]`` (:data:`MEASURES`), and why some images have none."""

    rows: Measures
    unreadable: Mapping[int, str]


def measure_all(listing: Listing, on_progress: Progress | None = None) -> Measured:
    """Measure every image of a list, at its own size; from the cache if it was done before.

    Raises:
        MissingDependencyError: an image needs a package to be read that is not installed.
    """
    content = listing.content(range(len(listing.entries)))
    key = hashlib.sha256(to_json({"version": VERSION, **content}).encode()).hexdigest()[:24]
    path = cache_folder() / "audit" / f"{key}.npz"
    found = _kept(path, len(listing.entries))
    if found is not None:
        return found
    rows, unreadable = np.zeros(len(listing.entries), MEASURES), {}
    for place, entry in enumerate(listing.entries):
        size = -1 if entry.file is None else entry.file.stat().st_size
        try:
            rows[place] = measure(listing.read(place), size)
        except MissingDependencyError as error:
            raise MissingDependencyError(f"{listing.where}: {entry.path}: {error}") from None
        except InputError as error:
            unreadable[place] = written(error)
        if on_progress is not None:
            on_progress(place + 1, len(listing.entries))
    with suppress(OSError):  # without a cache it only takes longer
        _keep(path, rows, unreadable)
    return Measured(rows, unreadable)


def measure(pixels: Pixels, size: int = -1) -> tuple[Any, ...]:
    """Return the measures of an image ``[c, h, w]`` of a file of ``size`` bytes, in the order of :data:`MEASURES`."""
    channels, height, width = pixels.shape
    top = float(np.iinfo(pixels.dtype).max)
    identity = hashlib.sha256(f"{pixels.dtype}{pixels.shape}".encode())
    identity.update(np.ascontiguousarray(pixels).tobytes())
    means = pixels.reshape(channels, -1).mean(axis=1) / top
    gray = with_channels(pixels, 1)[0]
    edge = max(1, round(BORDER * min(height, width)))
    inner = gray[edge:-edge, edge:-edge]
    border = (gray.sum(dtype=np.float64) - inner.sum(dtype=np.float64)) / max(1, gray.size - inner.size)
    planes = [Image.fromarray(plane).resize((THUMB, THUMB), Image.Resampling.BOX) for plane in as_8_bits(pixels)]
    return (
        height,
        width,
        channels,
        8 * pixels.dtype.itemsize,
        size,
        identity.hexdigest().encode(),
        difference_hashes(as_8_bits(gray)),
        np.stack([np.asarray(plane) for plane in planes] * (3 // channels), axis=-1),
        gray.mean() / top,
        *np.broadcast_to(means, 3),
        border / top,
        gray.std() / top,
        pixels.max() / top,
    )


def difference_hashes(gray: Pixels) -> list[int]:
    """Return the 64-bit difference hashes of an image ``[h, w]`` turned and mirrored in all eight ways.

    A bit says whether a pixel of the image reduced to 9×8 is brighter than its left neighbour (Krawetz 2013, "Kind of
    like that"). It survives resizing, recompression and changes of brightness or contrast.
    """
    picture = Image.fromarray(gray)
    wide = np.asarray(picture.resize((9, 8), Image.Resampling.LANCZOS))
    high = np.asarray(picture.resize((8, 9), Image.Resampling.LANCZOS)).T
    views = [view for small in (wide, high) for half in (small, small[::-1]) for view in (half, half[:, ::-1])]
    bits = [np.packbits(view[:, 1:] > view[:, :-1]) for view in views]
    return [int.from_bytes(found.tobytes(), "big") for found in bits]


def _kept(path: Path, count: int) -> Measured | None:
    try:
        # opened here: NumPy leaves a damaged file open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            rows, unreadable = found["rows"], json.loads(found["unreadable"].tobytes())
        if rows.dtype != MEASURES or rows.shape != (count,):
            return None
        return Measured(rows, {int(place): str(reason) for place, reason in unreadable.items()})
    except Exception:  # noqa: BLE001 - not there, or damaged (readers of damaged files raise anything): made again
        return None


def _keep(path: Path, rows: Measures, unreadable: Mapping[int, str]) -> None:
    private(path.parent)
    reasons = np.frombuffer(json.dumps(unreadable).encode(), np.uint8)
    with in_place_of(path) as temporary, temporary.open("wb") as file:
        np.savez(file, rows=rows, unreadable=reasons)
