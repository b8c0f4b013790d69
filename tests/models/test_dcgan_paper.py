"""The networks of the paper's script."""

from __future__ import annotations

import pytest
import torch

from ganetics._check import InputError
from ganetics.models import build_gan
from ganetics.training.recipes import RECIPES


def count(net: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


@pytest.mark.parametrize("channels_last", [False, True])
def test_as_many_weights_as_the_keras_script_has(channels_last: bool) -> None:
    recipe = RECIPES["paper"].model_copy(update={"channels_last": channels_last})
    gan = build_gan(recipe, generator=torch.Generator().manual_seed(0))
    assert count(gan.generator) == 28_110_086
    assert count(gan.discriminator) == 522_497
    gan.discriminator.eval()
    with torch.no_grad():
        images = gan.generator(torch.zeros(2, 100))
        assert images.shape == (2, 3, 32, 32)
        assert gan.discriminator(images).shape == (2,)


def test_initial_weights_are_glorot_uniform() -> None:
    gan = build_gan(RECIPES["paper"], generator=torch.Generator().manual_seed(0))
    dense = gan.discriminator[-1].weight  # type: ignore[index]
    bound = (6 / (4096 + 1)) ** 0.5
    assert 0.95 * bound < dense.abs().max().item() <= bound


def test_another_size_is_refused() -> None:
    recipe = RECIPES["paper"].model_copy(update={"image_size": 64})
    with pytest.raises(InputError, match="32 pixels and 3 channels, got 64 pixels"):
        build_gan(recipe, generator=torch.Generator())
