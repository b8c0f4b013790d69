"""Which images are for training, for choosing, for the last word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from ganetics._check import InputError
from ganetics._random import numpy_generator

Split = Literal["train", "validation", "test", "all"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test", "all")
SHARES = {"train": 0.70, "validation": 0.15, "test": 0.15}
FEWEST = 30
"""Images below which a list of them is not split: from here on at least four of the validation images can be read, as a
reference needs, whatever the classes and where as many are damaged as may be."""

Indices = npt.NDArray[np.int64]


def split_indices(classes: Sequence[int], groups: Sequence[str] | None = None) -> dict[str, Indices]:
    """Return sorted indices of each split: 70, 15 and 15 %, the same at every call, none empty.

    Args:
        classes: class of each image; every class is split in these shares.
        groups: patient, sequence …: all images of one group go to one split; classes are not balanced then.

    Raises:
        InputError: fewer than 30 images, or fewer than 3 groups.
    """
    if len(classes) < FEWEST:
        raise InputError(f"there must be at least {FEWEST} images to split, got {len(classes)}")
    units: dict[object, list[list[int]]] = defaultdict(list)
    if groups is None:
        for index, label in enumerate(classes):
            units[label].append([index])
    else:
        members: dict[str, list[int]] = defaultdict(list)
        for index, group in enumerate(groups):
            members[group].append(index)
        if len(members) < len(SHARES):
            raise InputError(f"there must be at least {len(SHARES)} groups to split, got {len(members)}")
        units[0] = [members[group] for group in sorted(members)]
    order: list[list[int]] = []
    for number, kind in enumerate(sorted(units, key=str)):
        permutation = numpy_generator(0, "split", number).permutation(len(units[kind]))
        # large ones first: what they put out of balance can still be made up for
        order += sorted((units[kind][i] for i in permutation), key=len, reverse=True)
    return {name: np.array(sorted(part), dtype=np.int64) for name, part in _dealt(order).items()}


def given_indices(splits: Sequence[str], groups: Sequence[str] | None = None) -> dict[str, Indices]:
    """Return the indices of each split where it is given for every image; a split may be empty.

    Raises:
        InputError: a group is in two splits; names it.
    """
    for group, found in ({} if groups is None else groups_across(groups, splits)).items():
        raise InputError(f"all images of a group must be in one split, got group {group!r} in {' and '.join(found)}")
    return {name: np.array([i for i, one in enumerate(splits) if one == name], dtype=np.int64) for name in SHARES}


def groups_across(groups: Sequence[str], splits: Sequence[str]) -> dict[str, list[str]]:
    """Return the groups that are in more than one split, and the splits of each.

    >>> groups_across(["a", "b", "a"], ["train", "train", "test"])
    {'a': ['train', 'test']}
    """
    found: dict[str, set[str]] = defaultdict(set)
    for group, split in zip(groups, splits, strict=True):
        found[group].add(split)
    return {group: [name for name in SHARES if name in found[group]] for group in found if len(found[group]) > 1}


def _dealt(units: list[list[int]]) -> dict[str, list[int]]:
    """Give each unit to the split that is furthest below its share of what was given so far; none stays empty."""
    parts: dict[str, list[int]] = {name: [] for name in SHARES}
    given = 0
    for left, unit in zip(range(len(units), 0, -1), units, strict=True):
        given += len(unit)
        empty = [name for name in SHARES if not parts[name]]
        open_to = empty if left <= len(empty) else SHARES
        name = max(open_to, key=lambda split: SHARES[split] * given - len(parts[split]))
        parts[name].extend(unit)
    return parts
