"""``ganetics sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def test_images_go_to_files_and_an_array(train_run: Any, command: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = command("sample", train_run.path, "--out", out, "--count", 5, "--seed", 2, "--npz", "--json").json
    assert found == {"run": str(train_run.path), "out": str(out), "count": 5, "seed": 2, "files": 6}
    assert sorted(path.name for path in out.iterdir()) == [*(f"{number}.png" for number in range(5)), "samples.npz"]
    images = np.load(out / "samples.npz")["images"]
    assert (images.dtype, images.shape) == (np.uint8, (5, 8, 8, 1))
    for number, image in enumerate(images):
        assert np.array_equal(np.asarray(Image.open(out / f"{number}.png")), image[..., 0])
    other = command("sample", train_run.path, "--out", tmp_path / "other", "--count", 5, "--npz", "--json").json
    assert other["seed"] == 0
    assert not np.array_equal(np.load(tmp_path / "other/samples.npz")["images"], images)


def test_a_grid_is_one_picture(train_run: Any, command: Any, tmp_path: Path) -> None:
    assert command("sample", train_run.path, "--out", tmp_path / "out", "--grid", "--json").json["files"] == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["grid.png"]
    ended = command("sample", train_run.path, "--out", tmp_path / "out")
    assert ended.status == 2
    assert "must hold no PNG files" in ended.complaint


def test_a_search_holds_no_generator(search_run: Any, command: Any, tmp_path: Path) -> None:
    ended = command("sample", search_run.path, "--out", tmp_path / "out")
    assert ended.status == 2
    assert ended.complaint.startswith(f"{search_run.path}: must be the folder of a training run")
    assert not (tmp_path / "out").exists()
