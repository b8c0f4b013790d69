"""A list of images with what is known of each: what folders, tables and arrays come to before a pixel is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganetics._check import InputError, MissingDependencyError
from ganetics.data.cache import Decoded, cached
from ganetics.data.decode import fitted, is_gray_file, read_image, with_16_bits, with_channels
from ganetics.data.imageset import ImageSet, Pixels, Skipped
from ganetics.data.splits import Indices, given_indices, split_indices

MOST_BAD = 0.05
"""Of the images of a list, the share that cannot be read above which it is refused; one alone is always forgiven."""
Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""


@dataclass(frozen=True)
class Entry:
    """An image that is listed.

    Attributes:
        path: what it is called, unique in its list; names that are not UTF-8 are escaped.
        label: name of its class; None where there are no classes.
        group: patient, sequence …: never in two splits; None where groups are not known.
        split: "train", "validation" or "test" where the list says so; None: it is split here.
        stratum: every stratum is split in the same shares.
        file: where it is read from; None: not a file of its own.
    """

    path: str
    label: str | None = None
    group: str | None = None
    split: str | None = None
    stratum: str = ""
    file: Path | None = None


@dataclass(frozen=True)
class Listing:
    """Images that can be read one at a time, each by its place in ``entries``.

    Attributes:
        name: of the data set.
        where: what messages begin with: the path of the folder, table or file of arrays.
        entries: either all with a label, group, split, or none.
        classes: names of the labels, in the order of their numbers.
        read: returns the pixels ``[c, h, w]``; raises InputError where they cannot be read.
        is_gray: tells without reading the pixels; None: it cannot be read.
        key: what decides the pixels beside the files of the entries, as plain JSON values.
    """

    name: str
    where: str
    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    read: Callable[[int], Pixels]
    is_gray: Callable[[int], bool | None]
    key: Mapping[str, Any]

    @property
    def groups(self) -> list[str] | None:
        """Group of each entry, or None."""
        found = [entry.group for entry in self.entries if entry.group is not None]
        return found or None

    @property
    def splits(self) -> list[str] | None:
        """Split of each entry as the list gives it, or None."""
        found = [entry.split for entry in self.entries if entry.split is not None]
        return found or None

    def parts(self) -> dict[str, Indices]:
        """Return which entries each split has.

        Raises:
            InputError: too few images or groups to split, or a group that the list puts into two splits.
        """
        try:
            if self.splits is not None:
                return given_indices(self.splits, self.groups)
            strata = [entry.stratum for entry in self.entries]
            numbers = {stratum: number for number, stratum in enumerate(sorted(set(strata)))}
            return split_indices([numbers[stratum] for stratum in strata], self.groups)
        except InputError as error:
            raise InputError(f"{self.where}: {error}") from None

    def content(self, chosen: Sequence[int]) -> dict[str, Any]:
        """Return what decides the pixels of these entries, as plain JSON values: a cache is keyed by it."""
        files = []
        for entry in (self.entries[i] for i in chosen):
            stat = None if entry.file is None else entry.file.stat()
            files.append([entry.path, *(() if stat is None else (stat.st_size, stat.st_mtime_ns))])
        return {"where": self.where, **self.key, "files": files}


def files_listing(name: str, where: str, entries: Sequence[Entry], classes: Sequence[str]) -> Listing:
    """Return the list of images that are files of their own."""
    files = [entry.file or Path(entry.path) for entry in entries]
    return Listing(
        name=name,
        where=where,
        entries=tuple(entries),
        classes=tuple(classes),
        read=lambda place: read_image(files[place]),
        is_gray=lambda place: is_gray_file(files[place]),
        key={},
    )


def load_listing(
    listing: Listing,
    split: str,
    *,
    image_size: int | None = None,
    channels: int | None = None,
    on_progress: Progress | None = None,
) -> ImageSet:
    """Return the images of a split, or of all: of 16 bits if one of them is.

    Images that cannot be read are left out and named in ``skipped``. In the split that is read they may be as many as
    5 % of the whole list, and one is always forgiven; with any left out, two must be left.

    Raises:
        InputError: the split is empty, sizes differ and no ``image_size`` is given, too many cannot be read.
    """
    chosen = list(range(len(listing.entries))) if split == "all" else listing.parts()[split].tolist()
    if not chosen:
        raise InputError(f"{listing.where}: no image is in split {split!r}")
    options = {"image_size": image_size, "channels": channels}

    def decode() -> Decoded:
        return _decode(listing, chosen, image_size, channels, on_progress)

    images = cached(listing.name, split, {**listing.content(chosen), **options}, decode)
    skipped = {one.path for one in images.skipped}
    kept = [entry for entry in (listing.entries[i] for i in chosen) if entry.path not in skipped]
    numbers = {name: number for number, name in enumerate(listing.classes)}
    labels = [numbers[entry.label] for entry in kept if entry.label is not None]
    return replace(
        images,
        labels=torch.tensor(labels, dtype=torch.int64) if listing.classes else None,
        classes=listing.classes,
        groups=tuple(entry.group for entry in kept if entry.group is not None),
    )


def channels_in(listing: Listing) -> int:
    """Return 1 if all images are gray, else 3. Only headers are read; unreadable images do not count."""
    seen = False
    for place in range(len(listing.entries)):
        gray = listing.is_gray(place)
        if gray is False:
            return 3  # the rest need not be opened
        seen = seen or gray is True
    return 1 if seen else 3


def _decode(
    listing: Listing,
    chosen: Sequence[int],
    image_size: int | None,
    channels: int | None,
    on_progress: Progress | None,
) -> Decoded:
    kept: list[tuple[str, Pixels]] = []
    skipped: list[Skipped] = []
    for number, place in enumerate(chosen, start=1):
        path = listing.entries[place].path
        try:
            pixels = listing.read(place)
            kept.append((path, pixels if image_size is None else fitted(pixels, image_size)))
        except MissingDependencyError as error:
            raise MissingDependencyError(f"{listing.where}: {path}: {error}") from None
        except InputError as error:
            skipped.append(Skipped(path, written(error)))
        if on_progress is not None:
            on_progress(number, len(chosen))
    _check_bad(listing, skipped, read=len(chosen))
    _check_sizes(listing.where, kept)
    channels = channels or max(pixels.shape[0] for _, pixels in kept)
    images = [with_channels(pixels, channels) for _, pixels in kept]
    if any(pixels.dtype == np.uint16 for pixels in images):
        images = [with_16_bits(pixels) for pixels in images]
    return np.stack(images), None, tuple(skipped)


def written(value: object) -> str:
    """Return a path or message as text that can be written: what is not UTF-8 (names on old disks) is escaped."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def most_bad(count: int) -> int:
    """Return how many of so many images may be unreadable."""
    return max(1, int(MOST_BAD * count))


def _check_bad(listing: Listing, skipped: Sequence[Skipped], *, read: int) -> None:
    if not skipped:
        return
    in_all = len(listing.entries)
    if len(skipped) > most_bad(in_all):
        rule = (
            f"at most {most_bad(in_all)} of {in_all} images ({MOST_BAD:.0%}, or 1) may be unreadable, "
            f"got {len(skipped)}"
        )
    elif read - len(skipped) < 2:
        rule = f"at least 2 images must be readable, got {read - len(skipped)} of the {read} looked at"
    else:
        return
    raise InputError(f"{listing.where}: {rule}, the first {skipped[0].path} ({skipped[0].reason})")


def _check_sizes(where: str, kept: Sequence[tuple[str, Pixels]]) -> None:
    first, pixels = kept[0]
    for path, other in kept:
        if other.shape[1:] != pixels.shape[1:]:
            sizes = [f"{p.shape[2]}x{p.shape[1]}" for p in (pixels, other)]
            names = [Path(name).name for name in (first, path)]
            raise InputError(
                f"{where}: all images must be of one size, got {names[0]} {sizes[0]} and {names[1]} {sizes[1]}; "
                "--image-size brings them to one"
            )
