"""From files to what a detector sees: one way for fitting, scoring and evaluating."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image
from torch import Tensor

from ganetics._check import InputError
from ganetics.anomaly.settings import Preprocessing
from ganetics.data import Skipped, to_8_bits
from ganetics.data.decode import as_8_bits, fitted, is_gray_file, read_image, with_channels
from ganetics.data.folder import is_image, leads_elsewhere
from ganetics.data.groups import FIRST_FOLDER
from ganetics.data.imageset import Pixels
from ganetics.data.listing import Entry, Listing, load_listing
from ganetics.data.load import listed
from ganetics.records import DataIdentity

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""
COLOUR_MEAN, COLOUR_DEVIATION = 127.5, 50.0
"""What each channel of each image is brought to where colours are normalised."""
MASKED = 127
"""Gray of what is masked."""
MOST_SIZES = 8
FEW = 5
QUARTER_TURNS = range(5, 9)
"""Orientations in EXIF by which width and height change places."""
"""Classes that a message names."""
LOOKED_AT = 500
"""Files whose size is looked at: those of a set rarely differ, and where they do it shows early."""


@dataclass(frozen=True)
class Images:
    """Images as a detector sees them, each with its file and group.

    Attributes:
        images: uint8 ``[n, c, s, s]``.
        paths: what each is called, as its folder or table has it.
        files: where each was read from.
        groups: patient, sequence … of each.
        identity: of the images before colours are normalised or borders masked.
        skipped: what could not be read.
        name: of the folder or table.
    """

    images: Tensor
    paths: tuple[str, ...]
    files: tuple[Path, ...]
    groups: tuple[str, ...]
    identity: DataIdentity
    skipped: tuple[Skipped, ...] = ()
    name: str = ""

    def __len__(self) -> int:
        return len(self.paths)

    def at(self, places: Sequence[int]) -> Images:
        """Return those at these places."""
        chosen = [int(place) for place in places]
        return replace(
            self,
            images=self.images[chosen],
            paths=tuple(self.paths[i] for i in chosen),
            files=tuple(self.files[i] for i in chosen),
            groups=tuple(self.groups[i] for i in chosen),
        )


def list_of(where: str, groups: str | None, what: str) -> Listing:
    """Return the list of the images of one kind.

    Raises:
        InputError: nothing there, several classes of images, or no way to know their groups.
    """
    try:
        listing = listed(where, groups=groups)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None
    if listing.groups is None:
        raise InputError(
            f"{what}: {where}: the patient, sequence … of each image must be known, or it cannot be split honestly: "
            f"give --groups REGEX, what finds it in a file's name ('{FIRST_FOLDER}': there is a folder for each; '.+': "
            "every image stands alone)"
        )
    if len(listing.classes) > 1:
        some = f"{', '.join(listing.classes[:FEW])}{', …' if len(listing.classes) > FEW else ''}"
        raise InputError(f"{what}: {where} must hold images of one kind, got classes {some}: name one of them")
    return listing


def read_images(listing: Listing, preprocessing: Preprocessing, *, on_progress: Progress | None = None) -> Images:
    """Return all images of a list.

    Raises:
        InputError: too many cannot be read, or they are not files.
    """
    found = load_listing(
        listing,
        "all",
        image_size=preprocessing.image_size,
        channels=preprocessing.channels,
        on_progress=on_progress,
    )
    skipped = {one.path for one in found.skipped}
    kept = [entry for entry in listing.entries if entry.path not in skipped]
    return Images(
        images=prepared(to_8_bits(found.images), preprocessing),
        paths=tuple(entry.path for entry in kept),
        files=tuple(_file(entry, listing) for entry in kept),
        groups=found.groups,
        identity=found.identity,
        skipped=found.skipped,
        name=listing.name,
    )


def _file(entry: Entry, listing: Listing) -> Path:
    if entry.file is None:
        raise InputError(f"{listing.where}: images must be files, got {entry.path} in an array")
    return entry.file


def seen_in(files: Sequence[Path], preprocessing: Preprocessing) -> Preprocessing:
    """Return the preprocessing with the sizes and the kind of these files."""
    some = files[:: -(-len(files) // LOOKED_AT) or 1]  # of all folders: one may be of another device
    sizes = Counter(map(_size, some))
    kinds = {is_gray_file(file) for file in some}
    gray = kinds.pop() if len(kinds) == 1 else None
    common = tuple(size for size, _ in sizes.most_common(MOST_SIZES + 1) if size is not None)
    # where all files differ, or the size of some is not known, another size says nothing
    told = None not in sizes and len(common) <= MOST_SIZES
    return preprocessing.model_copy(update={"sizes": common if told else (), "gray": gray})


def _size(file: Path) -> str | None:
    """Return width and height by the header, of an image that is turned as it says; None: not known, as of DICOM."""
    with suppress(Exception), Image.open(file) as opened:
        turned = opened.getexif().get(ExifTags.Base.Orientation) in QUARTER_TURNS
        width, height = (opened.height, opened.width) if turned else (opened.width, opened.height)
        return f"{width}×{height}"
    return None


def read_one(file: Path, preprocessing: Preprocessing) -> tuple[Tensor, tuple[str, ...]]:
    """Return one image ``[c, s, s]`` as :func:`read_images` does, and what is unusual about it.

    Raises:
        InputError: it cannot be read.
    """
    pixels = read_image(file)
    return fit_in(pixels, preprocessing), unusual(pixels, preprocessing)


def fit_in(pixels: Pixels, preprocessing: Preprocessing) -> Tensor:
    """Return an image ``[c, s, s]`` as a detector sees it."""
    small = as_8_bits(with_channels(fitted(pixels, preprocessing.image_size), preprocessing.channels))
    return prepared(torch.from_numpy(np.array(small))[None], preprocessing)[0]


def unusual(pixels: Pixels, preprocessing: Preprocessing) -> tuple[str, ...]:
    """Return in what an image differs from those that the detector was fitted on; empty if in nothing."""
    channels, height, width = pixels.shape
    found = []
    if preprocessing.gray is not None and preprocessing.gray != (channels == 1):
        words = {True: "gray", False: "in colour"}
        found.append(f"is {words[channels == 1]}, fitted on images {words[preprocessing.gray]}")
    if preprocessing.sizes and f"{width}×{height}" not in preprocessing.sizes:
        found.append(f"is {width}×{height}, fitted on {', '.join(preprocessing.sizes)}")
    return tuple(found)


def prepared(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Return uint8 images ``[n, c, h, w]`` with colours normalised and borders masked where that is asked for."""
    if preprocessing.normalise_colour:
        images = normalised(images)
    return masked(images) if preprocessing.mask_border else images


def normalised(images: Tensor) -> Tensor:
    """Return images of which each channel has mean 127.5 and standard deviation 50, before rounding."""
    values = images.double()
    mean = values.mean(dim=(2, 3), keepdim=True)
    deviation = values.std(dim=(2, 3), keepdim=True, correction=0).clamp_min(1.0)
    scaled = (values - mean) / deviation * COLOUR_DEVIATION + COLOUR_MEAN
    return scaled.round_().clamp_(0, 255).to(torch.uint8)


def masked(images: Tensor) -> Tensor:
    """Return images that are gray outside of the largest circle."""
    height, width = images.shape[2:]
    down = (torch.arange(height) + 0.5) / height * 2 - 1
    across = (torch.arange(width) + 0.5) / width * 2 - 1
    outside = down[:, None].square() + across[None].square() > 1
    return images.masked_fill(outside, MASKED)


def files_in(places: Sequence[Path], *, without: Path | None = None) -> Iterator[tuple[Path, str]]:
    """Yield the images among files and folders with what each is called: in order, without holding more than a folder.

    An image of a folder is called as it is in there; where more is given than that folder, with the folder's name as
    it was given. The folder ``without`` is passed over.

    Raises:
        InputError: nothing there.
    """
    alone, skipped = len(places) == 1, None if without is None else without.resolve()
    for place in places:
        if place.is_dir():
            found = _walk(place, skipped, [place.resolve()])
            yield from ((file, str(file.relative_to(place) if alone else file)) for file in found)
        elif place.exists():
            yield place, str(place)
        else:
            raise InputError(f"{place}: must be an image or a folder of images, got nothing there")


def _walk(folder: Path, skipped: Path | None, roots: list[Path]) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))  # there may be a million
    for name in names:
        path = folder / name
        if is_image(path):
            yield path
        elif path.is_dir() and path.resolve() != skipped and (not path.is_symlink() or leads_elsewhere(path, roots)):
            yield from _walk(path, skipped, roots)
