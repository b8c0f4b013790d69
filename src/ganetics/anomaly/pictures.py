"""An image, and beside it the same image under its heat map."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

SIDE = 192
"""Of each of the two pictures, in pixels, at least."""
GAP = 4
STRONGEST = 0.75
"""Opacity of the strongest colour."""
WEAK, STRONG = np.array([0.0, 140.0, 255.0]), np.array([0.0, 0.0, 200.0])
"""Colours of a map's low and high values. Tissue is red: yellow to red vanishes in it, for who is colour-blind all the
more; these stand out from it, and the more the higher, for all kinds of sight (by CIE 1976 distances)."""


def overlay(image: Tensor, values: npt.NDArray[np.float32], *, low: float, high: float) -> bytes:
    """Return a PNG of the image and of the image under the map.

    The scale is fixed: ``low`` and all below it is clear, ``high`` and all above it the strongest colour,
    whatever else is in the map.

    Args:
        image: uint8 ``[c, h, w]``.
        values: ``[h, w]``.
        low: at least 0.
        high: above ``low``; else nothing is coloured.
    """
    pixels = image.expand(3, -1, -1).permute(1, 2, 0).numpy().astype(np.float64)
    share = np.clip((values - low) / (high - low), 0.0, 1.0)[:, :, None] if high > low else np.zeros((*values.shape, 1))
    colour = WEAK + (STRONG - WEAK) * share
    covered = pixels + (colour - pixels) * share * STRONGEST
    factor = max(1, -(-SIDE // max(values.shape)))
    gap = np.full((pixels.shape[0], 1, 3), 255.0)
    sides = [np.kron(side, np.ones((factor, factor, 1))) for side in (pixels, covered)]
    wide = np.kron(gap, np.ones((factor, GAP, 1)))
    joined = np.concatenate([sides[0], wide, sides[1]], axis=1)
    file = io.BytesIO()
    Image.fromarray(np.rint(joined).astype(np.uint8)).save(file, "PNG", optimize=True)
    return file.getvalue()
