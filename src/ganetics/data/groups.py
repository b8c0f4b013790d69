"""The patient, sequence or slide of an image file: by its name, by its path, or by its DICOM header."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from ganetics._check import InputError, MissingDependencyError

HEADER = "dicom:"
"""Before the keyword of a header's attribute, such as ``dicom:PatientID``."""
FIRST_FOLDER, SECOND_FOLDER = "^([^/]+)/", "^[^/]+/([^/]+)/"
"""What finds each patient's folder, alone and below a folder for each class; a file beside the folders has none."""


def looks_at_folders(pattern: str) -> bool:
    """Tell whether groups may be those of folders: found in the whole path, or in a header, and not in names alone."""
    return "/" in pattern or pattern.startswith(HEADER)


def group_of(path: PurePath, pattern: str, file: Path | None = None) -> str:
    r"""Return the group of a file.

    Args:
        path: relative to the folder or table that lists the file.
        pattern: a regular expression, of which all or the first bracket counts; it is looked for in the file's name, or
            if it has a slash in the whole path. Or ``dicom:`` and the keyword of an attribute of the header; a file
            whose header cannot be read is a group of its own, as no image can be read from it either.
        file: where it is read from; None: at ``path``.

    Raises:
        InputError: the expression is not valid, or finds nothing; a header is asked for that is not there.
        MissingDependencyError: a header is asked for, and what reads it is not installed.

    >>> group_of(PurePath("eyes/patient12_left.jpg"), r"patient(\d+)")
    '12'
    >>> group_of(PurePath("patient12/left.jpg"), FIRST_FOLDER)
    'patient12'
    """
    if pattern.startswith(HEADER):
        return _in_header(path, file or Path(path), pattern.removeprefix(HEADER))
    looked_at = path.as_posix() if "/" in pattern else path.name
    try:
        match = re.search(pattern, looked_at)
    except re.error as error:
        raise InputError(f"groups: '{pattern}' is not a regular expression: {error}") from None
    found = None if match is None else match.group(1 if match.re.groups else 0)
    if found:
        return found
    rule = "every path" if "/" in pattern else "every file name"
    hint = ""
    if "/" not in pattern and re.search(pattern, path.parent.name):
        hint = f"; with a slash the whole path is looked at: '{FIRST_FOLDER}' is the first folder"
    raise InputError(f"groups: '{pattern}' must match {rule}, got {looked_at!r}{hint}")


def attribute_of(file: Path, keyword: str) -> str | None:
    """Return an attribute in a DICOM image's header; None where there is none, or it cannot be read."""
    try:
        from ganetics.data.dicom import header_value
    except MissingDependencyError:
        return None
    return header_value(file, keyword) or None


def _in_header(path: PurePath, file: Path, keyword: str) -> str:
    from ganetics.data.decode import is_dicom_file
    from ganetics.data.dicom import header_value, is_keyword  # here: it needs a package that is optional

    asked = f"groups: '{HEADER}{keyword}'"
    if not is_keyword(keyword):
        raise InputError(f"{asked} must be the keyword of a DICOM attribute, such as PatientID")
    if not is_dicom_file(file):
        raise InputError(f"{asked}: every image must be DICOM, got {path.as_posix()!r}, which is not")
    found = header_value(file, keyword)
    if found is None:
        return path.as_posix()
    if not found:
        raise InputError(f"{asked} must be in every header, got none in {path.as_posix()!r}")
    return found
