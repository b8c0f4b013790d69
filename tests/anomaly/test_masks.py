from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganetics._check import InputError
from ganetics.anomaly.masks import masks_of


def white(file: Path, left: int) -> Path:
    """Write an image of which so many columns on the left are white."""
    values = np.zeros((4, 6), dtype=np.uint8)
    values[:, :left] = 255
    file.parent.mkdir(exist_ok=True)
    Image.fromarray(values).save(file, "PNG")
    return file


def test_each_image_has_the_mask_of_its_name_whatever_the_ending(tmp_path: Path) -> None:
    # of a UID the last number is no ending
    names = ["a.jpg", "1.2.840.1", "1.2.840.2", "plain"]
    images = {name: white(tmp_path / "images" / name, 6) for name in names}
    for left, mask in enumerate(("a.png", "1.2.840.1.png", "1.2.840.2.png", "plain.png"), 1):
        white(tmp_path / "masks" / mask, left)
    found = masks_of(images, tmp_path / "masks", image_size=None)
    assert [mask.sum() for mask in found] == [4, 8, 12, 16]


def test_a_damaged_mask_is_named(tmp_path: Path) -> None:
    image = white(tmp_path / "images" / "a.png", 6)
    white(tmp_path / "masks" / "a.png", 1).write_bytes(b"broken")
    with pytest.raises(InputError, match=r"masks/a\.png: cannot be read: it is no image of a known format$"):
        masks_of({"a.png": image}, tmp_path / "masks", image_size=None)


def test_two_masks_of_one_image_are_refused(tmp_path: Path) -> None:
    image = white(tmp_path / "images" / "a.png", 6)
    white(tmp_path / "masks" / "a.png", 1)
    white(tmp_path / "masks" / "a.bmp", 2)
    with pytest.raises(InputError, match=r"^masks: .*masks must hold one mask for each image, got two for a$"):
        masks_of({"a.png": image}, tmp_path / "masks", image_size=None)
