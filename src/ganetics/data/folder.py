"""A folder of images: class folders or flat; PNG, JPEG, TIFF, BMP; any mode to 8-bit gray or RGB."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ganetics._check import InputError
from ganetics.data.cache import Decoded, cached
from ganetics.data.imageset import ImageSet, Pixels, Skipped
from ganetics.data.splits import group_of, split_indices

EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
MOST_BAD = 0.05
"""Share of images that cannot be read above which the folder is refused."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FolderOptions:
    """How a folder is read.

    Attributes:
        image_size: side in pixels: the middle square is cut out and resized (Lanczos, antialiased). None: as they are,
            and all must be of one size.
        channels: 1 or 3. None: 1 if all images are gray, else 3.
        groups: a regular expression that finds the patient, sequence … in a file's name; groups are not split.
    """

    image_size: int | None = None
    channels: int | None = None
    groups: str | None = None


def load_folder(folder: Path, split: str, options: FolderOptions, on_progress: Progress | None = None) -> ImageSet:
    """Return the images of a folder. Labels are the class folders', in alphabetical order, if there are any.

    Raises:
        InputError: no such folder, fewer than two images, sizes that differ, more than 5 % that cannot be read.
    """
    files = list_images(folder)
    chosen = files if split == "all" else _part(folder, files, split, options)

    def decode() -> Decoded:
        return _decode(folder, chosen, options, on_progress)

    key = {
        "folder": str(folder.resolve()),
        "files": [[str(f.relative_to(folder)), s.st_size, s.st_mtime_ns] for f, s in ((f, f.stat()) for f in chosen)],
        "image_size": options.image_size,
        "channels": options.channels,
    }
    return cached(folder.name, split, key, decode)


def list_images(folder: Path) -> list[Path]:
    """Return the images in a folder and its class folders, sorted by relative path; hidden ones are left out.

    Raises:
        InputError: it is not a folder, cannot be read, or holds fewer than two images.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: must be a folder of images, got {'a file' if folder.exists() else 'nothing there'}"
        )
    try:
        found = [
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in EXTENSIONS
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
            and path.is_file()
        ]
        next(folder.iterdir(), None)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from None
    if len(found) < 2:
        kinds = ", ".join(EXTENSIONS)
        raise InputError(f"{folder}: must hold at least 2 images ({kinds}), got {len(found)}")
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def _part(folder: Path, files: Sequence[Path], split: str, options: FolderOptions) -> list[Path]:
    names = [file.relative_to(folder) for file in files]
    classes = [name.parts[0] if len(name.parts) > 1 else "" for name in names]
    numbers = {kind: number for number, kind in enumerate(sorted(set(classes)))}
    groups = None if options.groups is None else [group_of(name.name, options.groups) for name in names]
    try:
        indices = split_indices([numbers[kind] for kind in classes], groups)[split]
    except InputError as error:
        raise InputError(f"{folder}: {error}") from None
    return [files[i] for i in indices]


def _decode(folder: Path, files: Sequence[Path], options: FolderOptions, on_progress: Progress | None) -> Decoded:
    kept: list[tuple[Path, Pixels]] = []
    skipped: list[Skipped] = []
    for number, file in enumerate(files, start=1):
        try:
            kept.append((file, read_image(file, options.image_size)))
        except InputError as error:
            skipped.append(Skipped(str(file.relative_to(folder)), str(error)))
        if on_progress is not None:
            on_progress(number, len(files))
    _check_bad(folder, skipped, len(files))
    channels = options.channels or max(pixels.shape[0] for _, pixels in kept)
    _check_sizes(folder, kept)
    images = np.stack([_with_channels(pixels, channels) for _, pixels in kept])
    return images, _labels(folder, files, [file for file, _ in kept]), tuple(skipped)


def read_image(file: Path, image_size: int | None = None) -> Pixels:
    """Return one image as uint8 ``[c, h, w]``, c 1 for gray ones and 3 for all others.

    Turned as its EXIF orientation says; what is transparent becomes white; 16-bit gray is scaled by its full range (65535
    becomes 255), never by the image's own darkest and brightest value, which would make images incomparable.

    Raises:
        InputError: it cannot be read whole, or is unreasonably large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a decompression bomb, damaged metadata: not an image to train on
            with Image.open(file) as opened:
                opened.load()
                image = _to_gray_or_rgb(ImageOps.exif_transpose(opened))
    except Exception as error:  # noqa: BLE001 - decoders of damaged files raise anything
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise InputError(f"cannot be read: {reason}") from None
    if image_size is not None:
        image = ImageOps.fit(image, (image_size, image_size), Image.Resampling.LANCZOS)
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))


def _to_gray_or_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        wide = np.asarray(image).astype(np.int64)
        if wide.min() < 0 or wide.max() > 65535:
            raise ValueError(f"16-bit values must be 0 to 65535, got {wide.min()} to {wide.max()}")
        return Image.fromarray(np.rint(wide / 257.0).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    gray = image.mode in ("1", "L", "LA", "La")
    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        image = opaque.convert("RGB")
    return image.convert("L" if gray else "RGB")


def _with_channels(pixels: Pixels, channels: int) -> Pixels:
    if pixels.shape[0] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=0)
    return np.asarray(Image.fromarray(pixels.transpose(1, 2, 0)).convert("L"))[None]


def _labels(
    folder: Path, files: Sequence[Path], kept: Sequence[Path]
) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    parents = sorted({file.relative_to(folder).parts[0] for file in files if len(file.relative_to(folder).parts) > 1})
    if len(parents) < 2 or any(len(file.relative_to(folder).parts) == 1 for file in kept):
        return None
    return np.array([parents.index(file.relative_to(folder).parts[0]) for file in kept], dtype=np.int64)


def _check_bad(folder: Path, skipped: Sequence[Skipped], count: int) -> None:
    if len(skipped) > MOST_BAD * count and (len(skipped) > 1 or count - len(skipped) < 2):
        first = skipped[0]
        raise InputError(
            f"{folder}: at most {MOST_BAD:.0%} of the images may be unreadable, got {len(skipped)} of {count}, "
            f"the first {first.path} ({first.reason})"
        )


def _check_sizes(folder: Path, kept: Sequence[tuple[Path, Pixels]]) -> None:
    first, pixels = kept[0]
    for file, other in kept:
        if other.shape[1:] != pixels.shape[1:]:
            sizes = [f"{p.shape[2]}x{p.shape[1]}" for p in (pixels, other)]
            raise InputError(
                f"{folder}: all images must be of one size, got {first.name} {sizes[0]} and {file.name} {sizes[1]}; "
                "--image-size brings them to one"
            )
