from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganetics._check import InputError
from ganetics.generation.sample import sample_run, write_grid, write_images, write_npz
from ganetics.training import RECIPES, checkpoint, start


def test_images_of_a_run_depend_on_the_seed(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "checkpoint", start(RECIPES["digits"], 0))
    one, same, other = (sample_run(tmp_path, 12, seed=seed) for seed in (0, 0, 1))
    assert one.shape == (12, 1, 8, 8)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no checkpoint"):
        sample_run(tmp_path, 1)


def test_a_generator_that_diverged_is_refused(tmp_path: Path) -> None:
    state = start(RECIPES["digits"], 0)
    with torch.no_grad():
        next(state.sampler.parameters())[0] = torch.nan
    checkpoint.save(tmp_path / "checkpoint", state)
    with pytest.raises(InputError, match=r"the generator's weights must be finite, those of .* are not: training div"):
        sample_run(tmp_path, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_what_was_sampled(channels: int, tmp_path: Path) -> None:
    images = torch.randint(0, 256, (11, channels, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    paths = write_images(images, tmp_path / "out")
    assert [path.name for path in paths][::10] == ["00.png", "10.png"]
    for path, image in zip(paths, images, strict=True):
        read = np.asarray(Image.open(path)).reshape(8, 8, channels)
        assert np.array_equal(read, image.permute(1, 2, 0).numpy())
    with np.load(write_npz(images, tmp_path / "out"), allow_pickle=False) as arrays:
        assert np.array_equal(arrays["images"], images.permute(0, 2, 3, 1).numpy())


def test_sets_are_not_mixed(tmp_path: Path) -> None:
    images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    assert write_grid(images, tmp_path).name == "grid.png"
    with pytest.raises(InputError, match="must hold no PNG files"):
        write_images(images, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="must be a folder"):
        write_images(images, tmp_path / "file")
