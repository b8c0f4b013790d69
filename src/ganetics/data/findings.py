"""What can be wrong with a set of images: a rule a function, from measures to findings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from ganetics.data.duplicates import ALIKE, MOST_BITS
from ganetics.data.facts import CONSTANT, LISTED, Facts, Finding, Severity, columns
from ganetics.data.leaks import (
    few_groups,
    folders_are_groups,
    folders_of_patients,
    groups_hint,
    groups_leak,
    patients_across,
)
from ganetics.data.listing import most_bad
from ganetics.data.splits import SHARES

FEW = 50
"""Images below which next to nothing can be learned or said."""
DARK = 0.5
"""Of the 16-bit range: where no image is brighter, the values have fewer bits than the files."""
SHORTCUT = 0.7
"""AUROC of a single number above which, or below 1 minus which, it gives the class away."""
LEAST_OF_CLASS = 10
"""Images of a class, and of the others, below which an AUROC is chance."""
SHORTCUTS = {
    "brightness": "mean brightness",
    "red": "mean red",
    "green": "mean green",
    "blue": "mean blue",
    "border": "brightness of the border",
    "bytes": "size of the file",
}


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


def _classes_of_splits(facts: Facts) -> Iterator[Finding]:
    splits, reason = facts.split
    if facts.many_small_folders or reason is not None:
        return  # that is what is wrong
    found: dict[str, list[str]] = defaultdict(list)
    for place in facts.readable.tolist():
        if (label := facts.listing.entries[place].label) is not None:
            found[label].append(splits[place])
    there = [split for split in SHARES if split in splits]
    absent = {name: [split for split in there if split not in seen] for name, seen in found.items() if len(seen) > 1}
    lacking = sorted((name for name in absent if absent[name]), key=lambda name: ("train" not in absent[name], name))
    if lacking:
        first = absent[lacking[0]]
        lost = "it cannot be learnt" if "train" in first else "no figure tells how good images of it are"
        more = f"; so {len(lacking) - 1} more" if len(lacking) > 1 else ""
        yield Finding(
            severity="warning",
            rule="class-not-in-split",
            message=f"class {lacking[0]!r} has no {' and no '.join(first)} image: {lost}{more}; there are too few "
            "images or groups of it",
            value=len(lacking),
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


def _pages(facts: Facts) -> Iterator[Finding]:
    found = facts.of_several_pages
    if found:
        yield Finding(
            severity="warning",
            rule="pages",
            message=f"{_images(len(found))} with several pages, of which the first is read: write the slices of a "
            "stack as files of their own; of a slide's levels the first is the largest",
            value=len(found),
            files=facts.alone(found),
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
    _number, _unreadable, _classes, _classes_of_splits, groups_leak, few_groups, patients_across, folders_of_patients,
    folders_are_groups, groups_hint,
    _equal, _alike, _constant, _burned_in, _pages, _kinds, _shortcuts,
)  # fmt: skip
"""In the order in which what they find is shown."""
