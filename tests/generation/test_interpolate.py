"""Images between two generated images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganetics._check import InputError
from ganetics.generation import interpolate as module
from ganetics.generation import sample as sampling
from ganetics.generation.interpolate import interpolate_run, spherical, write_frames, write_interpolation
from ganetics.generation.sample import sample_run
from ganetics.training import RECIPES, checkpoint, start

LABELLED = RECIPES["digits"].model_copy(update={"classes": 3})


def saved(run: Path, *, classes: bool = False) -> Path:
    state = start(LABELLED if classes else RECIPES["digits"], 0)
    if classes:
        with torch.no_grad():  # as drawn the classes differ too little to be seen in 8 bits
            next(state.sampler.parameters()).mul_(30.0)
    checkpoint.save(run / "checkpoint", state)
    return run


def test_the_length_of_a_latent_is_kept_and_the_ends_are_exact() -> None:
    random = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 64, generator=random)
    path = spherical(a, 3.0 * b, torch.linspace(0, 1, 7))
    assert torch.equal(path[0], a)
    assert torch.equal(path[-1], 3.0 * b)
    unit = torch.nn.functional.normalize
    equal = spherical(unit(a, dim=0), unit(b, dim=0), torch.linspace(0, 1, 7))
    assert equal.norm(dim=1) == pytest.approx(torch.ones(7), abs=1e-6)
    angles = torch.arccos((equal[1:] * equal[:-1]).sum(dim=1).clamp(-1, 1))
    assert angles.tolist() == pytest.approx([float(angles.mean())] * 6, rel=1e-3)  # even steps


@pytest.mark.parametrize("factor", [1.0, -2.0])
def test_latents_on_one_line_have_a_line_between_them(factor: float) -> None:
    z = torch.tensor([1.0, -2.0])
    assert spherical(z, factor * z, torch.tensor([0.0, 0.5, 1.0]))[:, 0].tolist() == [1.0, (1 + factor) / 2, factor]


def test_the_ends_are_the_images_of_their_seeds(tmp_path: Path) -> None:
    run = saved(tmp_path)
    found = interpolate_run(run, 3, rows=2, seed=5)
    assert found.images.shape == (2, 5, 1, 8, 8)
    assert (found.seeds, found.labels, found.classes) == (((5, 6), (7, 8)), None, None)
    for row, seeds in zip(found.images, found.seeds, strict=True):
        for image, seed in zip((row[0], row[-1]), seeds, strict=True):
            assert torch.equal(image, sample_run(run, 1, seed=seed).images[0])
        assert len({image.numpy().tobytes() for image in row}) == 5
    assert torch.equal(interpolate_run(run, 3, rows=2, seed=5).images, found.images)


def test_a_row_is_of_one_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = saved(tmp_path, classes=True)

    class Stored:
        classes = ("a", "b", "c")

    for place in (module, sampling):
        monkeypatch.setattr(place, "stored_configuration", lambda _: Stored)
    found = interpolate_run(run, 1, rows=4)
    assert (found.labels, found.classes) == ((0, 1, 2, 0), ("a", "b", "c", "a"))
    for name, label in (("a", 0), ("c", 2)):
        row = interpolate_run(run, 1, rows=1, of_class=name)
        assert (row.labels, row.classes) == ((label,), (name,))
        assert torch.equal(row.images[0, 0], sample_run(run, 1, seed=0, of_class=name).images[0])
    assert not torch.equal(
        interpolate_run(run, 1, rows=1, of_class="a").images, interpolate_run(run, 1, rows=1, of_class="c").images
    )
    frames = np.load(write_frames(found, tmp_path / "out"))
    assert frames["labels"].tolist() == [0, 1, 2, 0]
    with pytest.raises(InputError, match="unknown class 'd'"):
        interpolate_run(run, 1, of_class="d")


def test_the_picture_and_the_frames_are_what_was_made(tmp_path: Path) -> None:
    found = interpolate_run(saved(tmp_path), 2, rows=3)
    path = write_interpolation(found, tmp_path / "out")
    pixels = np.asarray(Image.open(path))
    assert pixels.shape == (3 * 34 + 2, 4 * 34 + 2)  # 8 pixels are enlarged to 32, 2 between
    for row in range(3):
        for column in range(4):
            tile = pixels[2 + 34 * row : 34 + 34 * row : 4, 2 + 34 * column : 34 + 34 * column : 4]
            assert np.array_equal(tile, found.images[row, column, 0].numpy())
    frames = np.load(write_frames(found, tmp_path / "out"))
    assert (frames["images"].shape, frames["images"].dtype) == ((3, 4, 8, 8, 1), np.uint8)
    assert np.array_equal(frames["images"][..., 0], found.images[:, :, 0].numpy())
    assert frames["seeds"].tolist() == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(InputError, match="must hold no PNG files"):
        write_interpolation(found, tmp_path / "out")


@pytest.mark.parametrize(("steps", "rows", "told"), [(0, 1, "steps must be at least 1, got 0"), (1, 0, "rows must be")])
def test_there_is_something_between(steps: int, rows: int, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        interpolate_run(saved(tmp_path), steps, rows=rows)


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no checkpoint"):
        interpolate_run(tmp_path, 1)
