"""The patient, sequence or slide of an image file: by its name, by its path, or by its DICOM header."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from ganetics._check import InputError

HEADER = "dicom:"
"""Before the keyword of a header's attribute, such as ``dicom:PatientID``."""


def group_of(path: PurePath, pattern: str, file: Path | None = None) -> str:
    r"""Return the group of a file.

    Args:
        path: relative to the folder or table that lists the file.
        pattern: a regular expression, of which all or the first bracket counts; it is looked for in the file's name, or
            if it has a slash in the whole path. Or ``dicom:`` and the keyword of an attribute of the header.
        file: where it is read from; None: at ``path``.

    Raises:
        InputError: the expression is not valid, or finds nothing; a header that cannot be read or has no such value.
        MissingDependencyError: a header is asked for, and what reads it is not installed.

    >>> group_of(PurePath("eyes/patient12_left.jpg"), r"patient(\d+)")
    '12'
    >>> group_of(PurePath("patient12/left.jpg"), "^[^/]+")
    'patient12'
    """
    if pattern.startswith(HEADER):
        return _in_header(file or Path(path), pattern.removeprefix(HEADER))
    looked_at = path.as_posix() if "/" in pattern else path.name
    try:
        match = re.search(pattern, looked_at)
    except re.error as error:
        raise InputError(f"groups: '{pattern}' is not a regular expression: {error}") from None
    found = None if match is None else match.group(1 if match.re.groups else 0)
    if found:
        return found
    rule = "every path" if "/" in pattern else "every file name"
    hint = _in_folders(path, pattern)
    raise InputError(f"groups: '{pattern}' must match {rule}, got {looked_at!r}{hint}")


def _in_folders(path: PurePath, pattern: str) -> str:
    if "/" in pattern or not re.search(pattern, path.parent.as_posix()):
        return ""
    return f"; it is in a folder's name: with a slash, such as '{pattern}/', the whole path is looked at"


def _in_header(file: Path, keyword: str) -> str:
    from ganetics.data.decode import is_dicom_file
    from ganetics.data.dicom import header_value  # here: it needs a package that is optional

    if not is_dicom_file(file):
        raise InputError(f"groups: '{HEADER}{keyword}': every image must be DICOM, got {file.name!r}, which is not")
    found = header_value(file, keyword)
    if not found:
        raise InputError(f"groups: '{HEADER}{keyword}' must be in every header, got none in {file.name!r}")
    return found
