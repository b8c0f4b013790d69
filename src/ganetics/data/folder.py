"""A folder of images: class folders or flat."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ganetics._check import InputError
from ganetics.data.listing import Entry, Listing, files_listing, written
from ganetics.data.splits import group_of

EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom")


def list_folder(folder: Path, groups: str | None = None) -> Listing:
    """Return the images of a folder. Classes are the folders in it, in alphabetical order, if there are any.

    Args:
        folder: the folder.
        groups: regular expression that finds the patient, sequence … in a file's name.

    Raises:
        InputError: no such folder, fewer than two images, a name without a group.
    """
    folder = folder.resolve()
    files = list_images(folder)
    names = [file.relative_to(folder) for file in files]
    classes = _classes(names)
    entries = [
        Entry(
            path=written(name),
            label=written(name.parts[0]) if classes else None,
            group=None if groups is None else group_of(name.name, groups),
            stratum=name.parts[0] if len(name.parts) > 1 else "",
            file=file,
        )
        for name, file in zip(names, files, strict=True)
    ]
    return files_listing(written(folder.name), written(folder), entries, classes)


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


def _classes(names: Sequence[Path]) -> tuple[str, ...]:
    """Return the names of the class folders in alphabetical order; none if there is one alone, or files beside them."""
    found = sorted({name.parts[0] for name in names if len(name.parts) > 1})
    return tuple(map(written, found)) if len(found) > 1 and all(len(name.parts) > 1 for name in names) else ()
