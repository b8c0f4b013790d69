from __future__ import annotations

import pytest
import torch
from torch import nn

from ganetics.anomaly.networks import Size, drawn
from ganetics.models import fanogan
from ganetics.models.build import build_gan
from ganetics.records import Recipe


def recipe(side: int = 32, channels: int = 3) -> Recipe:
    return Recipe(
        name="small", model="fanogan", image_size=side, channels=channels, width=4, latent_dim=6, steps=1,
        learning_rate=1e-3, extractor="efficientnet-lite0",
    )  # fmt: skip


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (16, 3), (28, 1), (64, 3), (128, 3)])
def test_shapes(side: int, channels: int) -> None:
    gan = build_gan(recipe(side, channels), generator=torch.Generator().manual_seed(0))
    images = gan.generator(torch.randn(3, 6, generator=torch.Generator().manual_seed(1)))
    assert images.shape == (3, channels, side, side)
    assert images.abs().max() <= 1
    logits = gan.discriminator(images)
    assert logits.shape == (3,)
    body = gan.discriminator.body
    torch.testing.assert_close(gan.discriminator.of_features(body(images)), logits)
    with torch.device("meta"):
        encoder = fanogan.encoder(Size(side, channels, 4, 6))
    assert drawn(encoder, 0, "encoder")(images).shape == (3, 6)


def test_no_batch_normalisation_where_a_sample_must_stand_alone() -> None:
    gan = build_gan(recipe(), generator=torch.Generator().manual_seed(0))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in gan.discriminator.modules())
    images = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    gan.discriminator.train()
    together = gan.discriminator(images)
    alone = torch.cat([gan.discriminator(image[None]) for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_the_last_layer_of_the_encoder_is_linear() -> None:
    net = fanogan.encoder(Size(16, 3, 4, 6))
    assert isinstance(list(net.children())[-1], nn.Linear)


@torch.no_grad()
def test_signals_neither_die_nor_explode() -> None:
    gan = build_gan(recipe(64), generator=torch.Generator().manual_seed(0))
    images = gan.generator(torch.randn(16, 6, generator=torch.Generator().manual_seed(1)))
    assert 0.1 < float(images.std()) < 0.95
    logits = gan.discriminator(images)
    assert float(logits.std()) > 0.01
    assert float(logits.abs().max()) < 20


def test_weights_depend_on_the_generator_alone() -> None:
    one, other = (build_gan(recipe(), generator=torch.Generator().manual_seed(4)) for _ in range(2))
    for net, twin in ((one.generator, other.generator), (one.discriminator, other.discriminator)):
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), twin.parameters(), strict=True))
