from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from ganetics._check import InputError
from ganetics.data import ImageSet, load
from ganetics.data.groups import FIRST_FOLDER, SECOND_FOLDER
from ganetics.data.load import channels_of

Pixels = npt.NDArray[np.uint8]


def noise(*shape: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def fill(folder: Path, count: int, *, start: int = 0, shape: tuple[int, ...] = (6, 5)) -> Path:
    """Write ``count`` PNG files, each of its own gray."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        Image.fromarray(np.full(shape, number, dtype=np.uint8)).save(folder / f"{number:03d}.png")
    return folder


def grays(found: ImageSet) -> list[int]:
    return found.images[:, 0, 0, 0].tolist()


def refused(folder: Path, message: str, **options: object) -> None:
    with pytest.raises(InputError, match=rf"^[^\n]*{message}[^\n]*$"):
        load(str(folder), split="all", **options)  # type: ignore[arg-type]


def test_a_flat_folder_is_in_order_and_has_no_labels(tmp_path: Path) -> None:
    fill(tmp_path, 12)
    (tmp_path / "notes.txt").write_text("not an image")
    fill(tmp_path / ".thumbnails", 1, start=99)
    Image.new("L", (3, 3)).save(tmp_path / "._000.png")
    found = load(str(tmp_path), split="all")
    assert grays(found) == list(range(12))
    assert found.labels is None
    assert (found.identity.name, found.identity.height, found.identity.width) == (tmp_path.name, 6, 5)


def test_class_folders_are_labels_in_alphabetical_order(tmp_path: Path) -> None:
    fill(tmp_path / "polyp" / "deeper", 2)
    fill(tmp_path / "normal", 3, start=10)
    found = load(str(tmp_path), split="all")
    assert found.labels is not None
    assert (grays(found), found.labels.tolist()) == ([10, 11, 12, 0, 1], [0, 0, 0, 1, 1])


def test_a_class_may_be_a_link_and_a_circle_ends(tmp_path: Path) -> None:
    fill(tmp_path / "set" / "a", 3)
    fill(tmp_path / "elsewhere", 3, start=3)
    (tmp_path / "set" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "a" / "inside").symlink_to(tmp_path / "set")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "set")
    found = load(str(tmp_path / "set"), split="all", image_size=8)
    assert grays(found) == list(range(6))
    assert found.classes == ("a", "b")


def test_labels_of_one_class_are_the_same_in_every_split(tmp_path: Path) -> None:
    for number, name in enumerate("abc"):
        folder = fill(tmp_path / name, 10, start=10 * number)
        for file in sorted(folder.iterdir()):
            file.rename(file.with_name(f"patient{number}_{file.name}"))
    seen = set()
    for split in ("train", "validation", "test"):
        found = load(str(tmp_path), split=split, groups=r"patient(\d+)")
        assert found.labels is not None
        assert found.labels.tolist() == [gray // 10 for gray in grays(found)]
        seen |= set(found.labels.tolist())
    assert seen == {0, 1, 2}


def test_one_folder_or_files_beside_folders_are_no_classes(tmp_path: Path) -> None:
    fill(tmp_path / "a", 3)
    assert load(str(tmp_path), split="all").labels is None
    fill(tmp_path / "b", 3)
    fill(tmp_path, 1)
    assert load(str(tmp_path), split="all").labels is None


def test_splits_part_the_images_and_groups_stay_together(tmp_path: Path) -> None:
    fill(tmp_path, 60)
    for file in sorted(tmp_path.glob("*.png")):
        file.rename(file.with_name(f"seq{int(file.stem) // 5:02d}_{file.name}"))
    for groups in (None, r"seq\d+"):
        parts = {s: grays(load(str(tmp_path), split=s, groups=groups)) for s in ("train", "validation", "test")}
        assert sorted(gray for part in parts.values() for gray in part) == list(range(60))
        assert [len(parts[s]) for s in ("train", "validation", "test")] == pytest.approx([42, 9, 9], abs=3)
        if groups is not None:
            sequences = [{gray // 5 for gray in part} for part in parts.values()]
            assert sum(map(len, sequences)) == 12


@pytest.mark.parametrize(("channels", "shape"), [(None, 3), (3, 3), (1, 1)])
def test_gray_among_colours(channels: int | None, shape: int, tmp_path: Path) -> None:
    gray, color = noise(6, 5), noise(6, 5, 3, seed=1)
    Image.fromarray(gray).save(tmp_path / "0.png")
    Image.fromarray(color).save(tmp_path / "1.png")
    found = load(str(tmp_path), split="all", channels=channels).images.numpy()
    assert found.shape == (2, shape, 6, 5)
    np.testing.assert_array_equal(found[0], np.repeat(gray[None], shape, axis=0))
    luma = color @ [0.299, 0.587, 0.114]  # ITU-R 601
    expected = color.transpose(2, 0, 1) if shape == 3 else luma[None]
    assert np.abs(found[1] - expected).max() <= (0 if shape == 3 else 1)


def test_one_bad_image_among_many_is_left_out_and_named(tmp_path: Path) -> None:
    fill(tmp_path / "a", 20)
    fill(tmp_path / "b", 20, start=20)
    (tmp_path / "a" / "007.png").write_bytes(b"not an image")
    calls: list[tuple[int, int]] = []
    found = load(str(tmp_path), split="all", on_progress=lambda done, total: calls.append((done, total)))
    (skipped,) = found.skipped
    assert skipped.path == "a/007.png"
    assert skipped.reason == "cannot be read: it is no image of a known format"
    assert found.labels is not None
    assert grays(found) == [gray for gray in range(40) if gray != 7]
    assert found.labels.tolist() == [0] * 19 + [1] * 20
    assert calls == [(done, 40) for done in range(1, 41)]
    assert load(str(tmp_path), split="all").skipped == found.skipped  # from the cache


@pytest.mark.parametrize(
    ("count", "bad", "message"),
    [
        (40, 2, None),
        (39, 2, r"at most 1 of 39 images \(5%, or 1\) may be unreadable, got 2"),
        (60, 4, r"at most 3 of 60 images \(5%, or 1\) may be unreadable, got 4"),
        (3, 1, None),
        (2, 1, "at least 2 images must be readable, got 1 of the 2 looked at"),
        (3, 3, r"at most 1 of 3 images \(5%, or 1\) may be unreadable, got 3"),
    ],
)
def test_more_than_one_image_in_twenty_unreadable_is_refused(
    count: int, bad: int, message: str | None, tmp_path: Path
) -> None:
    """One alone is left out of the smallest folder, too, as long as two images are left."""
    fill(tmp_path, count)
    for number in range(bad):
        (tmp_path / f"{number:03d}.png").write_bytes(b"not an image")
    if message is None:
        assert len(load(str(tmp_path), split="all")) == count - bad
    else:
        refused(tmp_path, rf"^{tmp_path}: {message}, the first 000.png \(cannot")


def test_bad_images_of_a_split_are_counted_against_the_whole_folder(tmp_path: Path) -> None:
    fill(tmp_path, 100)
    validation = grays(load(str(tmp_path), split="validation"))
    assert len(validation) == 15
    for bad in range(1, 7):
        (tmp_path / f"{validation[bad]:03d}.png").write_bytes(b"not an image")
        if bad <= 5:
            assert grays(load(str(tmp_path), split="validation")) == [validation[0], *validation[bad + 1 :]]
    with pytest.raises(InputError, match=r"at most 5 of 100 images \(5%, or 1\) may be unreadable, got 6"):
        load(str(tmp_path), split="validation")


@pytest.mark.parametrize(
    ("modes", "channels"), [(("L", "1", "LA", "I;16"), 1), (("L", "RGB"), 3), (("L", "P"), 3), (("RGBA", "RGB"), 3)]
)
def test_channels_are_told_by_the_headers(modes: tuple[str, ...], channels: int, tmp_path: Path) -> None:
    for number, mode in enumerate(modes):
        Image.new(mode, (5, 6)).save(tmp_path / f"{number}.png")
    assert channels_of(str(tmp_path)) == channels == load(str(tmp_path), split="all").images.shape[1]
    (tmp_path / "bad.png").write_bytes(b"not an image")
    assert channels_of(str(tmp_path)) == channels


def test_channels_of_a_folder_without_a_readable_image(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(b"not an image")
    assert channels_of(str(tmp_path)) == 3
    with pytest.raises(InputError, match="absent: no such folder or file"):
        channels_of(str(tmp_path / "absent"))


@pytest.mark.parametrize("count", [0, 1])
def test_one_image_is_too_few(count: int, tmp_path: Path) -> None:
    fill(tmp_path, count)
    refused(tmp_path, rf"^{tmp_path}: must hold at least 2 images \(.png, .*\), got {count}")


def test_few_images_are_not_split(tmp_path: Path) -> None:
    fill(tmp_path, 20)
    with pytest.raises(InputError, match=rf"^{tmp_path}: there must be at least 30 images to split, got 20$"):
        load(str(tmp_path), split="train")


def test_mixed_sizes_need_an_image_size(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    fill(tmp_path, 1, start=3, shape=(12, 9))
    refused(
        tmp_path, "all images must be of one size, got 000.png 5x6 and 003.png 9x12; --image-size brings them to one"
    )
    found = load(str(tmp_path), split="all", image_size=4)
    assert found.images.shape == (4, 1, 4, 4)
    assert grays(found) == [0, 1, 2, 3]


@pytest.mark.parametrize("which", [".", "b"])
def test_a_folder_that_cannot_be_read_is_named(which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a class folder may be left out in silence. (Permissions do not stop the superuser: so by hand.)"""
    for name in "abc":
        fill(tmp_path / name, 2)
    closed, scandir = (tmp_path / which).resolve(), os.scandir

    def refusing(path: str) -> object:
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    refused(tmp_path, rf"^{re.escape(str(closed))}: cannot be read: Permission denied$")


def test_names_that_are_not_utf8_are_escaped(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller"))
    try:
        fill(folder, 25)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (folder / os.fsdecode(b"\xe4.png")).write_bytes(b"not an image")
    for _ in range(2):
        found = load(str(folder), split="all")
        assert len(found) == 25
        assert found.identity.name == r"M\udcfcller"
        assert [skipped.path for skipped in found.skipped] == [r"\udce4.png"]


def test_one_image_of_16_bits_makes_16_of_all(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    Image.fromarray(np.full((6, 5), 40000, dtype=np.uint16)).save(tmp_path / "3.png")
    for _ in range(2):  # decoded, and from the cache
        found = load(str(tmp_path), split="all")
        assert found.images.dtype == torch.uint16
        assert grays(found) == [0, 257, 514, 40000]


def test_names_of_classes_and_groups_travel_along(tmp_path: Path) -> None:
    fill(tmp_path / "polyp", 20)
    fill(tmp_path / "normal", 20, start=20)
    (tmp_path / "polyp" / "007.png").write_bytes(b"not an image")
    found = load(str(tmp_path), split="all", groups=r"\d\d")
    assert found.labels is not None
    assert (found.labels.tolist(), found.classes) == ([0] * 20 + [1] * 19, ("normal", "polyp"))
    assert found.groups == tuple(f"{gray:03d}"[:2] for gray in grays(found))
    assert load(str(tmp_path), split="all").groups == ()


def test_a_folder_for_each_group_is_no_class(tmp_path: Path) -> None:
    for number in range(4):
        fill(tmp_path / f"patient{number}", 10, start=10 * number)
    found = load(str(tmp_path), split="all", groups=FIRST_FOLDER)
    assert (found.labels, found.classes) == (None, ())
    assert found.groups == tuple(f"patient{gray // 10}" for gray in grays(found))
    sides = {load(str(tmp_path), split=split, groups=FIRST_FOLDER).groups for split in ("train", "validation", "test")}
    assert sum(len(set(side)) for side in sides) == 4
    fill(tmp_path, 1, start=50)
    with pytest.raises(InputError, match=r"groups: .* must match every path, got '050.png'$"):  # no patient of its own
        load(str(tmp_path), split="all", groups=FIRST_FOLDER)
    (tmp_path / "050.png").unlink()
    # folders in classes are groups, too, and the classes stay
    (tmp_path / "sick").mkdir()
    (tmp_path / "well").mkdir()
    for number in range(4):
        (tmp_path / f"patient{number}").rename(tmp_path / ("sick" if number % 2 else "well") / f"patient{number}")
    found = load(str(tmp_path), split="all", groups=SECOND_FOLDER)
    assert (found.classes, set(found.groups)) == (("sick", "well"), {f"patient{number}" for number in range(4)})
