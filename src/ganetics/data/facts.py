"""A list of images with their measures, as the rules of the audit see it, and what a rule says."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ganetics._check import InputError
from ganetics.data.decode import pages_of
from ganetics.data.duplicates import alike_pairs, equal_sets
from ganetics.data.folder import is_named_as_dicom
from ganetics.data.groups import attribute_of
from ganetics.data.listing import Listing
from ganetics.data.measure import Measured, Measures
from ganetics.records import Record

CONSTANT = 0.01
"""Standard deviation of an image's gray, of the full range, below which it shows nothing."""
MANY, SMALL = 12, 30
"""More folders than that, of fewer images than that in the middle, hold patients rather than kinds of images."""
LISTED = 1000
"""Most sets of files that a finding lists."""
FINAL = ("split", "group-leak")
"""Rules whose errors nothing lifts: what reads the images stops at them."""
Severity = Literal["error", "warning", "note"]


class Finding(Record):
    """Something to know of a set of images."""

    severity: Severity
    """An error: training does not start. A warning: figures or samples may mislead. A note: good to know."""
    rule: str
    message: str
    """One line: what was found, and what to do."""
    value: float
    """What the rule is about: a number of images or groups, or an AUROC."""
    files: tuple[tuple[str, ...], ...] = ()
    """The images concerned, the first 1000 sets: what belongs together, such as two equal images, is one set."""

    @property
    def final(self) -> bool:
        """Whether it stops training even where the audit's errors are accepted."""
        return self.severity == "error" and self.rule in FINAL


@dataclass(frozen=True)
class Facts:
    """A list of images with their measures, as the rules see it."""

    listing: Listing
    measured: Measured

    @property
    def rows(self) -> Measures:
        return self.measured.rows

    def names(self, places: Iterable[int]) -> tuple[str, ...]:
        return tuple(self.listing.entries[i].path for i in places)

    def alone(self, places: Iterable[int]) -> tuple[tuple[str, ...], ...]:
        return tuple(self.names([i]) for i in islice(places, LISTED))

    @cached_property
    def readable(self) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self.rows["height"] > 0)

    @cached_property
    def constant(self) -> npt.NDArray[np.int64]:
        return self.readable[self.rows["spread"][self.readable] < CONSTANT]

    @property
    def could_have_groups(self) -> bool:
        """Whether images are files, in whose names, paths or headers groups may be that were not given."""
        return self.listing.groups is None and all(entry.file is not None for entry in self.listing.entries)

    @cached_property
    def folders(self) -> list[str]:
        """The folder that each image lies in, with those above it; empty if in none."""
        return [entry.path.replace("\\", "/").rpartition("/")[0] for entry in self.listing.entries]

    def in_headers(self, keyword: str) -> list[str | None]:
        """Return an attribute of each image's DICOM header; None where there is none."""
        files = [entry.file if is_named_as_dicom(entry.path) else None for entry in self.listing.entries]
        return [None if file is None else attribute_of(file, keyword) for file in files]

    @cached_property
    def of_several_pages(self) -> list[int]:
        """Which are TIFF files with more pages than the one that is read."""
        files = [(place, entry.file) for place, entry in enumerate(self.listing.entries)]
        tiff = [(place, file) for place, file in files if file is not None and file.suffix.lower() in (".tif", ".tiff")]
        return [place for place, file in tiff if pages_of(file) > 1]

    @cached_property
    def many_small_folders(self) -> bool:
        """Whether folders are so many and small that they must be something else than kinds of images."""
        sizes = Counter(filter(None, self.folders))
        return self.could_have_groups and len(sizes) > MANY and statistics.median(sizes.values()) < SMALL

    @cached_property
    def split(self) -> tuple[list[str], str | None]:
        """Split of each image, and why it cannot be split; then all are in "all"."""
        if self.listing.splits is not None:
            return self.listing.splits, None  # also where a group is in two of them
        found = ["all"] * len(self.listing.entries)
        try:
            parts = self.listing.parts()
        except InputError as error:
            return found, str(error).removeprefix(f"{self.listing.where}: ")
        for name, places in parts.items():
            for place in places.tolist():
                found[place] = name
        return found, None

    def leaks(self, places: Sequence[int]) -> bool:
        """Tell whether some of these images are trained on, and others held out."""
        found = {self.split[0][i] for i in places}
        return "train" in found and len(found) > 1

    def one_a_split(self, places: Iterable[int]) -> tuple[str, ...]:
        """Return the name of the first of these images in each split that they are in."""
        first: dict[str, int] = {}
        for place in places:
            first.setdefault(self.split[0][place], place)
        return self.names(first.values())

    @cached_property
    def equal(self) -> list[list[int]]:
        """Sets of equal images."""
        return [self.readable[places].tolist() for places in equal_sets(self.rows["sha256"][self.readable])]

    @cached_property
    def alike(self) -> list[list[int]]:
        """Pairs of images that look alike; of equal images one alone is looked at, of those that show nothing none."""
        left_out = {*self.constant.tolist(), *(i for places in self.equal for i in places[1:])}
        looked_at = np.array([i for i in self.readable.tolist() if i not in left_out], dtype=np.int64)
        pairs, _ = alike_pairs(self.rows["hashes"][looked_at], self.rows["thumbnail"][looked_at])
        found: list[list[int]] = looked_at[pairs].tolist()
        return found


def columns(rows: Measures, *names: str) -> list[list[Any]]:
    return [rows[name].tolist() for name in names]
