"""A picture of the generated images that are nearest to training images, and of held-out real ones beside them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganetics.data import to_8_bits
from ganetics.metrics.copies import Copies

PAIRS, CONTROLS, COLUMNS = 16, 8, 4
"""Pairs of generated, and of held-out real images; pairs in a row."""
TILE, BETWEEN, MARGIN = 128, 4, 20
"""Side of an image, room between the two of a pair, and around pairs; pixels."""
LINE, CAPTION = 18, 22
"""Height of a line of text, and of what stands under a pair; pixels."""
BLACK, GRAY, RED = (20, 24, 30), (90, 98, 110), (190, 30, 30)
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Part:
    """Pairs under a heading: the images that are nearest to a training image, nearest first."""

    heading: tuple[str, ...]
    images: Tensor
    copies: Copies
    most: int


def closest_pairs(fake: Tensor, train: Tensor, copies: Copies, *, real: Tensor, control: Copies) -> bytes:
    """Return a PNG of the 16 generated and the 8 held-out real images that are nearest to a training image.

    Each stands left of that training image, over its number among the generated and its distance, in terms of that
    below which copies count. Of those nearest to one training image the nearest alone is shown.

    Args:
        fake: generated images, uint8 ``[n, c, h, w]``.
        train: training images, uint8 or uint16.
        copies: of the generated images.
        real: held-out real images, uint8 or uint16.
        control: of the held-out images.
    """
    rule = "Below: its number, from 0, and its distance over the limit; below 1 it counts as a copy."
    made = f"Of {len(fake):,} generated images those nearest to a training image, one for each: left generated."
    held = f"Control: of {len(real):,} held-out real images those nearest to one: left held out, right training."
    parts = (Part((made, rule), fake, copies, PAIRS), Part((held,), real, control, CONTROLS))
    width = COLUMNS * (2 * TILE + BETWEEN) + (COLUMNS + 1) * MARGIN
    canvas = Image.new("RGB", (width, sum(map(_height, parts)) + MARGIN), (255, 255, 255))
    top = 0
    for part in parts:
        _draw(canvas, top, part, train)
        top += _height(part)
    file = io.BytesIO()
    canvas.save(file, "PNG", optimize=True)
    return file.getvalue()


def _height(part: Part) -> int:
    rows = -(-len(nearest(part.copies, part.most)) // COLUMNS)
    return MARGIN + len(part.heading) * LINE + rows * (TILE + CAPTION + MARGIN // 2)


def nearest(copies: Copies, most: int) -> list[int]:
    """Return the images that are nearest to a training image, nearest first, one for each training image."""
    first: dict[int, int] = {}
    for index in np.argsort(copies.closeness, kind="stable").tolist():
        first.setdefault(int(copies.row[index]), index)
    return list(first.values())[:most]


def _draw(canvas: Image.Image, top: int, part: Part, train: Tensor) -> None:
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    top += MARGIN
    for line in part.heading:
        draw.text((MARGIN, top), line, fill=BLACK, font=font)
        top += LINE
    for place, index in enumerate(nearest(part.copies, part.most)):
        row, column = divmod(place, COLUMNS)
        left = MARGIN + column * (2 * TILE + BETWEEN + MARGIN)
        y = top + row * (TILE + CAPTION + MARGIN // 2)
        for turn, image in enumerate((part.images[index], train[int(part.copies.row[index])])):
            canvas.paste(_tile(image), (left + turn * (TILE + BETWEEN), y))
        closeness = float(part.copies.closeness[index])
        text, colour = (" copy", RED) if closeness < 1 else ("", GRAY)
        text = f"{index}: {closeness:.3f}{text}"
        draw.text((left, y + TILE + 3), text, fill=colour, font=font)


def _tile(image: Tensor) -> Image.Image:
    """Return an image in the middle of a square tile: its pixels enlarged by a whole factor, or all of it reduced."""
    pixels = to_8_bits(image).expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()
    found = Image.fromarray(pixels)
    factor = TILE // max(found.size)
    if factor >= 1:
        found = found.resize((found.width * factor, found.height * factor), Image.Resampling.NEAREST)
    else:
        found.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    tile = Image.new("RGB", (TILE, TILE), (235, 237, 240))
    tile.paste(found, ((TILE - found.width) // 2, (TILE - found.height) // 2))
    return tile
