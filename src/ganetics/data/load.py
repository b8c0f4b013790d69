"""One door to all images."""

from __future__ import annotations

from pathlib import Path

from ganetics import _check
from ganetics._check import InputError
from ganetics.data.cifar10 import load_cifar10
from ganetics.data.digits import load_digits
from ganetics.data.folder import FolderOptions, Progress, load_folder
from ganetics.data.imageset import ImageSet
from ganetics.data.mnist import load_mnist
from ganetics.data.splits import SPLITS

NAMED = ("digits", "mnist", "cifar10")


def resolved(dataset: str) -> str:
    """Return the absolute path of a folder, so that it is found from elsewhere too; a named dataset's name as it is.

    >>> resolved("digits")
    'digits'
    """
    return dataset if dataset in NAMED or not Path(dataset).is_dir() else str(Path(dataset).resolve())


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
    """Return images as uint8 ``[n, c, h, w]``: decoded at the first call, from the cache afterwards.

    Args:
        dataset: "digits" (embedded), "mnist", "cifar10", or the path of a folder of images.
        split: "train", "validation", "test" or "all". "all" of MNIST and CIFAR-10 is their whole training file.
        data_dir: where the files of a named data set lie; None: fetched once into the cache.
        image_size: for folders: cut to the middle square and resize to this side. For named sets: must be theirs.
        channels: for folders: 1 or 3, None: 1 if all are gray. For named sets: must be theirs.
        groups: for folders: regular expression of the patient, sequence … in file names, kept in one split.
        on_progress: for folders: called with (images read, images in all).

    Raises:
        InputError: an unknown name, missing or damaged files, a size or channels that the data do not have.
    """
    _check.one_of("split", split, SPLITS)
    if dataset not in NAMED:
        if not Path(dataset).is_dir() and len(Path(dataset).parts) == 1 and not Path(dataset).exists():
            try:
                _check.one_of("dataset", dataset, NAMED)
            except InputError as error:
                raise InputError(f"{error}; or give a folder of images") from None
        return load_folder(Path(dataset), split, FolderOptions(image_size, channels, groups), on_progress)
    if dataset == "digits":
        loaded = load_digits(split)
    else:
        loaded = (load_mnist if dataset == "mnist" else load_cifar10)(split, data_dir)
    identity = loaded.identity
    for what, asked, has in (("image size", image_size, identity.height), ("channels", channels, identity.channels)):
        if asked is not None and asked != has:
            raise InputError(f"{what} of {dataset} must be {has}, got {asked}")
    return loaded
