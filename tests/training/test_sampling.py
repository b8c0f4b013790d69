from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from ganetics.losses import NonSaturating
from ganetics.records import Recipe
from ganetics.training import sample, start, train
from ganetics.training.sampling import decode, fixed_latents, grid_png, latents


def test_samples_are_uint8_and_repeatable_and_training_mode_is_kept(recipe: Recipe) -> None:
    state = start(recipe, 0)
    state.gan.generator.train()
    one, same = (sample(state, 300, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert one.dtype == torch.uint8
    assert one.shape == (300, 1, 8, 8)
    assert torch.equal(one, same)
    assert state.gan.generator.training


def test_an_image_does_not_depend_on_its_batch(recipe: Recipe, images: torch.Tensor) -> None:
    state = train(start(recipe, 0), NonSaturating(), images, until=5)
    z = fixed_latents(state, 20)
    alone = torch.cat([decode(state.sampler, part) for part in z.split(1)])
    assert (decode(state.sampler, z).int() - alone.int()).abs().max() <= 1


@pytest.mark.parametrize("dimension", [1, 10, 64, 100])
def test_the_first_latents_do_not_depend_on_how_many_there_are(dimension: int) -> None:
    first, *others = (latents(count, dimension, generator=torch.Generator().manual_seed(1)) for count in (40, 1, 7, 23))
    assert first.shape == (40, dimension)
    for other in others:
        assert torch.equal(other, first[: len(other)])
    assert not torch.equal(first, latents(40, dimension, generator=torch.Generator().manual_seed(2)))


def test_the_moving_average_is_what_is_sampled(recipe: Recipe, images: torch.Tensor) -> None:
    state = start(recipe.model_copy(update={"ema_half_life": 500.0}), 0)
    train(state, NonSaturating(), images, until=5)
    z = fixed_latents(state, 4)
    assert state.average is not None
    expected = decode(state.average, z)
    drawn = decode(state.sampler, z)
    assert torch.equal(drawn, expected)


def test_fixed_latents_depend_on_the_seed_only(recipe: Recipe, images: torch.Tensor) -> None:
    state = start(recipe, 0)
    before = fixed_latents(state, 16)
    train(state, NonSaturating(), images, until=3)
    assert torch.equal(before, fixed_latents(state, 16))
    assert not torch.equal(before, fixed_latents(start(recipe, 1), 16))


def test_classes_are_those_asked_for_or_take_turns(recipe: Recipe) -> None:
    state = start(recipe.model_copy(update={"classes": 3}), 0)
    drawn = [
        sample(state, 6, generator=torch.Generator().manual_seed(1), labels=labels)
        for labels in (None, torch.tensor([0, 1, 2, 0, 1, 2]), torch.full((6,), 2))
    ]
    assert torch.equal(drawn[0], drawn[1])
    same = [torch.equal(a, b) for a, b in zip(drawn[0], drawn[2], strict=True)]
    assert same == [False, False, True, False, False, True]


def test_black_and_white_map_to_the_ends() -> None:
    net = torch.nn.Identity()
    values = torch.tensor([[-1.0, 1.0, 0.0]])
    assert decode(net, values).tolist() == [[0, 255, 128]]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_grid(channels: int, mode: str) -> None:
    images = torch.arange(5, dtype=torch.uint8).mul(20).reshape(5, 1, 1, 1).expand(5, channels, 8, 8)
    picture = Image.open(io.BytesIO(grid_png(images, columns=3)))
    assert picture.mode == mode
    assert picture.size == (3 * 34 + 2, 2 * 34 + 2)  # 8 pixels enlarged four times
    pixels = np.asarray(picture).reshape(picture.height, picture.width, -1)
    assert pixels[3, 3, 0] == 0
    assert pixels[34 + 3, 34 + 3, 0] == 80
    assert pixels[0, 0, 0] == 255
    assert pixels[-3, -3, 0] == 255  # the sixth place is empty
