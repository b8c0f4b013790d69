from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ganetics._check import InputError
from ganetics.data import load

COUNT = 30
IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def pixels(count: int = COUNT) -> npt.NDArray[np.uint8]:
    numbers = np.arange(count)
    within = (np.arange(784) * 91).astype(np.uint8).reshape(28, 28)
    return (numbers * 37 + numbers // 256).astype(np.uint8)[:, None, None] + within


def idx(array: npt.NDArray[np.uint8], magic: int | None = None) -> bytes:
    """The IDX format as its author describes it: two zeros, type 8 (bytes), dimensions, sizes, values."""
    header = bytes([0, 0, 8, array.ndim]) if magic is None else magic.to_bytes(4, "big")
    return header + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


def write(folder: Path, *, compressed: bool = True, kind: str = "t10k", count: int = COUNT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    labels = (np.arange(count) % 10).astype(np.uint8)
    for name, content in (("images-idx3-ubyte", idx(pixels(count))), ("labels-idx1-ubyte", idx(labels))):
        if compressed:
            (folder / f"{kind}-{name}.gz").write_bytes(gzip.compress(content, 1))
        else:
            (folder / f"{kind}-{name}").write_bytes(content)
    return folder


@pytest.mark.parametrize("inner", [".", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("compressed", [True, False], ids=["gz", "plain"])
def test_idx_files_are_read(inner: str, compressed: bool, tmp_path: Path) -> None:
    write(tmp_path / "data" / inner, compressed=compressed)
    found = load("mnist", split="test", data_dir=tmp_path / "data")
    assert found.labels is not None
    np.testing.assert_array_equal(found.images.numpy(), pixels()[:, None])
    np.testing.assert_array_equal(found.labels.numpy(), np.arange(COUNT) % 10)
    assert (found.identity.name, found.identity.split, found.identity.count) == ("mnist", "test", COUNT)


def test_training_ends_where_validation_begins(tmp_path: Path) -> None:
    folder = write(tmp_path, compressed=False, kind="train", count=50_003)
    train, validation, both = (load("mnist", split=split, data_dir=folder) for split in ("train", "validation", "all"))
    assert (len(train), len(validation), len(both)) == (50_000, 3, 50_003)
    assert torch.equal(both.images[50_000:], validation.images)
    assert torch.equal(both.images[:50_000], train.images)


def refused(folder: Path, message: str, split: str = "test") -> None:
    with pytest.raises(InputError, match=rf"^[^\n]*{message}[^\n]*$"):
        load("mnist", split=split, data_dir=folder)


def test_too_few_images_for_a_split_are_refused(tmp_path: Path) -> None:
    write(tmp_path, kind="train")
    refused(tmp_path, "must hold more than 50000 images for validation, got 30", "validation")


def test_missing_files_say_what_to_put_where(tmp_path: Path) -> None:
    refused(tmp_path, f"^mnist: no file {IMAGES}.gz in {tmp_path}: put the four .*--data-dir")
    write(tmp_path)
    (tmp_path / f"{LABELS}.gz").unlink()
    refused(tmp_path, f"no file {LABELS}.gz")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: whole[: len(whole) // 2], "cannot be read: Compressed file ended"),
        (lambda whole: b"x" * 50, "cannot be read: Not a gzipped file"),
        (lambda whole: whole[:100] + bytes(50) + whole[150:], "cannot be read: "),
        (lambda whole: b"", "must begin with the IDX magic number 2051, got 0"),
        (lambda whole: gzip.compress(b"abc"), "must begin with the IDX magic number 2051, got 6382179"),
    ],
    ids=["cut", "not gz", "flipped", "empty", "text"],
)
def test_damaged_archives_are_named(damage: object, message: str, tmp_path: Path) -> None:
    file = write(tmp_path) / f"{IMAGES}.gz"
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    refused(tmp_path, f"^{file}: {message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(pixels(), magic=2049), "must begin with the IDX magic number 2051, got 2049"),
        (idx(pixels(), magic=0x0D03), "must begin with the IDX magic number 2051, got 3331"),
        (idx(pixels())[:-1], rf"{COUNT * 784} bytes after its header of \[30, 28, 28\], got {COUNT * 784 - 1}"),
        (idx(pixels()) + b"x", rf"got {COUNT * 784 + 1}"),
        (idx(pixels())[:10], "must begin with the IDX magic number 2051"),
        (idx(pixels().reshape(COUNT, 14, 56)), "images must be 28 by 28, got 14 by 56"),
        (idx(pixels()[:29]), "must hold 29 labels, as there are images, got 30"),
    ],
    ids=["labels", "floats", "cut", "too long", "header cut", "another size", "fewer"],
)  # fmt: skip
def test_other_content_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    write(tmp_path, compressed=False)
    (tmp_path / IMAGES).write_bytes(content)
    refused(tmp_path, message)


@pytest.mark.realdata
def test_the_real_files(data_root: Path) -> None:
    splits = {s: load("mnist", split=s, data_dir=data_root) for s in ("train", "validation", "test")}
    assert {name: len(images) for name, images in splits.items()} == {
        "train": 50_000,
        "validation": 10_000,
        "test": 10_000,
    }
    counts = {name: images.labels.bincount() for name, images in splits.items() if images.labels is not None}
    # as published with the data set
    assert counts["test"].tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    both = counts["train"] + counts["validation"]
    assert both.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    # 33.3184 is the mean brightness of the 60,000, published as 0.1307 of 255
    mean = (splits["train"].images.float().mean() * 5 + splits["validation"].images.float().mean()) / 6
    assert mean / 255 == pytest.approx(0.1307, abs=5e-5)
