from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from ganetics._check import InputError
from ganetics.data import ImageSet, load
from ganetics.data.folder import channels_of, read_image

Pixels = npt.NDArray[np.uint8]
ORIENTATION = 274
"""The EXIF tag."""


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


# One image.


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)], ids=["gray", "RGB"])
def test_formats_without_loss_are_read_exactly(suffix: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    pixels = noise(*shape)
    Image.fromarray(pixels).save(tmp_path / f"i{suffix}")
    found = read_image(tmp_path / f"i{suffix}")
    np.testing.assert_array_equal(found, pixels[None] if len(shape) == 2 else pixels.transpose(2, 0, 1))
    assert found.flags.c_contiguous


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_is_read_closely(suffix: str, mode: str, tmp_path: Path) -> None:
    smooth = Image.fromarray(np.linspace(0, 255, 32 * 32).reshape(32, 32).astype(np.uint8)).convert(mode)
    smooth.save(tmp_path / f"i{suffix}", quality=95)
    found = read_image(tmp_path / f"i{suffix}").astype(int)
    assert found.shape == (1 if mode == "L" else 3, 32, 32)
    assert np.abs(found - np.asarray(smooth.convert("RGB")).transpose(2, 0, 1)).max() <= 4


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    pixels = noise(6, 5, 4)
    pixels[0, 0, 3], pixels[0, 1, 3] = 0, 255
    color, alpha = pixels[..., :3].astype(float), pixels[..., 3:] / 255.0
    expected = (alpha * color + (1 - alpha) * 255).transpose(2, 0, 1)
    Image.fromarray(pixels).save(tmp_path / "rgba.png")
    found = read_image(tmp_path / "rgba.png")
    assert np.abs(found - expected).max() <= 1
    assert found[:, 0, 0].tolist() == [255, 255, 255]
    assert found[:, 0, 1].tolist() == pixels[0, 1, :3].tolist()
    Image.fromarray(pixels[..., 2:]).save(tmp_path / "la.png")
    gray = read_image(tmp_path / "la.png")
    assert gray.shape == (1, 6, 5)
    assert np.abs(gray - expected[2]).max() <= 1


def test_palettes_become_their_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 50, 7, 7, 7])
    image.save(tmp_path / "p.png")
    image.save(tmp_path / "transparent.png", transparency=bytes([255, 0, 255]))
    assert read_image(tmp_path / "p.png")[:, 0].T.tolist() == [[10, 20, 30], [200, 100, 50], [7, 7, 7]]
    assert read_image(tmp_path / "transparent.png")[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255], [7, 7, 7]]


def test_black_and_white_is_gray(tmp_path: Path) -> None:
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "1.png")
    assert read_image(tmp_path / "1.png").tolist() == [[[255, 0]]]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_gray_is_scaled_by_its_full_range(suffix: str, tmp_path: Path) -> None:
    wide = np.array([[0, 128, 129, 257], [4095, 32896, 65278, 65535]], dtype=np.uint16)
    Image.fromarray(wide).save(tmp_path / f"wide{suffix}")
    assert read_image(tmp_path / f"wide{suffix}").tolist() == [[[0, 0, 1, 1], [16, 128, 254, 255]]]
    Image.fromarray(wide[:1]).save(tmp_path / f"dark{suffix}")
    assert read_image(tmp_path / f"dark{suffix}").tolist() == [[[0, 0, 1, 1]]]


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.array([[-1, 5]], dtype=np.int32), "cannot be read: 16-bit values must be 0 to 65535, got -1 to 5"),
        (np.array([[0, 65536]], dtype=np.int32), "got 0 to 65536"),
        (np.array([[0.5]], dtype=np.float32), "cannot be read: floating-point pixels have no known range"),
    ],
)
def test_pixels_without_a_known_range_are_refused(
    pixels: npt.NDArray[np.generic], message: str, tmp_path: Path
) -> None:
    Image.fromarray(pixels).save(tmp_path / "i.tif")
    with pytest.raises(InputError, match=message):
        read_image(tmp_path / "i.tif")


UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(np.transpose(stored), 2),
    8: np.rot90,
}
"""EXIF's orientation → what has to be done to the stored rows (EXIF 2.32, table 6)."""


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".png", {}), (".tif", {}), (".tif", {"compression": "tiff_lzw"})],
    ids=["PNG", "TIFF", "LZW"],
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_images_are_turned_as_their_camera_says(
    kind: type[np.unsignedinteger], suffix: str, options: dict[str, str], orientation: int, tmp_path: Path
) -> None:
    stored = noise(4, 7)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    scale = 257 if kind is np.uint16 else 1
    Image.fromarray(stored.astype(kind) * kind(scale)).save(tmp_path / f"i{suffix}", exif=exif, **options)
    np.testing.assert_array_equal(read_image(tmp_path / f"i{suffix}")[0], UPRIGHT[orientation](stored))


def test_an_image_size_cuts_the_middle_and_reduces_without_aliasing(tmp_path: Path) -> None:
    pixels = np.zeros((40, 100), dtype=np.uint8)
    pixels[:, 30:70] = np.indices((40, 40)).sum(axis=0) % 2 * 255  # a chessboard in the middle, black at both sides
    Image.fromarray(pixels).save(tmp_path / "i.png")
    found = read_image(tmp_path / "i.png", 10)
    assert found.shape == (1, 10, 10)
    assert np.abs(found[:, 2:-2, 2:-2].astype(int) - 127).max() <= 3


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        *((suffix, lambda whole: whole[: len(whole) * 2 // 3]) for suffix in (".png", ".jpg", ".tif", ".bmp")),
        (".png", lambda whole: whole[:60] + bytes(40) + whole[100:]),
        (".png", lambda whole: b""),
        (".png", lambda whole: b"no image at all"),
    ],
    ids=["PNG cut", "JPEG cut", "TIFF cut", "BMP cut", "zeros inside", "empty", "text"],
)
def test_a_damaged_image_is_refused_in_one_line(suffix: str, damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    file = tmp_path / f"i{suffix}"
    Image.fromarray(noise(30, 30)).save(file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InputError, match=r"^cannot be read: [^\n]+$") as caught:
        read_image(file)
    assert str(tmp_path) not in str(caught.value)  # reasons are part of a run's configuration


def test_a_closed_image_is_refused_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"^cannot be read: Is a directory$"):
        read_image(tmp_path / "folder.png")


@pytest.mark.parametrize("side", [11, 16], ids=["above the limit", "above twice the limit"])
def test_a_decompression_bomb_is_refused(side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (side, side)).save(tmp_path / "bomb.png")
    assert read_image(tmp_path / "bomb.png").shape == (1, side, side)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InputError, match=r"^cannot be read: Image size \(\d+ pixels\) exceeds limit"):
        read_image(tmp_path / "bomb.png")


# A folder.


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
    assert channels_of(tmp_path) == channels == load(str(tmp_path), split="all").images.shape[1]
    (tmp_path / "bad.png").write_bytes(b"not an image")
    assert channels_of(tmp_path) == channels


def test_channels_of_a_folder_without_a_readable_image(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(b"not an image")
    assert channels_of(tmp_path) == 3
    with pytest.raises(InputError, match="got nothing there"):
        channels_of(tmp_path / "absent")


@pytest.mark.parametrize("count", [0, 1])
def test_one_image_is_too_few(count: int, tmp_path: Path) -> None:
    fill(tmp_path, count)
    refused(tmp_path, rf"^{tmp_path}: must hold at least 2 images \(.png, .*\), got {count}")


def test_few_images_are_not_split(tmp_path: Path) -> None:
    fill(tmp_path, 20)
    with pytest.raises(InputError, match=rf"^{tmp_path}: a folder must have at least 30 images to be split, got 20$"):
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
