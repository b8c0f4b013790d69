from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganetics._check import InputError
from ganetics.data import load
from ganetics.generation.sample import Samples, folder_names, sample_run, write_grid, write_images, write_npz
from ganetics.training import RECIPES, checkpoint, start


def test_images_of_a_run_depend_on_the_seed(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "checkpoint", start(RECIPES["digits"], 0))
    one, same, other = (sample_run(tmp_path, 12, seed=seed).images for seed in (0, 0, 1))
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
    paths = write_images(Samples(images), tmp_path / "out")
    assert [path.name for path in paths][::10] == ["00.png", "10.png"]
    for path, image in zip(paths, images, strict=True):
        read = np.asarray(Image.open(path)).reshape(8, 8, channels)
        assert np.array_equal(read, image.permute(1, 2, 0).numpy())
    with np.load(write_npz(Samples(images), tmp_path / "out"), allow_pickle=False) as arrays:
        assert np.array_equal(arrays["images"], images.permute(0, 2, 3, 1).numpy())


def test_sets_are_not_mixed(tmp_path: Path) -> None:
    images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    assert write_grid(images, tmp_path).name == "grid.png"
    with pytest.raises(InputError, match="must hold no PNG files"):
        write_images(Samples(images), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="must be a folder"):
        write_images(Samples(images), tmp_path / "file")


def test_images_of_classes_lie_in_their_folders_and_can_be_read_so(tmp_path: Path) -> None:
    images = torch.arange(6, dtype=torch.uint8).reshape(6, 1, 1, 1).expand(6, 1, 8, 8).contiguous() * 40
    samples = Samples(images, torch.tensor([0, 1, 2, 0, 1, 2]), ("normal", "polyp", "a.b c"))
    paths = write_images(samples, tmp_path / "out")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in paths[1:5]] == [
        "polyp/1.png", "a.b c/2.png", "normal/3.png", "polyp/4.png",
    ]  # fmt: skip
    read = load(str(tmp_path / "out"), split="all")
    brightness = read.images[:, 0, 0, 0].tolist()
    assert dict(zip(brightness, [read.classes[label] for label in read.labels.tolist()], strict=True)) == {  # type: ignore[union-attr]
        0: "normal", 40: "polyp", 80: "a.b c", 120: "normal", 160: "polyp", 200: "a.b c",
    }  # fmt: skip
    with np.load(write_npz(samples, tmp_path / "out"), allow_pickle=False) as arrays:
        assert arrays["labels"].tolist() == [0, 1, 2, 0, 1, 2]
        assert arrays["classes"].tolist() == ["normal", "polyp", "a.b c"]
    others = Samples(images[:1], torch.tensor([0]), ("dog", "cat"))
    for mixed in (Samples(images), others):
        with pytest.raises(InputError, match="out: must hold no PNG files"):
            write_images(mixed, tmp_path / "out")
    further = Samples(images[:1], torch.tensor([0]), ("new", "polyp", "normal", "a.b c"))
    assert write_images(further, tmp_path / "out") == [tmp_path / "out" / "new" / "0.png"]
    with pytest.raises(InputError, match="out: must hold no PNG files"):
        write_images(Samples(images[1:2], torch.tensor([0]), ("polyp", "b")), tmp_path / "out")


@pytest.mark.parametrize("names", [("../out", "b"), ("..", "b"), ("A", "a"), ("", "b"), ("x\0", "b"), (".git", "b")])
def test_a_class_never_names_a_folder_elsewhere(names: tuple[str, ...]) -> None:
    assert folder_names(names) == ("class-0", "class-1")
