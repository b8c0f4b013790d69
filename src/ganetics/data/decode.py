"""One image file to pixels: what Pillow reads (PNG, JPEG, TIFF, BMP …) and DICOM; any mode to gray or RGB."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ganetics._check import InputError, MissingDependencyError
from ganetics.data.imageset import WIDE, Pixels

GRAY_MODES = ("1", "L", "LA", "La", "I")
"""Pillow's modes of gray images, and all that begin with I;16."""
LUMA = np.array([0.299, 0.587, 0.114])
"""Of red, green and blue (ITU-R BT.601), as Pillow has it."""


def read_image(file: Path, image_size: int | None = None) -> Pixels:
    """Return one image ``[c, h, w]``, c 1 for gray ones and 3 for all others: uint8, or uint16 of more than 8 bits.

    Turned as its EXIF orientation says; what is transparent becomes white. 16 bits of gray stay 16, and so does colour
    in DICOM; elsewhere colour with 16 bits a channel is read with 8. Nothing is scaled by the image's own darkest and
    brightest value, which would make images incomparable. Of a file of several pages the first is read; DICOM of
    several frames is refused.

    Args:
        file: recognised by its content, not by its name.
        image_size: cut to the middle square and resize to this side (Lanczos, antialiased); None: as it is.

    Raises:
        MissingDependencyError: DICOM, and what reads it is not installed.
        InputError: it cannot be read whole, or is unreasonably large.
    """
    try:
        # by its stream: Pillow 13 maps the memory of a file that it opens by name, and then reads an uncompressed
        # TIFF that has to be turned by a quarter in rows of the wrong length
        with file.open("rb") as stream:
            pixels = _read_dicom(stream) if _is_dicom(stream) else _read_with_pillow(stream)
    except MissingDependencyError:
        raise
    except UnidentifiedImageError:
        raise InputError("cannot be read: it is no image of a known format") from None
    except Exception as error:  # noqa: BLE001 - decoders of damaged files raise anything
        told = getattr(error, "strerror", None) or str(error)  # of the system's errors the reason without the path
        reason = (told.splitlines() or [""])[0] or type(error).__name__
        raise InputError(f"cannot be read: {reason}") from None
    return pixels if image_size is None else fitted(pixels, image_size)


def read_named(file: Path) -> Pixels:
    """Return :func:`read_image`; its errors name the file."""
    try:
        return read_image(file)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def is_gray_file(file: Path) -> bool | None:
    """Tell by the header whether an image is gray; None: it cannot be read."""
    try:
        with warnings.catch_warnings(), file.open("rb") as stream:
            warnings.simplefilter("ignore")
            if _is_dicom(stream):
                from ganetics.data.dicom import is_gray_dicom

                return is_gray_dicom(stream)
            with Image.open(stream) as opened:
                return _is_gray(opened.mode)
    except Exception:  # noqa: BLE001 - as in read_image, which says why
        return None


def pages_of(file: Path) -> int:
    """Return how many pages a file has by its headers, of which the first is read; 1 where it cannot be told."""
    try:
        with warnings.catch_warnings(), file.open("rb") as stream:
            warnings.simplefilter("ignore")
            with Image.open(stream) as opened:
                return int(getattr(opened, "n_frames", 1))
    except Exception:  # noqa: BLE001 - as in read_image, which says why
        return 1


def fitted(pixels: Pixels, side: int) -> Pixels:
    """Return the middle square of an image ``[c, h, w]``, resized to ``side`` (Lanczos, antialiased)."""
    if pixels.dtype == np.uint8:
        return _array(ImageOps.fit(_picture(pixels), (side, side), Image.Resampling.LANCZOS))
    # of more than 8 bits Pillow resizes floating-point numbers only
    planes = [Image.fromarray(plane.astype(np.float32)) for plane in pixels]
    resized = [np.asarray(ImageOps.fit(plane, (side, side), Image.Resampling.LANCZOS)) for plane in planes]
    wide: Pixels = np.rint(np.stack(resized).clip(0.0, 65535.0)).astype(np.uint16)
    return wide


def with_channels(pixels: Pixels, channels: int) -> Pixels:
    """Return an image ``[c, h, w]`` with 1 or 3 channels: gray repeated, or the luma of colours."""
    if pixels.shape[0] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=0)
    if pixels.dtype == np.uint8:
        return _array(_picture(pixels).convert("L"))
    return np.rint(np.tensordot(LUMA, pixels, axes=1)).astype(np.uint16)[None]


def with_16_bits(pixels: Pixels) -> Pixels:
    """Return the same grays and colours in 16 bits."""
    return pixels if pixels.dtype == np.uint16 else pixels * np.uint16(WIDE)


def as_8_bits(pixels: Pixels) -> Pixels:
    """Return an image in 8 bits, scaled by its full range: for pictures, and for what is compared by eye."""
    return pixels if pixels.dtype == np.uint8 else np.rint(pixels / float(WIDE)).astype(np.uint8)


def png(pixels: Pixels, most: int) -> bytes:
    """Return an image ``[c, h, w]`` as an 8-bit PNG, made smaller where a side is longer than ``most``."""
    picture = _picture(as_8_bits(pixels))
    picture.thumbnail((most, most))
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def is_dicom_file(file: Path) -> bool:
    """Tell by its content whether a file is DICOM; not if it cannot be opened."""
    try:
        with file.open("rb") as stream:
            return _is_dicom(stream)
    except OSError:
        return False


def _is_dicom(stream: BinaryIO) -> bool:
    start = stream.read(132)  # 128 bytes of anything, then the letters (PS3.10, 7.1)
    stream.seek(0)
    return start[128:] == b"DICM"


def _read_dicom(stream: BinaryIO) -> Pixels:
    from ganetics.data.dicom import read_dicom  # here: it needs a package that is optional

    return read_dicom(stream)


def _read_with_pillow(stream: BinaryIO) -> Pixels:
    with warnings.catch_warnings():
        # a decompression bomb, damaged metadata: not an image to train on; what Pillow deprecates is no such thing
        for kind in (UserWarning, RuntimeWarning):
            warnings.simplefilter("error", kind)
        with Image.open(stream) as opened:
            opened.load()
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I;16") or image.mode == "I":
                return _wide(image)
            return _array(_to_gray_or_rgb(image))


def _wide(image: Image.Image) -> Pixels:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"16-bit values must be 0 to 65535, got {values.min()} to {values.max()}")
    return values.astype(np.uint16)[None]


def _to_gray_or_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    gray = _is_gray(image.mode)
    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        image = opaque.convert("RGB")
    return image.convert("L" if gray else "RGB")


def _is_gray(mode: str) -> bool:
    return mode in GRAY_MODES or mode.startswith("I;16")


def _array(image: Image.Image) -> Pixels:
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))


def _picture(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
