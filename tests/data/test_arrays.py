from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ganetics._check import InputError
from ganetics.data import channels_of, load
from ganetics.data.decode import fitted

SIZES = {"train": 20, "val": 6, "test": 4}
NAMES = {"train": "train", "validation": "val", "test": "test"}


def arrays(shape: tuple[int, ...] = (28, 28), kind: type[np.unsignedinteger[Any]] = np.uint8) -> dict[str, Any]:
    random = np.random.default_rng(0)
    found: dict[str, npt.NDArray[Any]] = {}
    for name, count in SIZES.items():
        found[f"{name}_images"] = random.integers(0, np.iinfo(kind).max + 1, (count, *shape), dtype=kind)
        found[f"{name}_labels"] = (np.arange(count) % 4 * 4)[:, None].astype(np.uint8)  # 0, 4, 8, 12
    return found


def written(folder: Path, found: dict[str, Any], name: str = "pathmnist") -> Path:
    np.savez_compressed(folder / f"{name}.npz", **found)
    return folder / f"{name}.npz"


@pytest.mark.parametrize("split", NAMES)
@pytest.mark.parametrize(("shape", "kind"), [((28, 28), np.uint8), ((28, 28, 3), np.uint8), ((9, 9), np.uint16)])
def test_arrays_are_read_exactly(
    shape: tuple[int, ...], kind: type[np.unsignedinteger[Any]], split: str, tmp_path: Path
) -> None:
    expected = arrays(shape, kind)
    file = written(tmp_path, expected)
    found = load("medmnist:pathmnist", split=split, data_dir=tmp_path)
    images = expected[f"{NAMES[split]}_images"]
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    assert found.images.dtype == (torch.uint8 if kind is np.uint8 else torch.uint16)
    np.testing.assert_array_equal(found.images.numpy(), images)
    assert found.labels is not None
    assert [int(found.classes[i]) for i in found.labels] == expected[f"{NAMES[split]}_labels"][:, 0].tolist()
    assert found.classes == ("0", "4", "8", "12")  # by their value, not as words
    assert found.identity.name == "medmnist:pathmnist"
    by_path = load(str(file), split=split)
    assert (by_path.identity.sha256, by_path.identity.name) == (found.identity.sha256, "pathmnist")
    assert channels_of(str(file)) == images.shape[1]


def test_all_splits_and_another_size(tmp_path: Path) -> None:
    expected = arrays((28, 28, 3))
    file = written(tmp_path, expected)
    found = load(str(file), split="all", image_size=16, channels=1)
    assert found.images.shape == (30, 1, 16, 16)
    third = fitted(expected["train_images"][3].transpose(2, 0, 1), 16)
    assert load(str(file), split="all", image_size=16).images[3].tolist() == third.tolist()


@pytest.mark.parametrize("labels", [None, np.zeros((20, 14), np.uint8)], ids=["none", "several an image"])
def test_without_one_label_an_image_there_are_no_classes(labels: Any, tmp_path: Path) -> None:
    found = arrays()
    if labels is None:
        del found["train_labels"]
    else:
        found["train_labels"] = labels
    images = load(str(written(tmp_path, found)), split="train")
    assert (images.labels, images.classes, len(images)) == (None, (), 20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val_images": None}, "must hold an array val_images, got train_images, train_labels, val_labels, .+"),
        ({"train_images": np.zeros((20, 28, 28))}, r"train_images must be uint8 .+, got float64 \[20, 28, 28\]"),
        ({"train_images": np.zeros((20, 9, 9, 9), np.uint8)}, r"train_images must be .+, got uint8 \[20, 9, 9, 9\]"),
        ({"test_labels": np.zeros(3, np.uint8)}, r"test_labels must be 4 whole numbers, got uint8 \[3\]"),
        ({"test_labels": np.zeros(4)}, r"test_labels must be 4 whole numbers, got float64 \[4\]"),
        ({"test_labels": np.array([{}] * 4)}, "test_labels cannot be read: Object arrays cannot be loaded .+"),
        ({"test_images": np.array([[[{}]]] * 4)}, r"test_images must be uint8 or uint16 .+, got object \[4, 1, 1\]"),
    ],
)
def test_other_arrays_are_refused_and_nothing_is_unpickled(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    found = {name: array for name, array in {**arrays(), **change}.items() if array is not None}
    file = written(tmp_path, found)
    with pytest.raises(InputError, match=rf"^{re.escape(str(file))}: {message}$"):
        load(str(file), split="all")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" * 9])
def test_a_damaged_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"^[^\n]+x\.npz: must be an npz file: [^\n]+$"):
        load(str(tmp_path / "x.npz"), split="train")


def test_a_header_that_says_more_than_there_is_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    file = written(tmp_path, arrays())
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 28, 28)})
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, header.getvalue() if name == "train_images.npy" else content)
    with pytest.raises(InputError, match=r"train_images must hold the 784000000000 bytes that its header says, got 0$"):
        load(str(file), split="train")


def test_a_file_that_is_cut_inside_an_array_is_one_line(tmp_path: Path) -> None:
    found = arrays()
    file = written(tmp_path, found)
    whole = bytearray(file.read_bytes())
    whole[2000:2100] = bytes(100)
    file.write_bytes(whole)
    with pytest.raises(InputError, match=r"^[^\n]+pathmnist\.npz: [^\n]+$"):
        load(str(file), split="all")


@pytest.mark.parametrize(
    ("name", "with_dir", "message"),
    [
        ("pathmnist", False, "medmnist:pathmnist: is not fetched: put pathmnist.npz of MedMNIST into a folder .+"),
        ("pathmnist", True, r"medmnist:pathmnist: no file pathmnist\.npz in /.+: put .+--data-dir"),
        ("../pathmnist", True, r"medmnist:\.\./pathmnist: no file \.\./pathmnist\.npz in .+"),
    ],
)
def test_a_file_that_is_not_there_is_asked_for(name: str, with_dir: bool, message: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    written(tmp_path, arrays(), name="pathmnist")
    with pytest.raises(InputError, match=rf"^{message}$"):
        load(f"medmnist:{name}", split="train", data_dir=tmp_path / "data" if with_dir else None)
