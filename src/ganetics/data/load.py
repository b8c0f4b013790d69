"""One door to all images."""

from __future__ import annotations

import os
from pathlib import Path

from ganetics import _check
from ganetics._check import InputError
from ganetics.data.arrays import PREFIX, list_arrays, list_medmnist
from ganetics.data.cifar10 import load_cifar10
from ganetics.data.digits import load_digits
from ganetics.data.folder import list_folder
from ganetics.data.imageset import ImageSet
from ganetics.data.listing import Listing, Progress, channels_in, load_listing
from ganetics.data.mnist import load_mnist
from ganetics.data.splits import SPLITS
from ganetics.data.table import list_table

NAMED = ("digits", "mnist", "cifar10")
"""Public data sets that are always the same: size, channels and splits are known, and nothing is to be audited."""
IN_FILES = (".csv", ".npz")
"""Ends of files that list images, or hold them."""


def is_named(dataset: str) -> bool:
    """Tell whether a dataset is known by its name, wherever its files lie; else it is the path of somebody's images.

    >>> is_named("mnist"), is_named("medmnist:pathmnist"), is_named("images/eyes.csv")
    (True, True, False)
    """
    return dataset in NAMED or dataset.startswith(PREFIX)


def resolved(dataset: str) -> str:
    """Return the absolute path of images, so that they are found from elsewhere too; a dataset's name as it is.

    >>> resolved("digits")
    'digits'
    """
    return dataset if is_named(dataset) or not Path(dataset).exists() else str(Path(dataset).resolve())


def is_path(dataset: str) -> bool:
    """Tell whether a dataset is meant as a path: it is there, or has a separator or the end of a file of images.

    >>> is_path("./nofolder"), is_path("eyes.csv"), is_path("mnits")
    (True, True, False)
    """
    path = Path(dataset)
    return "/" in dataset or os.sep in dataset or path.suffix.lower() in IN_FILES or path.exists()


def check_known(dataset: str) -> None:
    """Check that a dataset is known by name.

    Raises:
        InputError: it is not; says the nearest, or all that can be given.
    """
    try:
        _check.one_of("dataset", dataset, (*NAMED, f"{PREFIX}NAME"))
    except InputError as error:
        raise InputError(f"{error}; and no folder, .csv or .npz of images is called so") from None


def listed(dataset: str, *, data_dir: Path | None = None, groups: str | None = None) -> Listing:
    """Return the list of somebody's images: of a folder, a CSV file, an npz file or ``medmnist:NAME``.

    Args:
        dataset: its path, or name.
        data_dir: where the file of ``medmnist:NAME`` lies.
        groups: what finds the patient, sequence … of a file (:func:`ganetics.data.groups.group_of`).

    Raises:
        InputError: nothing there, or nothing that lists images; groups of images that are not files.
    """
    path = Path(dataset)
    in_one_file = dataset.startswith(PREFIX) or path.suffix.lower() == ".npz"
    if in_one_file and groups is not None:
        raise InputError(f"groups: {dataset}: images must be files to have a group in their names, got {groups!r}")
    if dataset.startswith(PREFIX):
        return list_medmnist(dataset, data_dir)
    if path.is_file() and path.suffix.lower() in IN_FILES:
        return list_arrays(path) if in_one_file else list_table(path, groups)
    if not is_path(dataset):
        check_known(dataset)
    if not path.exists():
        raise InputError(f"{dataset}: no such folder or file; must be a folder of images, or a .csv or .npz file")
    if not path.is_dir():
        raise InputError(f"{dataset}: must be a folder of images, or a .csv or .npz file, got another file")
    return list_folder(path, groups)


def channels_of(dataset: str, *, data_dir: Path | None = None) -> int:
    """Return 1 if all of somebody's images are gray, else 3. Only headers are read; unreadable images do not count.

    Raises:
        InputError: as for :func:`listed`.
    """
    return channels_in(listed(dataset, data_dir=data_dir))


def load(
    dataset: str,
    *,
    split: str,
    data_dir: Path | None = None,
    image_size: int | None = None,
    channels: int | None = None,
    groups: str | None = None,
    on_progress: Progress | None = None,
) -> ImageSet:
    """Return images as uint8 or uint16 ``[n, c, h, w]``: decoded at the first call, from the cache afterwards.

    Args:
        dataset: "digits" (embedded), "mnist", "cifar10", "medmnist:NAME", or the path of a folder of images, of a CSV
            file that names them, or of an npz file like MedMNIST's.
        split: "train", "validation", "test" or "all". "all" of MNIST and CIFAR-10 is their whole training file.
        data_dir: where the files of a named data set lie; None: MNIST and CIFAR-10 are fetched once into the cache.
        image_size: cut to the middle square and resize to this side. For digits, MNIST, CIFAR-10: must be theirs.
        channels: 1 or 3, None: 1 if all are gray. For digits, MNIST, CIFAR-10: must be theirs.
        groups: of files: the same, kept in one split.
        on_progress: called with (images read, images in all).

    Raises:
        InputError: an unknown name, missing or damaged files, a size or channels that the data do not have.
    """
    _check.one_of("split", split, SPLITS)
    if dataset not in NAMED:
        images = listed(dataset, data_dir=data_dir, groups=groups)
        return load_listing(images, split, image_size=image_size, channels=channels, on_progress=on_progress)
    if groups is not None:
        raise InputError(f"groups: {dataset} has none, got {groups!r}")
    if dataset == "digits":
        loaded = load_digits(split)
    else:
        loaded = (load_mnist if dataset == "mnist" else load_cifar10)(split, data_dir)
    identity = loaded.identity
    for what, asked, has in (("image size", image_size, identity.height), ("channels", channels, identity.channels)):
        if asked is not None and asked != has:
            raise InputError(f"{what} of {dataset} must be {has}, got {asked}")
    return loaded
