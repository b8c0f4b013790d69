"""The labelled images that a detector is tested on, and the note that they were looked at."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import torch
from torch import Tensor

from ganetics._check import InputError
from ganetics.anomaly.fit import Prepared, refuse_same_files
from ganetics.anomaly.images import Images, Progress, list_of, read_images
from ganetics.anomaly.protocol import refuse_seen
from ganetics.anomaly.results import TEST_IMAGES
from ganetics.anomaly.settings import DetectConfig
from ganetics.data.imageset import hash_of
from ganetics.execution import looks as looks_file
from ganetics.metrics.detection import RESAMPLES


@dataclass(frozen=True)
class Options:
    """How an evaluation is made.

    Attributes:
        abnormal: folder or table of abnormal images; None: there is one class alone.
        normal: of normal images of other groups; None: those that the run has kept for the test.
        no_normal: test on abnormal images alone, for figures of pixels.
        masks: folder of masks of the abnormal images.
        groups: regular expression for ``abnormal`` and ``normal``; None: the run's.
        leave_out_seen: leave images of seen groups out, where else they are refused.
        sliding: pixels between two windows over images at their own resolution; None: whole images.
        pictures: whether the folder gets pictures of images with their maps.
        headline: whether the run counts among those whose figures are told first.
        resamples: of the intervals.
    """

    abnormal: str | None = None
    normal: str | None = None
    no_normal: bool = False
    masks: Path | None = None
    groups: str | None = None
    leave_out_seen: bool = False
    sliding: int | None = None
    pictures: bool = True
    headline: bool = False
    resamples: int = RESAMPLES

    @property
    def command(self) -> str:
        """What makes the evaluation again, for its page: the run's folder as ``RUN``, of paths the last part.

        >>> Options(abnormal="/ward 3/disease", sliding=16, pictures=False).command
        'ganetics detect evaluate RUN --abnormal disease --sliding 16 --no-pictures'
        """
        paths = {"--abnormal": self.abnormal, "--normal": self.normal, "--masks": self.masks}
        given = {name: None if place is None else PurePath(place).name for name, place in paths.items()}
        given |= {"--groups": self.groups, "--sliding": None if self.sliding is None else str(self.sliding)}
        flags = {
            "--no-normal": self.no_normal,
            "--leave-out-seen": self.leave_out_seen,
            "--no-pictures": not self.pictures,
            "--headline": self.headline,
        }
        words = [word for name, value in given.items() if value is not None for word in (name, value)]
        words += [name for name, on in flags.items() if on]
        return shlex.join(["ganetics", "detect", "evaluate", "RUN", *words])


@dataclass(frozen=True)
class TestSet:
    """Images of groups that were not seen, normal ones first."""

    images: Images
    names: tuple[str, ...]
    """What each is called, with its folder."""
    labels: tuple[int, ...]
    left_out: int = 0
    """Images of seen groups that were left out."""
    duplicates: int = 0
    """Normal ones that equal an image that was seen, pixel by pixel."""
    unreadable: int = 0
    """Files that could not be read."""

    __test__ = False  # not a class of tests


def assembled(prepared: Prepared, options: Options, *, on_progress: Progress | None = None) -> TestSet:
    """Return the test set: normal images of unseen groups, and abnormal ones.

    Raises:
        InputError: an abnormal image is among the normal ones, by its file or pixel by pixel; a group was seen, and
            ``leave_out_seen`` is false; nothing is left.
    """
    config = prepared.config
    sets: list[tuple[int, Images]] = []
    if options.normal is not None:
        sets.append((0, _others(prepared, options.normal, options, "normal", on_progress)))
    elif not options.no_normal:
        sets.append((0, prepared.part(config.parts.test)))
    if options.abnormal is not None:
        sets.append((1, _others(prepared, options.abnormal, options, "abnormal", on_progress)))
    kept, left_out = [], 0
    for label, images in sets:
        if options.leave_out_seen:
            places = [place for place, group in enumerate(images.groups) if group not in config.seen]
            left_out += len(images) - len(places)
            images = images.at(places)
        refuse_seen(images.groups, config.seen, "abnormal" if label else "normal")
        kept.append((label, images))
    if not any(len(images) for _, images in kept):
        raise InputError(
            f"the test must have at least 1 image of an unseen group, got none ({left_out} of seen groups left out)"
        )
    duplicates = _duplicates(prepared, kept, options)
    images = _joined([images for _, images in kept])
    labels = tuple(label for label, part in kept for _ in range(len(part)))
    names = tuple(f"{part.name}/{path}" for _, part in kept for path in part.paths)
    # of those that the run has kept for the test, fitting has told
    unreadable = sum(len(part.skipped) for label, part in kept if label or options.normal is not None)
    return TestSet(images, names, labels, left_out, duplicates, unreadable)


def _duplicates(prepared: Prepared, sets: Sequence[tuple[int, Images]], options: Options) -> int:
    """Return how many normal test images equal one that was seen.

    Raises:
        InputError: an abnormal one does, or equals a normal test image.
    """
    parts = prepared.config.parts
    known = {_hash(image) for part in (parts.fit, parts.held_out) for image in prepared.part(part).images}
    normal = known | {_hash(image) for label, images in sets if not label for image in images.images}
    total = 0
    for label, images in sets:
        others = normal if label else known
        count = sum(_hash(image) in others for image in images.images)
        if label and count:
            raise InputError(
                f"abnormal: {options.abnormal}: no image may be among the normal ones, fitted on, chosen or tested "
                f"with, got {count} of {len(images)} that equal one pixel by pixel"
            )
        total += count
    return total


def note_look(run: Path, test: TestSet) -> dict[str, Any]:
    """Write down that labelled images are looked at now; return the first time, and how often it was done.

    Raises:
        InputError: what was written before is damaged.
    """
    names = "\n".join(f"{label} {path}" for path, label in zip(test.names, test.labels, strict=True))
    digest = hashlib.sha256(names.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    seen = {"images": len(test.labels), "abnormal": sum(test.labels), "test_set": digest}
    first, looks = looks_file.note_look(run / "looks.json", TEST_IMAGES, **seen)
    return {"first_look": first, "looks": looks}


def _joined(parts: Sequence[Images]) -> Images:
    """Return several sets as one."""
    first = parts[0]
    return Images(
        images=torch.cat([part.images for part in parts]),
        paths=sum((part.paths for part in parts), ()),
        files=sum((part.files for part in parts), ()),
        groups=sum((part.groups for part in parts), ()),
        identity=first.identity,
        name=first.name,
    )


def _others(prepared: Prepared, where: str, options: Options, what: str, on_progress: Progress | None) -> Images:
    config = prepared.config
    listing = list_of(where, options.groups or config.groups, what)
    _refuse_seen_by_the_runs_own(config, where, options, what)
    if what == "abnormal":
        refuse_same_files(list_of(prepared.places.normal, config.groups, "normal"), listing)
        if options.normal is not None:
            refuse_same_files(list_of(options.normal, options.groups or config.groups, "normal"), listing)
    return read_images(listing, config.preprocessing, on_progress=on_progress)


def _refuse_seen_by_the_runs_own(config: DetectConfig, where: str, options: Options, what: str) -> None:
    """Check with the run's own expression where another is given, by which a seen group would have another name."""
    if options.groups is None or config.groups in (None, options.groups):
        return
    try:
        groups = list_of(where, config.groups, what).groups or ()
    except InputError:  # it fits no name here, so nothing can be found by it
        return
    if leaked := sorted(set(groups) & config.seen):
        raise InputError(
            f"{what}: group {leaked[0]!r}, as the run's own --groups {config.groups!r} finds it, is among those "
            f"that it was fitted on or chosen with: leave --groups out, got {options.groups!r}"
        )


def _hash(image: Tensor) -> str:
    return hash_of(image[None].numpy())
