"""Images that are there twice: equal ones, and ones that look alike, turned or mirrored too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ganetics.data.measure import MIRRORED, THUMB

MOST_BITS = 4
"""Of 64, in which the difference hashes of two images that look alike may differ."""
ALIKE = 0.95
"""Least correlation of their thumbnails, what all images have in common taken away. Chosen on three data sets: of
pairs of frames, none is of two sequences; of histology images that were turned and mirrored, those found are true; of
fundus photographs, which all look alike, about one pair in 25,000 of two patients is found."""
SAME = 2.0
"""Root mean square difference of thumbnails (of 255) up to which two images are the same picture, whatever the rest."""
BANDS = MOST_BITS + 1
CHUNK = 1 << 20
"""Pairs looked at in one go."""

Indices = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


def equal_sets(digests: Array) -> list[list[int]]:
    """Return the sets of two or more images with one digest, each in rising order, by their first image."""
    found: dict[bytes, list[int]] = defaultdict(list)
    for place, digest in enumerate(digests.tolist()):
        found[digest].append(place)
    return [places for places in found.values() if len(places) > 1]


def alike_pairs(hashes: Array, thumbnails: Array) -> tuple[Indices, npt.NDArray[np.float32]]:
    """Return the pairs ``[m, 2]`` of images that look alike, the first below the second, and how much, the most first.

    Their hashes differ in at most 4 bits, and their thumbnails correlate by 0.95, one of them turned by quarters or
    mirrored if need be. The hash alone finds far too much where all images are of one build (fundus, chest). Two hashes
    that differ in 4 of 64 bits agree wholly in one of 5 bands of bits (Norouzi et al. 2012, arXiv 1307.2982), so only
    images that share a band are compared.

    Args:
        hashes: uint64 ``[n, 8]``, of :func:`ganetics.data.measure.difference_hashes`.
        thumbnails: uint8 ``[n, 16, 16, 3]``.
    """
    flat = thumbnails.reshape(len(thumbnails), THUMB * THUMB * 3)
    common = flat.mean(axis=0, dtype=np.float32) if len(flat) else np.zeros(flat.shape[1], np.float32)
    best: dict[tuple[int, int], float] = {}
    bands = _bands(hashes[:, 0])
    for view in range(MIRRORED):
        for band in bands:
            for left, right in _sharing(_keys(hashes[:, view], band), _keys(hashes[:, 0], band)):
                close = (left < right) & (np.bitwise_count(hashes[left, view] ^ hashes[right, 0]) <= MOST_BITS)
                for part in np.array_split(np.flatnonzero(close), 1 + int(close.sum()) // (CHUNK >> 7)):
                    a, b = left[part], right[part]
                    values = _likeness(flat[a][:, _order(view)] - common, flat[b] - common)
                    for i in np.flatnonzero(values >= ALIKE):
                        pair = int(a[i]), int(b[i])
                        best[pair] = max(best.get(pair, 0.0), float(values[i]))
    pairs = sorted(best, key=lambda pair: (-best[pair], pair))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array([best[pair] for pair in pairs], dtype=np.float32)


def _bands(hashes: Array) -> list[Indices]:
    """Return which bits make each band: dealt by how evenly they part the images, so that none is all dark border."""
    bits = (hashes[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    balance = np.abs(bits.mean(axis=0) - 0.5) if len(hashes) else np.zeros(64)
    order = np.argsort(balance, kind="stable")
    return [order[band::BANDS] for band in range(BANDS)]


def _keys(hashes: Array, band: Indices) -> Array:
    keys = np.zeros(len(hashes), dtype=np.uint64)
    for bit in band.tolist():
        keys = (keys << np.uint64(1)) | ((hashes >> np.uint64(bit)) & np.uint64(1))
    return keys


def _sharing(left: Array, right: Array) -> Iterator[tuple[Indices, Indices]]:
    """Yield all pairs of places with equal keys, in chunks."""
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    first = np.searchsorted(ordered, left, "left")
    counts = np.searchsorted(ordered, left, "right") - first
    ends = np.cumsum(counts)
    start = 0
    while start < len(left):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + CHUNK, "right")))
        part = counts[start:stop]
        places = np.repeat(np.arange(start, stop), part)
        within = np.arange(len(places)) - np.repeat(np.cumsum(part) - part, part)
        yield places, order[first[places] + within]
        start = stop


def _order(view: int) -> Indices:
    """Return where each value of a flat thumbnail comes from in this view, as in ``difference_hashes``."""
    places = np.arange(THUMB * THUMB * 3).reshape(THUMB, THUMB, 3)
    turned = places.transpose(1, 0, 2) if view & 4 else places
    turned = turned[::-1] if view & 2 else turned
    return (turned[:, ::-1] if view & 1 else turned).ravel()


def _likeness(a: Array, b: Array) -> npt.NDArray[np.float32]:
    """Return the correlation of each row; 1 where they are the same but for noise, which is all that is left then."""
    same = np.sqrt(np.square(a - b).mean(axis=1)) <= SAME
    a, b = (part - part.mean(axis=1, keepdims=True) for part in (a, b))
    norms = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    found: npt.NDArray[np.float32] = np.where(same, 1.0, (a * b).sum(axis=1) / np.maximum(norms, 1e-6))
    return found
