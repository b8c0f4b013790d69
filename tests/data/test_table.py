from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganetics._check import InputError
from ganetics.data import ImageSet, load


def pictures(folder: Path, count: int) -> Path:
    """Write ``count`` PNG files, each of its own gray, the later half in a folder of its own."""
    for number in range(count):
        inner = folder / ("a" if number < count // 2 else "b")
        inner.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((6, 5), number, dtype=np.uint8)).save(inner / f"p{number // 2:02d}_{number:03d}.png")
    return folder


def table(folder: Path, *rows: str, encoding: str = "utf-8") -> Path:
    (folder / "images.csv").write_text("\n".join(rows) + "\n", encoding=encoding)
    return folder / "images.csv"


def rows_of(folder: Path, *columns: str) -> list[str]:
    """Return a row for each picture, its label its folder and its group its name's beginning; splits by thirds."""
    found = []
    for place, file in enumerate(sorted(folder.rglob("*.png"))):
        split = ("train", "validation", "test")[place // 2 % 3]
        values = {
            "path": str(file.relative_to(folder)),
            "label": file.parent.name,
            "group": file.name[:3],
            "split": split,
        }
        found.append(",".join(values[column] for column in columns))
    return found


def grays(found: ImageSet) -> list[int]:
    return found.images[:, 0, 0, 0].tolist()


def refused(file: Path, message: str, **options: object) -> None:
    with pytest.raises(InputError, match=rf"^{re.escape(str(file))}: {message}$"):
        load(str(file), split="train", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("split", ["train", "validation", "test", "all"])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_table_is_read_as_the_folder_that_it_describes(split: str, grouped: bool, tmp_path: Path) -> None:
    """Whatever the order of its rows, and with columns beside those that are known."""
    folder = pictures(tmp_path / "images", 60)
    columns = ("path", "label", *(["group"] if grouped else []))
    rows = [f"{row},x" for row in rows_of(folder, *columns)]
    order = np.random.default_rng(0).permutation(len(rows))
    file = table(folder, ",".join((*columns, "remark")), *(rows[i] for i in order), encoding="utf-8-sig")
    found = load(str(file), split=split)
    expected = load(str(folder), split=split, groups=r"p\d\d" if grouped else None)
    assert found.identity.sha256 == expected.identity.sha256
    assert (found.classes, found.groups) == (expected.classes, expected.groups)
    assert found.labels is not None
    assert expected.labels is not None
    assert found.labels.tolist() == expected.labels.tolist()
    assert found.identity.name == "images.csv"


def test_paths_alone_are_enough_and_groups_may_be_in_names(tmp_path: Path) -> None:
    folder = pictures(tmp_path, 60)
    file = table(folder, "path", *rows_of(folder, "path"))
    found = load(str(file), split="validation", groups=r"p\d+")
    assert found.labels is None
    assert found.classes == ()
    expected = load(str(folder), split="validation", groups=r"p\d+")
    assert (grays(found), found.groups) == (grays(expected), expected.groups)


def test_splits_that_are_given_are_kept(tmp_path: Path) -> None:
    folder = pictures(tmp_path, 12)  # too few to be split here
    file = table(folder, "split,path,group", *rows_of(folder, "split", "path", "group"))
    parts = {split: grays(load(str(file), split=split)) for split in ("train", "validation", "test")}
    assert parts == {"train": [0, 1, 6, 7], "validation": [2, 3, 8, 9], "test": [4, 5, 10, 11]}


def test_a_group_in_two_splits_is_named(tmp_path: Path) -> None:
    folder = pictures(tmp_path, 12)
    rows = rows_of(folder, "path", "group", "split")
    rows[1] = rows[1].replace("train", "test")
    file = table(folder, "path,group,split", *rows)
    told = "all images of a group must be in one split, got group 'p00' in train and test"
    refused(file, told)
    file = table(folder, "path,split", *(",".join(row.split(",")[::2]) for row in rows))
    assert len(load(str(file), split="train")) == 3
    refused(file, told, groups=r"p\d+")


def test_a_split_that_no_image_is_in_is_refused(tmp_path: Path) -> None:
    folder = pictures(tmp_path, 6)
    file = table(folder, "path,split", *(f"{row},test" for row in rows_of(folder, "path")))
    refused(file, "no image is in split 'train'")


HEAD = "path,label,group,split"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([HEAD, "a.png,x,,", "absent.png,y,,"], r"row 3: no file '[^']+/absent\.png'"),
        ([HEAD, "a.png,x,,", "b.png,,,"], "row 3: label must be given in every row or in none, got none"),
        ([HEAD, "a.png,,1,", "", "b.png,,,"], "row 4: group must be given in every row or in none, got none"),
        ([HEAD, "a.png,,,train", "b.png,,,"], "row 3: split must be given in every row or in none, got none"),
        ([HEAD, "a.png,,,train", "b.png,,,trian"], "row 3: unknown split 'trian', nearest: train"),
        ([HEAD, ",x,,", "b.png,x,,"], "row 2: path must be given in every row, got none"),
        ([HEAD, "a.png,x", "b.png,x,,"], "row 2: must have 4 cells, got 2"),
        ([HEAD, "a.png,x,,", "./a.png,x,,"], r"row 3: './a\.png' is named in row 2 already"),
        ([HEAD, "a.png,x,,"], "must name at least 2 images, got 1"),
        (["file,label", "a.png,x"], "the first row must name a column path, separated by commas, got 'file,label'"),
        (["path;label", "a.png;x"], "the first row must name a column path, separated by commas, got 'path;label'"),
        (["path,path", "a.png,x"], "the first row must name each column once, path is there twice, .+"),
        (["path,labels", "a.png,x"], "column label is not there, but 'labels': rename it to one or the other"),
        (["path,Group", "a.png,x"], "column group is not there, but 'Group': rename it to one or the other"),
        (['path\n"a.png'], "must be a CSV file in UTF-8: unexpected end of data"),
        ([""], "the first row must name a column path, separated by commas, got ''"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_table_is_one_line_that_names_the_row(rows: list[str], message: str, tmp_path: Path) -> None:
    for name in "ab":
        Image.new("L", (5, 5)).save(tmp_path / f"{name}.png")
    refused(table(tmp_path, *rows), message)


def test_a_missing_file_is_told_before_its_group_is_looked_for(tmp_path: Path) -> None:
    Image.new("L", (5, 5)).save(tmp_path / "a.png")
    file = table(tmp_path, "path", "absent.dcm", "a.png")
    refused(file, r"row 2: no file '[^']+/absent\.dcm'", groups="dicom:PatientID")


def test_other_encodings_and_a_second_source_of_groups_are_refused(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_bytes(b"path\nM\xfcller.png\n")
    refused(tmp_path / "images.csv", "must be a CSV file in UTF-8: [^\n]+")
    folder = pictures(tmp_path, 6)
    file = table(folder, "path,group", *rows_of(folder, "path", "group"))
    refused(file, r"groups: it has a column group already, got the expression 'p\\\\d' as well", groups=r"p\d")


def test_an_image_that_cannot_be_read_is_left_out_with_its_label_and_group(tmp_path: Path) -> None:
    folder = pictures(tmp_path, 40)
    bad = sorted(folder.rglob("*.png"))[7]
    bad.write_bytes(b"not an image")
    found = load(str(table(folder, "path,label,group", *rows_of(folder, "path", "label", "group"))), split="all")
    assert [one.path for one in found.skipped] == [str(bad.relative_to(folder))]
    assert found.labels is not None
    assert [(label, group) for label, group in zip(found.labels.tolist(), found.groups, strict=True)] == [
        (int(gray >= 20), f"p{gray // 2:02d}") for gray in grays(found)
    ]
    assert 7 not in grays(found)
