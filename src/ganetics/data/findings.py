"""What can be wrong with a set of images: a rule a function, from measures to findings."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ganetics._check import InputError
from ganetics.data.duplicates import ALIKE, MOST_BITS, alike_pairs, equal_sets
from ganetics.data.folder import is_named_as_dicom
from ganetics.data.groups import FIRST_FOLDER, SECOND_FOLDER, attribute_of
from ganetics.data.listing import Listing, most_bad
from ganetics.data.measure import Measured, Measures
from ganetics.data.splits import groups_across
from ganetics.records import Record

FEW = 50
"""Images below which next to nothing can be learned or said."""
CONSTANT = 0.01
"""Standard deviation of an image's gray, of the full range, below which it shows nothing."""
DARK = 0.5
"""Of the 16-bit range: where no image is brighter, the values have fewer bits than the files."""
SHORTCUT = 0.7
"""AUROC of a single number above which, or below 1 minus which, it gives the class away."""
LEAST_OF_CLASS = 10
"""Images of a class, and of the others, below which an AUROC is chance."""
MANY, SMALL = 12, 30
"""More folders than that, of fewer images than that in the middle, hold patients rather than kinds of images."""
LISTED = 1000
"""Most sets of files that a finding lists."""
Severity = Literal["error", "warning", "note"]
SHORTCUTS = {
    "brightness": "mean brightness",
    "red": "mean red",
    "green": "mean green",
    "blue": "mean blue",
    "border": "brightness of the border",
    "bytes": "size of the file",
}


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


def _unreadable(facts: Facts) -> Iterator[Finding]:
    bad, in_all = facts.measured.unreadable, len(facts.listing.entries)
    if bad:
        first, reason = next(iter(bad.items()))
        rule = f"training stops above {most_bad(in_all)} of {in_all}"
        yield Finding(
            severity="error" if len(bad) > most_bad(in_all) else "warning",
            rule="unreadable",
            message=f"{_images(len(bad))} cannot be read ({rule}), the first {facts.names([first])[0]}: {reason}",
            value=len(bad),
            files=facts.alone(bad),
        )


def _number(facts: Facts) -> Iterator[Finding]:
    splits, reason = facts.split
    if reason is None:
        absent = [repr(name) for name in ("train", "validation") if name not in splits]
        reason = f"no image is in split {' or '.join(absent)}" if absent else None
    if reason is not None:
        message = f"cannot be trained on: {reason}"
        yield Finding(severity="error", rule="split", message=message, value=facts.readable.size)
    if facts.readable.size < FEW:
        yield Finding(
            severity="warning",
            rule="few-images",
            message=f"only {_images(facts.readable.size)}: a generator of fewer than {FEW} learns them by heart or "
            "collapses, and its figures are chance; expect to need some hundreds",
            value=facts.readable.size,
        )


def _classes(facts: Facts) -> Iterator[Finding]:
    if facts.many_small_folders:
        return  # that is what is wrong
    labels = [facts.listing.entries[i].label for i in facts.readable.tolist()]
    for name, count in Counter(label for label in labels if label is not None).items():
        if count == 1:
            place = facts.readable[labels.index(name)]
            yield Finding(
                severity="error",
                rule="one-image-class",
                message=f"class {name!r} has one image: it cannot be split, and a generator could only copy it; "
                "is it misfiled?",
                value=1,
                files=facts.alone([place]),
            )


def _folders_of_patients(facts: Facts) -> Iterator[Finding]:
    """Look for folders that are patients: split over train and held out, and perhaps taken for classes."""
    across = groups_across(facts.folders, facts.split[0]).keys() - {""} if facts.could_have_groups else ()
    if not across:
        return
    names = {folder.rpartition("/")[2] for folder in across}
    deep = any("/" in folder for folder in across)
    numbered = len(across) > 2 and len({re.sub(r"\d+", "", name) for name in names}) == 1
    if facts.many_small_folders or deep or numbered:
        words = f", half of them of fewer than {SMALL} images," if facts.many_small_folders else ""
        yield Finding(
            severity="error" if facts.many_small_folders else "warning",
            rule="folders-of-patients",
            message=f"{len(across)} folders{words} are in train and held out, each: if a folder is a patient or "
            f"sequence, give --groups '{SECOND_FOLDER if deep else FIRST_FOLDER}'",
            value=len(across),
        )


def _folders_are_groups(facts: Facts) -> Iterator[Finding]:
    folders = {folder.partition("/")[0] for folder in facts.folders}
    if facts.listing.groups is not None and not facts.listing.classes and len(folders) > 1:
        yield Finding(
            severity="note",
            rule="folders-are-groups",
            message=f"{len(folders)} folders have one group each, so they are not taken for classes",
            value=len(folders),
        )


def _patients_across(facts: Facts) -> Iterator[Finding]:
    """Look for patients whom the headers name; a name that all have is none."""
    if not facts.could_have_groups:
        return
    patients = facts.in_headers("PatientID")
    known = [(patient, split) for patient, split in zip(patients, facts.split[0], strict=True) if patient is not None]
    if len({patient for patient, _ in known}) < 3:
        return
    across = groups_across(*zip(*known, strict=True))
    if across:
        yield Finding(
            severity="error",
            rule="patients-across-splits",
            message=f"{len(across)} patients whom the DICOM headers name are in train and held out, each: give "
            "--groups dicom:PatientID",
            value=len(across),
        )


def _groups(facts: Facts) -> Iterator[Finding]:
    groups, splits = facts.listing.groups, facts.split[0]
    for group, found in islice(({} if groups is None else groups_across(groups, splits)).items(), LISTED):
        places = [i for i, entry in enumerate(facts.listing.entries) if entry.group == group]
        yield Finding(
            severity="error",
            rule="group-leak",
            message=f"group {group!r} is in {' and '.join(found)}: all images of a group must be in one split",
            value=len(places),
            files=(facts.one_a_split(places),),
        )


def _group_hint(facts: Facts) -> Iterator[Finding]:
    """Look for what names begin with: of patients and sequences it often is all that is left."""
    if not facts.could_have_groups:
        return
    stems = [entry.path.replace("\\", "/").rpartition("/")[2] for entry in facts.listing.entries]
    starts = [stem.partition("_")[0] for stem in stems]
    if not all("_" in stem for stem in stems) or not 3 <= len(set(starts)) <= 0.9 * len(stems):
        return
    across = groups_across(starts, facts.split[0])
    if across:
        first = next(iter(across))
        places: dict[str, list[int]] = defaultdict(list)
        for place, start in enumerate(starts):
            places[start].append(place)
        yield Finding(
            severity="warning",
            rule="groups-not-given",
            message=f"{len(across)} beginnings of names such as {first + '_'!r} are in more than one split: if these "
            "are patients or sequences, give --groups '^[^_]+', or held-out images are not held out",
            value=len(across),
            files=tuple(facts.one_a_split(places[group]) for group in islice(across, LISTED)),
        )


def _equal(facts: Facts) -> Iterator[Finding]:
    across = [places for places in facts.equal if facts.leaks(places)]
    within = [places for places in facts.equal if not facts.leaks(places)]
    entries = facts.listing.entries
    mixed = [places for places in facts.equal if len({entries[i].label for i in places}) > 1]
    rules: tuple[tuple[Severity, str, list[list[int]], str], ...] = (
        ("error", "duplicates-across-splits", across, "in train and held out too: figures would be of images seen"),
        ("warning", "duplicates", within, "there more than once"),
        ("warning", "duplicates-of-two-classes", mixed, "in more than one class: one of the labels is wrong"),
    )
    for severity, rule, found, words in rules:
        if found:
            yield Finding(
                severity=severity,
                rule=rule,
                message=f"{_are(len(found))} {words} (equal pixels)",
                value=len(found),
                files=tuple(facts.names(places) for places in found[:LISTED]),
            )


def _alike(facts: Facts) -> Iterator[Finding]:
    how = f"turned or mirrored perhaps: hash within {MOST_BITS} of 64 bits, thumbnail correlation from {ALIKE}"
    across = [pair for pair in facts.alike if facts.leaks(pair)]
    held_out = {i for pair in across for i in pair if facts.split[0][i] != "train"}
    within = [pair for pair in facts.alike if not facts.leaks(pair)]
    if across:
        count = sum(split != "train" for split in facts.split[0])
        yield Finding(
            severity="warning",
            rule="look-alikes-across-splits",
            message=f"of {_images(count)} held out {len(held_out)} look{'s' if len(held_out) == 1 else ''} like one in "
            f"train ({how}): see whether these are copies",
            value=len(held_out),
            files=tuple(facts.names(pair) for pair in across[:LISTED]),
        )
    if within:
        yield Finding(
            severity="note",
            rule="look-alikes",
            message=f"pairs that look alike within a split: {len(within)} ({how})",
            value=len(within),
            files=tuple(facts.names(pair) for pair in within[:LISTED]),
        )


def _constant(facts: Facts) -> Iterator[Finding]:
    if facts.constant.size:
        yield Finding(
            severity="warning",
            rule="near-constant",
            message=f"{_are(facts.constant.size)} next to empty: standard deviation below {CONSTANT:.0%} of the range",
            value=facts.constant.size,
            files=facts.alone(facts.constant.tolist()),
        )


def _burned_in(facts: Facts) -> Iterator[Finding]:
    told = [place for place, text in enumerate(facts.in_headers("BurnedInAnnotation")) if text == "YES"]
    if told:
        yield Finding(
            severity="warning",
            rule="burned-in-text",
            message=f"{_images(len(told))} with text in the pixels, as DICOM headers say: names of patients, perhaps, "
            "which a generator can learn and give back",
            value=len(told),
            files=facts.alone(told),
        )


def _kinds(facts: Facts) -> Iterator[Finding]:
    rows = facts.rows[facts.readable]
    for rule, names, words in (
        ("sizes", ("width", "height"), "sizes: they are cut to the middle square and resized"),
        ("depths", ("bits", "channels"), "kinds (bits, gray or RGB): they are brought to the largest"),
    ):
        count = len(set(zip(*columns(rows, *names), strict=True)))
        if count > 1:
            yield Finding(severity="note", rule=rule, message=f"{count} {words}", value=count)
    wide = rows[rows["bits"] == 16]
    if wide.size and float(wide["brightest"].max()) < DARK:
        top = round(65535 * float(wide["brightest"].max()))
        yield Finding(
            severity="warning",
            rule="range",
            message=f"no 16-bit image is brighter than {top} of 65535: if the values have fewer bits, multiply them",
            value=top,
        )


def _shortcuts(facts: Facts) -> Iterator[Finding]:
    if not facts.listing.classes:
        return
    from sklearn.metrics import roc_auc_score  # here: it takes a second to import

    rows = facts.rows[facts.readable]
    labels = np.array([facts.listing.entries[i].label or "" for i in facts.readable.tolist()])
    for column, words in SHORTCUTS.items():
        values, best = rows[column], (0.5, "")
        if column == "bytes" and (values < 0).any():
            continue
        for name in facts.listing.classes:
            inside = labels == name
            if min(inside.sum(), (~inside).sum()) >= LEAST_OF_CLASS:
                score = float(roc_auc_score(inside, values))
                best = max(best, (score, name), key=lambda one: abs(one[0] - 0.5))
        score, name = best
        if abs(score - 0.5) > SHORTCUT - 0.5:
            order = facts.readable[np.argsort(values, kind="stable")].tolist()
            yield Finding(
                severity="warning",
                rule=f"shortcut-{column}",
                message=f"{words} alone tells class {name!r} from the rest: AUROC {score:.2f} (0.5 is chance); what is "
                "learned of the classes may be no more",
                value=round(score, 4),
                files=facts.alone([*order[-12:][::-1], *order[:12]]),
            )


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return f"{_images(count)} {'is' if count == 1 else 'are'}"


RULES: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    _number, _unreadable, _classes, _groups, _patients_across, _folders_of_patients, _folders_are_groups, _group_hint,
    _equal, _alike, _constant, _burned_in, _kinds, _shortcuts,
)  # fmt: skip
"""In the order in which what they find is shown."""
