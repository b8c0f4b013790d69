from __future__ import annotations

import pytest
import torch

from ganetics.models.layers import Dropout, Pixels


def test_dropout_draws_from_its_own_generator() -> None:
    layer = Dropout(0.4)
    layer.generator = torch.Generator().manual_seed(0)
    before = torch.get_rng_state()
    x = torch.ones(100, 100)
    first, second = layer(x), layer(x)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, second)
    assert (first == 0).float().mean().item() == pytest.approx(0.4, abs=0.02)
    assert first.mean().item() == pytest.approx(1.0, abs=0.03)
    layer.generator.manual_seed(0)
    assert torch.equal(layer(x), first)


def test_dropout_is_the_identity_in_evaluation_and_needs_a_generator_in_training() -> None:
    layer = Dropout(0.4)
    x = torch.ones(3)
    with pytest.raises(RuntimeError, match="generator must be set"):
        layer(x)
    assert layer.eval()(x) is x


def test_pixels_channels_last_is_not_copied() -> None:
    x = torch.arange(2 * 3 * 16.0).reshape(2, 48)
    images = Pixels(3, 4, channels_last=True)(x)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images.data_ptr() == x.data_ptr()
    assert Pixels(3, 4)(x).is_contiguous()
