"""Score files one after the other: memory stays flat, and what is interrupted goes on."""

from __future__ import annotations

import csv
import heapq
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganetics._check import InputError, printable
from ganetics.anomaly.detector import BATCH, Detector, Results
from ganetics.anomaly.images import files_in, read_one
from ganetics.anomaly.pictures import overlay
from ganetics.anomaly.settings import Preprocessing
from ganetics.records import to_json

COLUMNS = ("path", "pred_score", "pred_label", "note")
OUTSIDE = {"/": "_root", "..": "_up"}
"""What leads out of a folder → what it is called inside."""
HIGHEST = 100
"""Most abnormal images that are remembered."""
SAME = 1e-3
FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet computes begins so; a control character is escaped anyway."""
"""A score that is made again may differ by this, in standard deviations of normal images: another batch, machine."""


@dataclass
class Counts:
    """What there is in the file."""

    scored: int = 0
    abnormal: int = 0
    """Of these, above the threshold."""
    unreadable: int = 0
    unusual: int = 0
    """Of another size or kind than the images that were fitted on."""
    resumed: int = 0
    """Rows that were there already."""
    highest: list[tuple[float, str, Path]] = field(default_factory=list)
    """Score, path and file of the most abnormal images, at most :data:`HIGHEST`; a heap."""

    def note(self, row: Mapping[str, Any], file: Path) -> None:
        """Count a row, which is of this file."""
        if row.get("pred_score") in (None, ""):
            self.unreadable += 1
            return
        self.scored += 1
        self.abnormal += int(row["pred_label"])
        self.unusual += bool(row.get("note"))
        scored = float(row["pred_score"]), row["path"], file
        if len(self.highest) < HIGHEST:
            heapq.heappush(self.highest, scored)
        else:
            heapq.heappushpop(self.highest, scored)


@dataclass(frozen=True)
class Scoring:
    """How files are scored.

    Attributes:
        detector: fitted.
        preprocessing: as recorded with it.
        strict: stop at an image that cannot be read, or is of another size or kind than those fitted on.
        maps: folder for a picture of each image with its map (:func:`picture_of`); None: none is made.
        on_warning: called with a line about an image.
        on_progress: called with the number of images done.
    """

    detector: Detector[Any]
    preprocessing: Preprocessing
    strict: bool = False
    maps: Path | None = None
    on_warning: Callable[[str], None] | None = None
    on_progress: Callable[[int], None] | None = None


def score_files(scoring: Scoring, places: Sequence[Path], out: Path, *, resume: bool = False) -> Counts:
    """Score images and append a row each to a CSV or JSON-lines file, in order.

    An image that cannot be read gets a row that says so, without a score.

    Args:
        scoring: how.
        places: images and folders of images; the folder of the maps may be inside of one, it is passed over.
        out: ``.csv`` or ``.jsonl``: path, pred_score (higher is more abnormal), pred_label (1: above the threshold).
        resume: go on behind the rows that are there already; they must be of the same images and detector.

    Raises:
        InputError: another ending; the file is there, and ``resume`` is false; it is not and there is something in the
            folder of the maps; it is of other images or of another detector; no image can be read; with ``strict``, an
            image that cannot be read or is unusual.
        OSError: the disk is full or the file not writable; whole rows stay.
    """
    rows = _rows_of(out)
    if out.exists() and not resume:
        raise InputError(f"{out}: is there already: --resume goes on with it, or name another file")
    if scoring.maps is not None and not out.exists() and scoring.maps.exists() and any(scoring.maps.iterdir()):
        raise InputError(f"{scoring.maps}: must be an empty folder or not be there yet")
    files = files_in(places, without=scoring.maps)
    counts = Counts()
    if out.exists():
        _skip_done(scoring, rows, files, out, counts)
    while batch := list(islice(files, BATCH)):
        found = _scored(scoring, batch)
        rows.append(found)
        for row, (file, _) in zip(found, batch, strict=True):
            counts.note(row, file)
        if scoring.on_progress is not None:
            scoring.on_progress(counts.scored + counts.unreadable)
    if not counts.scored + counts.unreadable:
        raise InputError(f"{', '.join(map(str, places))}: must hold at least 1 image, got none")
    if not counts.scored:
        raise InputError(f"{out}: at least 1 image must be readable, got {counts.unreadable} that are not, as it says")
    _draw_missing(scoring, counts)
    return counts


class _Csv:
    """Rows of a CSV file."""

    head = ",".join(COLUMNS) + "\n"

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        try:
            with self.path.open("a", encoding="utf-8", newline="") as stream:
                head = "" if self.path.stat().st_size else self.head
                stream.write(head + "".join(map(self.text, rows)))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None

    def text(self, row: dict[str, Any]) -> str:
        line = io.StringIO()
        csv.DictWriter(line, COLUMNS, lineterminator="\n", restval="").writerow(row)
        return line.getvalue()

    def read(self, line: str) -> dict[str, Any] | None:
        found = next(csv.reader([line.rstrip("\n")]), [])
        if len(found) != len(COLUMNS):
            raise ValueError(line)
        return None if tuple(found) == COLUMNS else dict(zip(COLUMNS, found, strict=True))


class _JsonLines(_Csv):
    """Rows of JSON objects."""

    head = ""

    def text(self, row: dict[str, Any]) -> str:
        return to_json(row) + "\n"

    def read(self, line: str) -> dict[str, Any]:
        found = json.loads(line)
        if not isinstance(found, dict) or "path" not in found:
            raise ValueError(line)
        return found


def _rows_of(out: Path) -> _Csv:
    kinds: dict[str, type[_Csv]] = {".csv": _Csv, ".jsonl": _JsonLines}
    if out.suffix not in kinds:
        raise InputError(f"{out}: must end in {' or '.join(kinds)}")
    return kinds[out.suffix](out)


def _skip_done(scoring: Scoring, rows: _Csv, files: Iterator[tuple[Path, str]], out: Path, counts: Counts) -> None:
    """Pass over the files that have a row, and cut off a row that was torn."""
    last: tuple[Path, dict[str, Any]] | None = None
    whole = 0
    with out.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            if not raw.endswith(b"\n"):
                break
            whole += len(raw)
            try:
                row = _whole(rows.read(raw.decode("utf-8")))
            except (ValueError, KeyError, TypeError):
                raise InputError(f"{out}: line {number} must be a row of scores, got {raw[:60]!r}") from None
            if row is None:
                continue
            file, name = next(files, (None, None))
            if file is None or _written(name) != row["path"]:
                raise InputError(
                    f"{out}: line {number} must be of the image that comes there, {name}, got {row['path']}: "
                    "other images, name another file"
                )
            counts.resumed += 1
            counts.note(row, file)
            last = (file, row) if row.get("pred_score") not in (None, "") else last
    os.truncate(out, whole)
    if last is not None:
        _check_same(scoring, *last, out)


def _whole(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a row that has what it needs.

    Raises:
        ValueError, KeyError or TypeError: it has not.
    """
    if row is not None and row.get("pred_score") not in (None, ""):
        float(row["pred_score"]), int(row["pred_label"])
    return row


def _check_same(scoring: Scoring, file: Path, row: dict[str, Any], out: Path) -> None:
    image, _ = read_one(file, scoring.preprocessing)
    again, before = float(scoring.detector.score_samples(image[None])[0]), float(row["pred_score"])
    if abs(again - before) > SAME * max(1.0, abs(before)):
        raise InputError(
            f"{out}: must be of this detector and of these images: {row['path']} has a score of {again:.6g} now, "
            f"got {before:.6g}"
        )


def _scored(scoring: Scoring, batch: Sequence[tuple[Path, str]]) -> list[dict[str, Any]]:
    """Return a row for each file of a batch, in order."""
    rows: list[dict[str, Any]] = []
    images: list[Tensor] = []
    for file, name in batch:
        row: dict[str, Any] = {"path": _written(name)}
        rows.append(row)
        try:
            image, unusual = read_one(file, scoring.preprocessing)
        except InputError as error:
            row["note"] = _written(str(error))
        else:
            images.append(image)
            row["pred_score"] = None
            if unusual:
                row["note"] = "; ".join(unusual)
        if "note" in row:
            if scoring.strict:
                raise InputError(f"{row['path']}: {row['note']} (--strict)")
            if scoring.on_warning is not None:
                scoring.on_warning(f"{row['path']}: {row['note']}")
    if images:
        stacked = torch.stack(images)
        found = scoring.detector.results(stacked, maps=scoring.maps is not None)
        with_score = [row for row in rows if "pred_score" in row]
        for place, row in enumerate(with_score):
            row["pred_score"] = float(f"{found.pred_score[place]:.9g}")
            row["pred_label"] = int(found.pred_label[place])
        _draw(scoring, [row["path"] for row in with_score], stacked, found)
    return rows


def _draw(scoring: Scoring, paths: Sequence[str], images: Tensor, found: Results) -> None:
    if scoring.maps is None or found.anomaly_map is None:
        return
    for path, image, values in zip(paths, images, found.anomaly_map, strict=True):
        target = scoring.maps / picture_of(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        frozen = scoring.detector.frozen
        target.write_bytes(overlay(image, values, low=frozen.map_low, high=frozen.map_high))


def _draw_missing(scoring: Scoring, counts: Counts) -> None:
    """Draw the most abnormal images of those that had a row, but no picture in this folder."""
    for _, path, file in counts.highest:
        if scoring.maps is not None and not (scoring.maps / picture_of(path)).exists():
            image = read_one(file, scoring.preprocessing)[0][None]
            _draw(scoring, [path], image, scoring.detector.results(image))


def picture_of(path: str) -> str:
    """Return what an image's picture is called in the folder of the maps.

    >>> picture_of("../left/a.jpg")  # the whole name: a.png may be there as well
    '_up/left/a.jpg.png'
    """
    inside = Path(*(OUTSIDE.get(part, part) for part in Path(path).parts))
    return f"{inside}.png"


def _written(name: str | None) -> str:
    """Return a path as text in one line: what is not UTF-8, and control characters, are escaped.

    >>> _written("=1+1.png")  # a spreadsheet would compute it
    './=1+1.png'
    """
    text = printable(str(name).encode("utf-8", "backslashreplace").decode())
    return f"./{text}" if text.startswith(FORMULA) else text
