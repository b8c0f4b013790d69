"""Rules of the audit: one patient, sequence … on both sides, where groups are given and where they are not."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from ganetics.data.facts import LISTED, SMALL, Facts, Finding
from ganetics.data.groups import FIRST_FOLDER, SECOND_FOLDER
from ganetics.data.splits import groups_across

FEW_GROUPS = 10
"""Patients, sequences … held out below which figures depend on which these are."""


def groups_leak(facts: Facts) -> Iterator[Finding]:
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


def few_groups(facts: Facts) -> Iterator[Finding]:
    groups, splits = facts.listing.groups, facts.split[0]
    if groups is None:
        return
    of_split = {(split, group) for group, split in zip(groups, splits, strict=True)}
    counts = {name: sum(split == name for split, _ in of_split) for name in ("validation", "test")}
    few = {name: count for name, count in counts.items() if 0 < count < FEW_GROUPS}
    if few:
        told = " and ".join(f"{count} {name}" for name, count in few.items())
        yield Finding(
            severity="warning",
            rule="few-groups",
            message=f"only {told} group{'' if list(few.values()) == [1] else 's'}: figures say how near generated "
            "images come to these, and little of others",
            value=min(few.values()),
        )


def patients_across(facts: Facts) -> Iterator[Finding]:
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
            message=f"{len(across)} patients whom the DICOM headers name are in more than one split: give "
            "--groups dicom:PatientID",
            value=len(across),
        )


def folders_of_patients(facts: Facts) -> Iterator[Finding]:
    """Look for folders that are patients: split, and perhaps taken for classes."""
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
            message=f"{len(across)} folders{words} are in more than one split: if a folder is a patient or "
            f"sequence, give --groups '{SECOND_FOLDER if deep else FIRST_FOLDER}'",
            value=len(across),
        )


def folders_are_groups(facts: Facts) -> Iterator[Finding]:
    """Say where folders would be classes, had not each one group alone."""
    groups = facts.listing.groups
    if groups is None or facts.listing.classes or "" in facts.folders:
        return
    folders = {folder.partition("/")[0] for folder in facts.folders}
    pairs = {(folder.partition("/")[0], group) for folder, group in zip(facts.folders, groups, strict=True)}
    if len(folders) == len(pairs) > 1:
        yield Finding(
            severity="note",
            rule="folders-are-groups",
            message=f"{len(folders)} folders have one group each, so they are not taken for classes",
            value=len(folders),
        )


def groups_hint(facts: Facts) -> Iterator[Finding]:
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
