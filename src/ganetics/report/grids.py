"""Parts of a grid of samples, as :func:`ganetics.training.sampling.grid_png` draws it: eight a row, 2 pixels apart."""

from __future__ import annotations

import io

from PIL import Image

COLUMNS, PADDING = 8, 2


def top_rows(content: bytes, rows: int) -> bytes:
    """Return the first rows of a grid of square images as a PNG; a picture that is no such grid comes back whole.

    Raises:
        OSError: it is no picture.
    """
    with Image.open(io.BytesIO(content)) as grid:
        side, rest = divmod(grid.width - PADDING, COLUMNS)
        height = rows * side + PADDING
        if rest or side <= PADDING or height >= grid.height:
            return content
        file = io.BytesIO()
        grid.crop((0, 0, grid.width, height)).save(file, "PNG", optimize=True)
    return file.getvalue()


def as_webp(content: bytes) -> bytes:
    """Return a picture as a WebP of quality 90, a quarter of the PNG: for pages that show many.

    Raises:
        OSError: it is no picture.
    """
    with Image.open(io.BytesIO(content)) as picture:
        file = io.BytesIO()
        picture.convert("RGB").save(file, "WEBP", quality=90)
    return file.getvalue()
