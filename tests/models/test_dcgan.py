"""The small DCGAN: shapes, sizes, initial weights."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics._check import InputError
from ganetics.models import build_gan
from ganetics.models.dcgan import base_and_halvings
from ganetics.records import Recipe

SIZES = [base << k for base in (4, 5, 6, 7) for k in range(1, 7) if base << k <= 256]


def recipe(**changes: object) -> Recipe:
    fields: dict[str, object] = {
        "name": "test", "image_size": 8, "channels": 1, "width": 2, "latent_dim": 5, "steps": 1,
        "learning_rate": 1e-3, "extractor": "none", **changes,
    }  # fmt: skip
    return Recipe.model_validate(fields)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_and_range(size: int, channels: int) -> None:
    gan = build_gan(recipe(image_size=size, channels=channels), generator=torch.Generator().manual_seed(0))
    images = gan.generator(torch.randn(3, 5, generator=torch.Generator().manual_seed(1)))
    assert images.shape == (3, channels, size, size)
    assert images.abs().max() <= 1
    assert gan.discriminator(images).shape == (3,)


@settings(derandomize=True, deadline=None)
@given(st.integers(8, 256))
def test_every_size_is_either_base_times_power_of_two_or_refused_with_near_ones(size: int) -> None:
    if size in SIZES:
        base, halvings = base_and_halvings(size)
        assert base << halvings == size
        assert 4 <= base <= 7
        return
    with pytest.raises(InputError, match=rf"nearest \d+ or \d+, got {size}$") as caught:
        base_and_halvings(size)
    below, above = map(int, re.findall(r"\d+", str(caught.value))[-3:-1])
    assert below < size < above
    assert {below, above} <= set(SIZES)


@pytest.mark.parametrize(("size", "widths"), [(32, [4, 8, 16]), (256, [4, 8, 16, 32, 64, 64])])
def test_width_doubles_at_each_halving_to_16_times(size: int, widths: list[int]) -> None:
    gan = build_gan(recipe(image_size=size, channels=3, width=4), generator=torch.Generator())
    convolutions = [m for m in gan.discriminator.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == widths
    transposed = [m for m in gan.generator.modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [m.in_channels for m in transposed] == widths[::-1]


def test_first_layer_of_the_discriminator_is_not_normalised() -> None:
    gan = build_gan(recipe(image_size=16), generator=torch.Generator())
    kinds = [type(m).__name__ for m in gan.discriminator]  # type: ignore[attr-defined]
    assert kinds[:3] == ["Conv2d", "LeakyReLU", "Conv2d"]
    assert kinds[3] == "BatchNorm2d"


def test_weights_come_from_the_given_generator_only() -> None:
    before = torch.get_rng_state()
    first, same, other = (
        build_gan(recipe(image_size=16, width=8), generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before)
    for net in ("generator", "discriminator"):
        weights = [getattr(gan, net).state_dict() for gan in (first, same, other)]
        assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
        assert any(not torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


def test_initial_weights_follow_the_paper() -> None:
    gan = build_gan(recipe(image_size=32, width=16), generator=torch.Generator().manual_seed(0))
    for module in gan.generator.modules():
        if isinstance(module, torch.nn.ConvTranspose2d | torch.nn.Linear):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.15)
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1.0, abs=0.03)
            assert module.running_var is not None
            assert torch.all(module.running_var == 1)
