"""DICOM images (PS3.3 C.7.6.3, C.11.1, C.11.2) to gray or RGB. The only file that imports pydicom.

Gray values go the standard's way: modality transform (rescale slope and intercept, or its table), then the file's first
window if it has one, else its first VOI table, then the photometric interpretation. They are scaled by a range that the
header gives, never by the image's own darkest and brightest value, which would make images incomparable.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from ganetics._check import MissingDependencyError
from ganetics.data.imageset import Pixels

try:
    import pydicom
    from pydicom.datadict import tag_for_keyword
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi, apply_windowing
    from pydicom.pixels.utils import pixel_array
except ImportError:
    raise MissingDependencyError("pydicom is not installed: DICOM images need it: pip install pydicom") from None

GRAY = ("MONOCHROME1", "MONOCHROME2")


def read_dicom(stream: BinaryIO) -> Pixels:
    """Return a single-frame image ``[c, h, w]``, c 1 or 3: uint8 where 8 bits or fewer are stored, else uint16.

    Raises:
        MissingDependencyError: the pixels are compressed, and what decodes them is not installed.
        ValueError: no pixels, several frames, or pixels without a known range; and pydicom's errors of damaged files.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that break the standard, of which there are many
        dataset = pydicom.dcmread(stream)
        _check(dataset)
        pixels = pixel_array(dataset)
        kind = str(dataset.PhotometricInterpretation)
        if kind in GRAY:
            return _in_depth(_gray(pixels, dataset), dataset)[None]
        if kind == "PALETTE COLOR":
            colours = apply_color_lut(pixels, dataset)
            return np.ascontiguousarray(colours.transpose(2, 0, 1))
        if pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"photometric interpretation {kind} with {pixels.ndim} dimensions is not known")
        shares = pixels / (2.0 ** int(dataset.BitsStored) - 1.0)
        return np.ascontiguousarray(_in_depth(shares, dataset).transpose(2, 0, 1))


def is_gray_dicom(stream: BinaryIO) -> bool:
    """Tell by the header whether an image is gray."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=["PhotometricInterpretation"])
        return str(found.PhotometricInterpretation) in GRAY


def is_keyword(keyword: str) -> bool:
    """Tell whether DICOM has an attribute of this keyword."""
    return tag_for_keyword(keyword) is not None


def header_value(file: Path, keyword: str) -> str | None:
    """Return the value of an attribute of an image's header as text, empty without it; None: it is no whole header."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=[keyword, "Rows"])
            found = header.get(keyword)
        except Exception:  # noqa: BLE001 - of damaged files it raises anything; reading the image says why
            return None
    if "Rows" not in header:
        return None
    return "" if found is None else str(found).strip()


def _check(dataset: Any) -> None:
    if "PixelData" not in dataset:
        floats = {"FloatPixelData", "DoubleFloatPixelData"} & set(dataset.dir())
        raise ValueError("floating-point pixels have no known range" if floats else "it holds no image")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise ValueError(f"must hold one frame, got {frames}; write each frame that is an image to its own file")
    limit = 2 * (Image.MAX_IMAGE_PIXELS or 1 << 62)  # as Pillow's
    if dataset.Rows * dataset.Columns > limit:
        raise ValueError(f"Image size ({dataset.Rows * dataset.Columns} pixels) exceeds limit of {limit} pixels")
    syntax = dataset.file_meta.TransferSyntaxUID
    if not get_decoder(syntax).is_available:
        raise MissingDependencyError(
            f"its compression ({syntax.name}) needs a decoder that is not installed: pip install python-gdcm"
        )


def _gray(pixels: npt.NDArray[Any], dataset: Any) -> npt.NDArray[np.float64]:
    """Return values in [0, 1], 0 black."""
    values = apply_modality_lut(pixels, dataset)
    low, high = _range(dataset)
    if dataset.get("WindowCenter") is not None and dataset.get("WindowWidth") is not None:
        values = apply_windowing(values, dataset, index=0)  # fills the range from low to high
    elif dataset.get("VOILUTSequence"):  # of mammography and radiography
        values = apply_voi(np.rint(values).astype(np.int64), dataset, index=0)
        low, high = 0.0, 2.0 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1.0
    else:
        low, high = min(low, high), max(low, high)
    shares: npt.NDArray[np.float64] = (np.asarray(values, dtype=np.float64) - low) / (high - low)
    return 1.0 - shares if dataset.PhotometricInterpretation == "MONOCHROME1" else shares


def _range(dataset: Any) -> tuple[float, float]:
    """Return what the modality transform makes of the lowest and of the highest value that can be stored."""
    if dataset.get("ModalityLUTSequence"):
        return 0.0, 2.0 ** int(dataset.ModalityLUTSequence[0].LUTDescriptor[2]) - 1.0
    bits, signed = int(dataset.BitsStored), int(dataset.PixelRepresentation)
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1.0) if signed else (0.0, 2.0**bits - 1.0)
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    if slope is None or intercept is None:
        return low, high
    return low * float(slope) + float(intercept), high * float(slope) + float(intercept)


def _in_depth(shares: npt.NDArray[np.float64], dataset: Any) -> Pixels:
    kind, top = (np.uint8, 255.0) if int(dataset.BitsStored) <= 8 else (np.uint16, 65535.0)
    return np.rint(shares.clip(0.0, 1.0) * top).astype(kind)
