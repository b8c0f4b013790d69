from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from ganetics._check import InputError
from ganetics.data.groups import FIRST_FOLDER, SECOND_FOLDER, group_of


@pytest.mark.parametrize(
    ("path", "pattern", "group"),
    [
        ("patient12_left.jpg", r"patient(\d+)", "12"),
        ("seq03_frame007_1.png", r"seq\d+", "seq03"),
        ("12-right.png", r"^(\d+)-(left|right)", "12"),
        # a folder is looked at where the expression has a slash, and only there
        ("p7/p8.png", r"p\d", "p8"),
        ("p7/p8.png", FIRST_FOLDER, "p7"),
        ("sick/p7/p8.png", SECOND_FOLDER, "p7"),
        ("sick/p7/1.png", r"p\d(?=/)", "p7"),
        ("sick/p7/1.png", r"[^/]+/([^/]+)/", "p7"),
    ],
)
def test_groups_are_found_in_names_and_paths(path: str, pattern: str, group: str) -> None:
    assert group_of(PurePath(path), pattern) == group


@pytest.mark.parametrize(
    ("path", "pattern", "message"),
    [
        ("left.jpg", r"patient(\d+)", r"'patient(\d+)' must match every file name, got 'left.jpg'"),
        ("a.jpg", r"(p\d+)|a", r"must match every file name, got 'a.jpg'"),
        ("a.jpg", r"p?", r"must match every file name, got 'a.jpg'"),  # an empty group would be one of all
        ("p7/a.jpg", r"p\d/x", r"must match every path, got 'p7/a.jpg'"),
        ("p7/a.jpg", r"^p\d+$", "; with a slash the whole path is looked at: '^([^/]+)/' is the first folder"),
        ("p7_extra.png", FIRST_FOLDER, "must match every path, got 'p7_extra.png'"),
        ("p7/a.png", SECOND_FOLDER, "must match every path, got 'p7/a.png'"),
        ("a.jpg", "(", r"'(' is not a regular expression: missing ), unterminated subpattern"),
    ],
)
def test_files_without_a_group_are_refused(path: str, pattern: str, message: str) -> None:
    with pytest.raises(InputError, match=r"^groups: [^\n]*$") as caught:
        group_of(PurePath(path), pattern)
    assert message in str(caught.value)


def test_a_header_is_asked_for_of_dicom_alone(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no DICOM" * 30)
    pytest.importorskip("pydicom", reason="the extra `medical` is not installed")
    with pytest.raises(InputError, match=r"^groups: 'dicom:PatientID': every image must be DICOM, got 'x/a.png'"):
        group_of(PurePath("x/a.png"), "dicom:PatientID", tmp_path / "a.png")
