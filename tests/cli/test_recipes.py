from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ganetics._check import InputError
from ganetics.cli.recipes import chosen_recipe
from ganetics.training import RECIPES


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_a_folder_decides_the_channels_of_its_own_recipe(mode: str, channels: int, tmp_path: Path) -> None:
    for number in range(2):
        Image.new(mode, (9, 9)).save(tmp_path / f"{number}.png")
    for size, name in (
        (None, "images-32"),
        (40, "images-32"),
        (64, "images-64"),
        (128, "images-128"),
        (224, "images-256"),
    ):
        found = chosen_recipe(None, str(tmp_path), image_size=size)
        assert found == RECIPES[name].model_copy(update={"channels": channels})
    # what is named, or begun, stays as it is
    assert chosen_recipe("images-32", str(tmp_path)) == RECIPES["images-32"]
    assert chosen_recipe(None, str(tmp_path), before=RECIPES["paper"]) == RECIPES["paper"]


def test_a_dataset_by_name_needs_no_folder(tmp_path: Path) -> None:
    assert chosen_recipe(None, "mnist") == RECIPES["mnist"]
    with pytest.raises(InputError, match="absent: no such folder or file"):
        chosen_recipe(None, str(tmp_path / "absent"))
