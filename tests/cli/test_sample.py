"""``ganetics sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def test_images_go_to_files_and_an_array(train_run: Any, command: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = command("sample", train_run.path, "--out", out, "--count", 5, "--seed", 2, "--npz", "--json").json
    assert found == {"run": str(train_run.path), "out": str(out), "count": 5, "seed": 2, "classes": [], "files": 6}
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


def test_an_interpolation_is_one_picture_and_names_its_seeds(train_run: Any, command: Any, tmp_path: Path) -> None:
    given = ["sample", train_run.path, "--interpolate", 2, "--seed", 4]
    found = command(*given, "--out", tmp_path / "out", "--count", 2, "--npz", "--json").json
    assert (found["rows"], found["steps"], found["files"], found["classes"]) == (2, 2, 2, None)
    assert found["seeds"] == [[4, 5], [6, 7]]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["interpolation.npz", "interpolation.png"]
    assert np.load(tmp_path / "out/interpolation.npz")["images"].shape == (2, 4, 8, 8, 1)
    ended = command(*given, "--out", tmp_path / "eight")
    assert ended.status == 0
    assert ended.out.splitlines()[1:3] == ["seed 4 to seed 5", "seed 6 to seed 7"]
    assert len(ended.out.splitlines()) == 9


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--interpolate", 2, "--grid"], "--grid: --interpolate writes one picture of its own"),
        (["--interpolate", 0], "greater than or equal to 1"),
        (["--interpolate", 2, "--class", "7"], "was trained without classes, got '7'"),
    ],
)
def test_what_cannot_be_interpolated_is_told_in_one_line(
    options: list[Any], told: str, train_run: Any, command: Any, tmp_path: Path
) -> None:
    ended = command("sample", train_run.path, "--out", tmp_path / "out", *options)
    assert (ended.status, told in ended.complaint) == (2, True), ended.err
    assert not (tmp_path / "out").exists()
