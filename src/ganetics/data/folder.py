"""A folder of images: class folders or flat."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from ganetics._check import InputError
from ganetics.data.decode import is_dicom_file
from ganetics.data.groups import group_of, looks_at_folders
from ganetics.data.listing import Entry, Listing, files_listing, written

EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom")
DIRECTORY = "DICOMDIR"
"""A list of DICOM files, which is a DICOM file too."""


def list_folder(folder: Path, groups: str | None = None) -> Listing:
    """Return the images of a folder. Classes are the folders in it, in alphabetical order, if there are any.

    Folders of which each is one group, such as one for each patient, are no classes where groups are found in paths or
    headers.

    Args:
        folder: the folder.
        groups: what finds the patient, sequence … of a file (:func:`ganetics.data.groups.group_of`).

    Raises:
        InputError: no such folder, fewer than two images, a name without a group.
    """
    folder = folder.resolve()
    files = list_images(folder)
    names = [file.relative_to(folder) for file in files]
    found = [None if groups is None else group_of(name, groups, file) for name, file in zip(names, files, strict=True)]
    classes = _classes(names)
    if groups is not None and looks_at_folders(groups) and _are_groups(names, found):
        classes = ()
    entries = [
        Entry(
            path=written(name),
            label=written(name.parts[0]) if classes else None,
            group=group,
            stratum=name.parts[0] if len(name.parts) > 1 else "",
            file=file,
        )
        for name, file, group in zip(names, files, found, strict=True)
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
        found = [path for path in _walk(folder) if path.is_file() and is_image(path)]
    except OSError as error:
        raise InputError(f"{error.filename or folder}: cannot be read: {error.strerror}") from None
    if len(found) < 2:
        kinds = ", ".join(EXTENSIONS)
        raise InputError(f"{folder}: must hold at least 2 images ({kinds}), got {len(found)}")
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def is_image(path: Path) -> bool:
    """Tell whether a file is taken for an image: by the end of its name, or if it has none it is DICOM by its content.

    DICOM files are often called by their UID, numbers with dots between.
    """
    if path.suffix.lower() in EXTENSIONS:
        return True
    return is_named_as_dicom(path.name) and path.is_file() and is_dicom_file(path)


def is_named_as_dicom(name: str) -> bool:
    """Tell whether a file of this name, or path, may be DICOM.

    >>> [is_named_as_dicom(name) for name in ("a.dcm", "IM0001", "1.2.840.113", "a.png", "DICOMDIR")]
    [True, True, True, False, False]
    """
    path = PurePath(name)
    end = path.suffix.lower()
    return end in (".dcm", ".dicom") or ((not end or end[1:].isdigit()) and path.name.upper() != DIRECTORY)


def _walk(folder: Path) -> Iterator[Path]:
    def stop(error: OSError) -> None:
        raise error  # a class that cannot be read must not be left out in silence

    roots, places = [folder.resolve()], [folder]
    while places:
        for parent, folders, names in os.walk(places.pop(), onerror=stop):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            places += [link for name in folders if leads_elsewhere(link := Path(parent, name), roots)]
            yield from (Path(parent, name) for name in names if not name.startswith("."))


def leads_elsewhere(folder: Path, roots: list[Path]) -> bool:
    """Tell whether a folder is a link to images that are in none of ``roots``, which it then joins.

    What such a link leads to is the user's; what lies in a root is found there, and a circle ends.
    """
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    if any(root == target or root in target.parents for root in roots):
        return False
    roots.append(target)
    return True


def _are_groups(names: Sequence[Path], groups: Sequence[str | None]) -> bool:
    """Tell whether no folder has images of two groups."""
    pairs = {(name.parts[0], group) for name, group in zip(names, groups, strict=True)}
    return len(pairs) == len({folder for folder, _ in pairs})


def _classes(names: Sequence[Path]) -> tuple[str, ...]:
    """Return the names of the class folders in alphabetical order; none if there is one alone, or files beside them."""
    found = sorted({name.parts[0] for name in names if len(name.parts) > 1})
    return tuple(map(written, found)) if len(found) > 1 and all(len(name.parts) > 1 for name in names) else ()
