from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ganetics._check import InputError
from ganetics.data import cifar10, load
from ganetics.data.cifar10 import BATCH, FOLDER, RECORD

BATCHES = [f"data_batch_{i}.bin" for i in range(1, 6)]


def records() -> npt.NDArray[np.uint8]:
    """A batch whose pixels say where they belong: red is the row, green the column, blue the record."""
    found = np.zeros((BATCH, 3, 32, 32), dtype=np.uint8)
    found[:, 0] = np.arange(32)[:, None]
    found[:, 1] = np.arange(32)
    found[:, 2] = (np.arange(BATCH) % 251)[:, None, None]
    labels = (np.arange(BATCH) % 10).astype(np.uint8)[:, None]
    return np.concatenate([labels, found.reshape(BATCH, -1)], axis=1)


def sparse(file: Path, first_label: int) -> None:
    """A whole batch of black images, without writing them."""
    with file.open("wb") as opened:
        opened.write(bytes([first_label]))
        opened.truncate(BATCH * RECORD)


@pytest.mark.parametrize("inner", [".", FOLDER, f"cifar10/{FOLDER}"])
def test_a_batch_is_read_in_planes(inner: str, tmp_path: Path) -> None:
    (tmp_path / inner).mkdir(parents=True, exist_ok=True)
    records().tofile(tmp_path / inner / "test_batch.bin")
    found = load("cifar10", split="test", data_dir=tmp_path, image_size=32, channels=3)
    assert found.images.shape == (BATCH, 3, 32, 32)
    assert found.images[777, :, 5, 9].tolist() == [5, 9, 777 % 251]
    assert found.labels is not None
    assert found.labels.tolist() == [i % 10 for i in range(BATCH)]


def test_training_batches_are_in_order_and_split(tmp_path: Path) -> None:
    for number, name in enumerate([*BATCHES, "test_batch.bin"], start=1):
        sparse(tmp_path / name, number)
    train, validation = (load("cifar10", split=split, data_dir=tmp_path) for split in ("train", "validation"))
    assert train.labels is not None
    assert {int(i): int(train.labels[i]) for i in train.labels.nonzero()} == {i * BATCH: i + 1 for i in range(5)}
    assert (len(train), len(validation)) == (45_000, 5_000)


def test_missing_files_say_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^cifar10: no file test_batch.bin in {tmp_path}: put the folder .*$"):
        load("cifar10", split="test", data_dir=tmp_path)
    sparse(tmp_path / "test_batch.bin", 0)
    with pytest.raises(InputError, match=rf"^cifar10: no file data_batch_1.bin in {tmp_path}: put the folder .*$"):
        load("cifar10", split="train", data_dir=tmp_path)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    file = tmp_path / "test_batch.bin"
    file.write_bytes(b"123")
    with pytest.raises(InputError, match=rf"^{file}: must have {BATCH * RECORD} bytes, got 3$"):
        load("cifar10", split="test", data_dir=tmp_path)
    sparse(file, 10)
    with pytest.raises(InputError, match=rf"^{file}: labels must be 0 to 9, got 10$"):
        load("cifar10", split="test", data_dir=tmp_path)


def test_a_fetched_archive_is_unpacked_whole_or_not_at_all(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FOLDER).mkdir()
    sparse(tmp_path / FOLDER / "test_batch.bin", 7)
    archive = tmp_path / "archive.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / FOLDER, FOLDER)
    monkeypatch.setattr(cifar10, "fetch", lambda url, checksum, put: archive)
    write, full = Path.write_bytes, [True]

    def torn(path: Path, content: bytes) -> int:
        if full.pop():
            write(path, content[:100])
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", torn)
    with pytest.raises(OSError, match="No space left"):
        load("cifar10", split="test")
    assert list((cache / "downloads" / FOLDER).iterdir()) == []
    full[:] = [False]
    found = load("cifar10", split="test")
    assert found.labels is not None
    assert int(found.labels[0]) == 7


@pytest.mark.realdata
@pytest.mark.slow
def test_the_real_files(data_root: Path, tmp_path: Path) -> None:
    tool = data_root.parent / "tools" / "unpack_cifar10.py"
    if not tool.is_file():
        pytest.skip(f"no tool to unpack CIFAR-10: nothing at {tool}")
    subprocess.run([sys.executable, str(tool), str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    splits = {split: load("cifar10", split=split, data_dir=tmp_path) for split in ("train", "validation", "test")}
    assert {name: len(images) for name, images in splits.items()} == {
        "train": 45_000,
        "validation": 5_000,
        "test": 10_000,
    }
    labels = {name: images.labels.bincount() for name, images in splits.items() if images.labels is not None}
    assert (labels["train"] + labels["validation"]).tolist() == [5000] * 10
    assert labels["test"].tolist() == [1000] * 10
    # the published means of the 50,000 a channel: 0.4914, 0.4822, 0.4465; lossy compression moves them little
    whole = [splits[name].images.float().mean(dim=(0, 2, 3)) / 255 for name in ("train", "validation")]
    assert (whole[0] * 0.9 + whole[1] * 0.1).tolist() == pytest.approx([0.4914, 0.4822, 0.4465], abs=2e-3)
