"""Images larger than what a detector was fitted on, seen through windows of that size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ganetics import _check
from ganetics._check import InputError
from ganetics.anomaly.detector import Detector
from ganetics.anomaly.images import Progress, prepared
from ganetics.anomaly.settings import Preprocessing
from ganetics.data.decode import as_8_bits, read_named, with_channels

Map = npt.NDArray[np.float32]


def windows_of(files: Sequence[Path], preprocessing: Preprocessing, *, stride: int) -> list[int]:
    """Return how many windows each image is seen through.

    Raises:
        InputError: as for :func:`slide`.
    """
    _check.number("pixels between windows", stride, low=1, high=preprocessing.image_size)
    sizes = [(read_named(file).shape, file.name) for file in files]
    return [len(_corners(height, width, preprocessing, stride, name)) for (_, height, width), name in sizes]


def slide(
    detector: Detector[Any],
    preprocessing: Preprocessing,
    files: Sequence[Path],
    *,
    stride: int,
    on_progress: Progress | None = None,
) -> tuple[npt.NDArray[np.float64], list[Map]]:
    """Return a score ``[n]`` and a map ``[h, w]`` of each image at its own resolution.

    The score is that of the most abnormal window; a pixel of the map is the mean over the windows that hold it.

    Args:
        detector: fitted on images of the windows' size.
        preprocessing: as recorded with it; nothing is resized.
        files: of images at least as large as a window.
        stride: pixels between two windows; those at the right and lower edge are moved in.
        on_progress: called after every image.

    Raises:
        InputError: an image cannot be read, or is smaller than a window; the stride leaves gaps.
    """
    _check.number("pixels between windows", stride, low=1, high=preprocessing.image_size)
    scores, maps = [], []
    for number, file in enumerate(files, start=1):
        pixels = with_channels(as_8_bits(read_named(file)), preprocessing.channels)
        score, values = _slide_one(detector, preprocessing, pixels, stride=stride, name=file.name)
        scores.append(score)
        maps.append(values)
        if on_progress is not None:
            on_progress(number, len(files))
    return np.array(scores), maps


def _slide_one(
    detector: Detector[Any], preprocessing: Preprocessing, pixels: npt.NDArray[Any], *, stride: int, name: str
) -> tuple[float, Map]:
    side = preprocessing.image_size
    height, width = pixels.shape[1:]
    corners = _corners(height, width, preprocessing, stride, name)
    windows = np.stack([pixels[:, top : top + side, left : left + side] for top, left in corners])
    found = detector.results(prepared(torch.from_numpy(windows), preprocessing))
    assert found.anomaly_map is not None
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for (top, left), values in zip(corners, found.anomaly_map, strict=True):
        total[top : top + side, left : left + side] += values
        count[top : top + side, left : left + side] += 1
    return float(found.pred_score.max()), (total / count).astype(np.float32)


def _corners(height: int, width: int, preprocessing: Preprocessing, stride: int, name: str) -> list[tuple[int, int]]:
    side = preprocessing.image_size
    if min(height, width) < side:
        raise InputError(f"{name}: must be at least {side}×{side} to slide over, got {width}×{height}")
    return [(top, left) for top in _starts(height, side, stride) for left in _starts(width, side, stride)]


def _starts(length: int, side: int, stride: int) -> list[int]:
    """Return where windows begin so that they cover everything.

    >>> _starts(96, 64, 16), _starts(100, 64, 16), _starts(64, 64, 16)
    ([0, 16, 32], [0, 16, 32, 36], [0])
    """
    return sorted({*range(0, length - side + 1, stride), length - side})
