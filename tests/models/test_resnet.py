"""The spectrally normalised ResNet GAN: sizes, numbers of weights, spectral norms, blocks."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import parametrizations

from ganetics._check import InputError
from ganetics.models import build_gan
from ganetics.models.layers import SpectralConv2d, SpectralLinear, spectrally_normalised
from ganetics.models.resnet import LAYOUTS, _Down, _Up
from ganetics.records import Recipe


def recipe(**changes: object) -> Recipe:
    fields: dict[str, object] = {
        "name": "test", "model": "resnet", "image_size": 32, "channels": 3, "width": 2, "latent_dim": 5, "steps": 1,
        "learning_rate": 1e-3, "extractor": "none", **changes,
    }  # fmt: skip
    return Recipe.model_validate(fields)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def count(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


@pytest.mark.parametrize("size", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_and_range(size: int, channels: int) -> None:
    gan = build_gan(recipe(image_size=size, channels=channels, width=1), generator=seeded())
    images = gan.generator(torch.randn(2, 5, generator=seeded(1)))
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    assert gan.discriminator(images).shape == (2,)


def test_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"^resnet makes images of 32, 48, 64, 128 or 256 pixels, got 28$"):
        build_gan(recipe(image_size=28), generator=seeded())


def test_as_many_weights_as_the_published_cifar10_networks() -> None:
    gan = build_gan(recipe(width=64, latent_dim=128), generator=seeded())
    up = 2 * 256 + (9 * 256 * 256 + 256) + 2 * 256 + (9 * 256 * 256 + 256) + (256 * 256 + 256)
    assert count(gan.generator) == (128 + 1) * 4096 + 3 * up + 2 * 256 + (9 * 256 * 3 + 3) == 4_276_739
    same = 2 * (9 * 128 * 128 + 128)
    first = (9 * 3 * 128 + 128) + (9 * 128 * 128 + 128) + (3 * 128 + 128)
    assert count(gan.discriminator) == first + (same + 128 * 128 + 128) + 2 * same + 129 == 1_053_825


def test_hidden_channels_follow_the_authors_code() -> None:
    gan = build_gan(recipe(image_size=64, width=2), generator=seeded())
    shapes = [
        (block.first.in_channels, block.first.out_channels, block.second.out_channels)
        for net in (gan.generator, gan.discriminator)
        for block in net.modules()
        if isinstance(block, _Up | _Down)
    ]
    generator = [(32, 16, 16), (16, 8, 8), (8, 4, 4), (4, 2, 2)]
    discriminator = [(3, 2, 2), (2, 2, 4), (4, 4, 8), (8, 8, 16), (16, 16, 32)]
    assert shapes == generator + discriminator


def test_weights_and_estimates_come_from_the_given_generator_only() -> None:
    before = torch.get_rng_state()
    first, same, other = (build_gan(recipe(), generator=seeded(seed)).discriminator.state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert any(key.endswith(".u") for key in first)
    for key, value in first.items():
        assert torch.equal(value, same[key])
        # one number is its own direction
        assert not torch.equal(value, other[key]) or key.endswith("bias") or value.numel() == 1


def test_every_layer_of_a_fresh_discriminator_has_spectral_norm_1() -> None:
    gan = build_gan(recipe(width=8), generator=seeded())
    layers = [layer for layer in gan.discriminator.modules() if isinstance(layer, SpectralConv2d | SpectralLinear)]
    plain = [layer for layer in gan.discriminator.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) == len(plain) == 11
    for layer in layers:
        norm = torch.linalg.matrix_norm(spectrally_normalised(layer.weight, layer.u, learn=False).flatten(1), 2)
        assert norm.item() == pytest.approx(1.0, abs=0.1)
    assert not any(isinstance(layer, SpectralConv2d | SpectralLinear) for layer in gan.generator.modules())


@pytest.mark.parametrize("shape", [(7, 5), (6, 4, 3, 3)])
def test_value_and_gradient_equal_pytorchs(shape: tuple[int, ...]) -> None:
    layer = nn.Linear(shape[1], shape[0]) if len(shape) == 2 else nn.Conv2d(shape[1], shape[0], 3)
    nn.init.normal_(layer.weight, generator=seeded())
    weight = layer.weight.detach().clone().requires_grad_()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = parametrizations.spectral_norm(layer)
    direction = torch.randn(shape, generator=seeded(1))
    expected = theirs.weight
    (expected * direction).sum().backward()
    u = theirs.parametrizations.weight[0]._u  # type: ignore[index, operator, union-attr]
    found = spectrally_normalised(weight, u, learn=False)  # theirs has just made half an iteration more
    (found * direction).sum().backward()
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6)
    expected_slope = theirs.parametrizations.weight.original.grad  # type: ignore[union-attr]
    assert weight.grad is not None
    assert torch.allclose(weight.grad, expected_slope, rtol=1e-4, atol=1e-6)  # type: ignore[arg-type]


def test_the_estimate_moves_in_training_only() -> None:
    layer = build_gan(recipe(), generator=seeded()).discriminator
    x = torch.rand(2, 3, 32, 32, generator=seeded(1))
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    layer.eval()
    assert torch.equal(layer(x), layer(x))
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())
    layer.train()
    layer(x)
    moved = {key for key, value in layer.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {key for key, value in before.items() if key.endswith(".u") and value.numel() > 1}


def test_iterations_find_the_largest_singular_value() -> None:
    weight = torch.randn(6, 4, 3, 3, generator=seeded())
    u = F.normalize(torch.randn(6, generator=seeded(1)), dim=0)
    for _ in range(200):
        normalised = spectrally_normalised(weight, u, learn=True)
    expected = weight / torch.linalg.matrix_norm(weight.flatten(1), 2)
    assert torch.allclose(normalised, expected, rtol=1e-4)


def test_autocast_multiplies_in_bfloat16_and_normalises_in_float32() -> None:
    weight = torch.randn(6, 4, generator=seeded())
    u = F.normalize(torch.randn(6, generator=seeded(1)), dim=0)
    expected = spectrally_normalised(weight, u, learn=False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (weight @ weight.T).dtype == torch.bfloat16
        assert torch.equal(spectrally_normalised(weight, u, learn=False), expected)


def test_blocks_are_what_the_paper_draws() -> None:
    """The 1x1 convolutions of the shortcuts are moved to the smaller side; the sums are the same."""
    gan = build_gan(recipe(image_size=64), generator=seeded())
    up = next(block for block in gan.generator.modules() if isinstance(block, _Up))
    x = torch.randn(2, up.first.in_channels, 4, 4, generator=seeded(1))
    doubled = nn.Upsample(scale_factor=2)
    h = up.first(doubled(torch.relu(up.norm1(x))))
    expected = up.second(torch.relu(up.norm2(h))) + up.shortcut(doubled(x))
    assert torch.allclose(up(x, None), expected, atol=1e-5)
    first, down, *_ = (block.eval() for block in gan.discriminator.modules() if isinstance(block, _Down))
    halved = nn.AvgPool2d(2)
    x = torch.randn(2, 3, 8, 8, generator=seeded(2))
    expected = halved(first.second(torch.relu(first.first(x)))) + first.shortcut(halved(x))
    assert torch.allclose(first(x), expected, atol=1e-5)
    x = torch.randn(2, down.first.in_channels, 8, 8, generator=seeded(3))
    expected = halved(down.second(torch.relu(down.first(torch.relu(x)))) + down.shortcut(x))
    assert torch.allclose(down(x), expected, atol=1e-5)
