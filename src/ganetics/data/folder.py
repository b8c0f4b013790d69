"""A folder of images: class folders or flat; PNG, JPEG, TIFF, BMP; any mode to 8-bit gray or RGB."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ganetics._check import InputError
from ganetics.data.cache import Decoded, cached
from ganetics.data.imageset import ImageSet, Pixels, Skipped
from ganetics.data.splits import group_of, split_indices

EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
MOST_BAD = 0.05
"""Of the images of a folder, the share that cannot be read above which it is refused; one alone is always forgiven."""
GRAY_MODES = ("1", "L", "LA", "La", "I")
"""Pillow's modes of gray images, and all that begin with I;16."""
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

    Images that cannot be read are left out and named in ``skipped``. In the split that is read they may be as many as
    5 % of the images of the whole folder, and one is always forgiven; with any left out, two must be left.

    Raises:
        InputError: no such folder, fewer than two images, sizes that differ, too many that cannot be read.
    """
    folder = folder.resolve()
    files = list_images(folder)
    classes = _classes(folder, files)
    chosen = files if split == "all" else _part(folder, files, split, options)

    def decode() -> Decoded:
        return _decode(folder, chosen, classes, options, on_progress, in_all=len(files))

    key = {
        "folder": _text(folder),
        "classes": [_text(name) for name in classes],
        "files": [[_text(f.relative_to(folder)), s.st_size, s.st_mtime_ns] for f, s in ((f, f.stat()) for f in chosen)],
        "image_size": options.image_size,
        "channels": options.channels,
    }
    return cached(_text(folder.name), split, key, decode)


def channels_of(folder: Path) -> int:
    """Return 1 if all images of a folder are gray, else 3. Only the headers are read; unreadable images do not count.

    Raises:
        InputError: no such folder, or fewer than two images.
    """
    seen = False
    for file in list_images(folder):
        gray = _is_gray_file(file)
        if gray is False:
            return 3  # the rest need not be opened
        seen = seen or gray is True
    return 1 if seen else 3


def _is_gray_file(file: Path) -> bool | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file) as opened:
                return _is_gray(opened.mode)
    except Exception:  # noqa: BLE001 - as in read_image, which says why
        return None


def _is_gray(mode: str) -> bool:
    return mode in GRAY_MODES or mode.startswith("I;16")


def list_images(folder: Path) -> list[Path]:
    """Return the images in a folder and its class folders, sorted by relative path; hidden ones are left out.

    Raises:
        InputError: it is not a folder, cannot be read, or holds fewer than two images.
    """
    try:
        if not folder.is_dir():
            raise InputError(
                f"{folder}: must be a folder of images, got {'a file' if folder.exists() else 'nothing there'}"
            )
        found = [path for path in _walk(folder) if path.suffix.lower() in EXTENSIONS and path.is_file()]
    except OSError as error:
        raise InputError(f"{error.filename or folder}: cannot be read: {error.strerror}") from None
    if len(found) < 2:
        kinds = ", ".join(EXTENSIONS)
        raise InputError(f"{folder}: must hold at least 2 images ({kinds}), got {len(found)}")
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def _walk(folder: Path) -> Iterator[Path]:
    def stop(error: OSError) -> None:
        raise error  # a class that cannot be read must not be left out in silence

    for parent, folders, names in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _text(path: Path | str) -> str:
    """Return a path as text that can be written: names that are not UTF-8 (old disks have them) are escaped."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _classes(folder: Path, files: Sequence[Path]) -> tuple[str, ...]:
    """Return the names of the class folders in alphabetical order; none if there is one alone, or files beside them."""
    parts = [file.relative_to(folder).parts for file in files]
    names = tuple(sorted({first for first, *rest in parts if rest}))
    return names if len(names) > 1 and all(len(part) > 1 for part in parts) else ()


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


def _decode(
    folder: Path,
    files: Sequence[Path],
    classes: tuple[str, ...],
    options: FolderOptions,
    on_progress: Progress | None,
    *,
    in_all: int,
) -> Decoded:
    kept: list[tuple[Path, Pixels]] = []
    skipped: list[Skipped] = []
    for number, file in enumerate(files, start=1):
        try:
            kept.append((file, read_image(file, options.image_size)))
        except InputError as error:
            skipped.append(Skipped(_text(file.relative_to(folder)), _text(str(error))))
        if on_progress is not None:
            on_progress(number, len(files))
    _check_bad(folder, skipped, read=len(files), in_all=in_all)
    channels = options.channels or max(pixels.shape[0] for _, pixels in kept)
    _check_sizes(folder, kept)
    images = np.stack([_with_channels(pixels, channels) for _, pixels in kept])
    labels = [classes.index(file.relative_to(folder).parts[0]) for file, _ in kept] if classes else None
    return images, None if labels is None else np.array(labels, dtype=np.int64), tuple(skipped)


def read_image(file: Path, image_size: int | None = None) -> Pixels:
    """Return one image as uint8 ``[c, h, w]``, c 1 for gray ones and 3 for all others.

    Turned as its EXIF orientation says; what is transparent becomes white; 16-bit gray is scaled by its full range
    (65535 becomes 255), never by the image's own darkest and brightest value, which would make images incomparable.

    Raises:
        InputError: it cannot be read whole, or is unreasonably large.
    """
    try:
        with warnings.catch_warnings():
            # a decompression bomb, damaged metadata: not an image to train on; what Pillow deprecates is no such thing
            for kind in (UserWarning, RuntimeWarning):
                warnings.simplefilter("error", kind)
            # by its stream: Pillow 13 maps the memory of a file that it opens by name, and then reads an uncompressed
            # TIFF that has to be turned by a quarter in rows of the wrong length
            with file.open("rb") as stream, Image.open(stream) as opened:
                opened.load()
                image = _to_gray_or_rgb(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError:
        raise InputError("cannot be read: it is no image of a known format") from None
    except Exception as error:  # noqa: BLE001 - decoders of damaged files raise anything
        told = getattr(error, "strerror", None) or str(error)  # of the system's errors the reason without the path
        reason = (told.splitlines() or [""])[0] or type(error).__name__
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
    gray = _is_gray(image.mode)
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


def _check_bad(folder: Path, skipped: Sequence[Skipped], *, read: int, in_all: int) -> None:
    if not skipped:
        return
    allowed = max(1, int(MOST_BAD * in_all))
    if len(skipped) > allowed:
        rule = f"at most {allowed} of {in_all} images ({MOST_BAD:.0%}, or 1) may be unreadable, got {len(skipped)}"
    elif read - len(skipped) < 2:
        rule = f"at least 2 images must be readable, got {read - len(skipped)} of the {read} looked at"
    else:
        return
    raise InputError(f"{folder}: {rule}, the first {skipped[0].path} ({skipped[0].reason})")


def _check_sizes(folder: Path, kept: Sequence[tuple[Path, Pixels]]) -> None:
    first, pixels = kept[0]
    for file, other in kept:
        if other.shape[1:] != pixels.shape[1:]:
            sizes = [f"{p.shape[2]}x{p.shape[1]}" for p in (pixels, other)]
            raise InputError(
                f"{folder}: all images must be of one size, got {first.name} {sizes[0]} and {file.name} {sizes[1]}; "
                "--image-size brings them to one"
            )
