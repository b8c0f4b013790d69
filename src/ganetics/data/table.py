"""A table of images: a CSV file with a column ``path`` and, as far as known, ``label``, ``group`` and ``split``."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from ganetics import _check
from ganetics._check import InputError
from ganetics.data.groups import group_of
from ganetics.data.listing import Entry, Listing, files_listing, written
from ganetics.data.splits import SHARES

COLUMNS = ("path", "label", "group", "split")
"""What is read; other columns are left alone, but for one that looks like a misspelt one of these."""
Row = Mapping[str, str]


def list_table(file: Path, groups: str | None = None) -> Listing:
    """Return the images that a CSV file names, in the order of their paths, so that its own order changes nothing.

    Paths are relative to the file's folder. A column is filled in every row or in none. Classes are the labels in
    alphabetical order.

    Args:
        file: UTF-8, separated by commas, its first line the names of the columns.
        groups: what finds the patient, sequence … of a file, as of a folder; only without a column ``group``.

    Raises:
        InputError: it cannot be read, misses a column or a value, or names a file that is not there or twice.
    """
    file = file.resolve()
    where = written(file)
    rows = dict(_rows(file, where))
    for name in COLUMNS:
        _check_filled(where, name, rows)
    if groups is not None and any(row["group"] for row in rows.values()):
        raise InputError(f"{where}: groups: it has a column group already, got the expression {groups!r} as well")
    entries = [_entry(where, file.parent, number, row, groups) for number, row in rows.items()]
    _check_paths(where, entries, list(rows))
    if len(entries) < 2:
        raise InputError(f"{where}: must name at least 2 images, got {len(entries)}")
    classes = sorted({entry.label for entry in entries if entry.label is not None})
    return files_listing(written(file.name), where, sorted(entries, key=lambda one: Path(one.path).parts), classes)


def _rows(file: Path, where: str) -> Iterator[tuple[int, Row]]:
    """Yield the number of each row, its line in the file, and its cells by the names of all columns that are read."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:  # a spreadsheet's mark at the beginning is no text
            reader = csv.reader(lines, strict=True)
            header = [cell.strip() for cell in next(reader, [])]
            _check_header(where, header)
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise InputError(f"{where}: row {reader.line_num}: must have {len(header)} cells, got {len(cells)}")
                row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
                yield reader.line_num, {name: row.get(name, "") for name in COLUMNS}
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{where}: must be a CSV file in UTF-8: {error}") from None


def _check_header(where: str, header: list[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if "path" not in header or twice:
        rule = "a column path" if not twice else f"each column once, {twice[0]} is there twice"
        raise InputError(f"{where}: the first row must name {rule}, separated by commas, got {','.join(header)[:80]!r}")
    for name in (name for name in header if name not in COLUMNS):
        meant = get_close_matches(name.lower(), [known for known in COLUMNS if known not in header], 1, 0.75)
        if meant:
            raise InputError(f"{where}: column {meant[0]} is not there, but {name!r}: rename it to one or the other")


def _check_filled(where: str, name: str, rows: Mapping[int, Row]) -> None:
    empty = [number for number, row in rows.items() if not row[name]]
    if empty and (name == "path" or len(empty) < len(rows)):
        rule = "in every row" if name == "path" else "in every row or in none"
        raise InputError(f"{where}: row {empty[0]}: {name} must be given {rule}, got none")


def _entry(where: str, folder: Path, number: int, row: Row, groups: str | None) -> Entry:
    path, file = row["path"], folder / row["path"]
    if not file.is_file():
        raise InputError(f"{where}: row {number}: no file {written(file)!r}")
    try:
        split = _check.one_of("split", row["split"], SHARES) if row["split"] else None
        group = row["group"] or (None if groups is None else group_of(Path(path), groups, file))
    except InputError as error:
        raise InputError(f"{where}: row {number}: {error}") from None
    return Entry(path, row["label"] or None, group, split, stratum=row["label"], file=file)


def _check_paths(where: str, entries: list[Entry], rows: list[int]) -> None:
    first: dict[Path | None, int] = {}
    for entry, number in zip(entries, rows, strict=True):
        if entry.file in first:
            raise InputError(f"{where}: row {number}: {entry.path!r} is named in row {first[entry.file]} already")
        first[entry.file] = number
