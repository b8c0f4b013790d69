"""Augmentation against loops over pixels, and the signal that adapts it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from ganetics.losses import GANetic, NonSaturating, RelativisticPairing
from ganetics.records import Recipe
from ganetics.training import start, steps, train
from ganetics.training.augment import DRAWS, HIGHEST, IMAGES_TO_ONE, TARGET, adjusted, augmented, rank_signal
from ganetics.training.batches import Batches
from ganetics.training.steps import discriminator_step, generator_step

Array = npt.NDArray[np.float64]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int = 6, channels: int = 3, side: int = 16, seed: int = 100) -> Tensor:
    return torch.rand(n, channels, side, side, generator=seeded(seed)) * 2 - 1


def by_hand(image: Array, draws: Array, probability: float) -> Array:
    """Do to one image ``[c, h, w]`` what Zhao et al. describe, pixel by pixel."""
    colour, moved, cut = draws[7:] < probability
    x, side = image.copy(), image.shape[-1]
    if colour:
        x = x + draws[0] - 0.5
        x = (x - x.mean(0)) * 2 * draws[1] + x.mean(0)
        x = (x - x.mean()) * (draws[2] + 0.5) + x.mean()
    if moved:
        largest = round(side / 8)
        down, right = (int(draw * (2 * largest + 1)) - largest for draw in draws[3:5])
        old, x = x, np.zeros_like(x)
        for row in range(side):
            for column in range(side):
                if 0 <= row - down < side and 0 <= column - right < side:
                    x[:, row, column] = old[:, row - down, column - right]
    if cut:
        half = side // 2
        top, left = (int(draw * (side + 1 - half % 2)) - half // 2 for draw in draws[5:7])
        x[:, max(top, 0) : top + half, max(left, 0) : left + half] = 0
    return x


@pytest.mark.parametrize("probability", [None, 0.5])
@pytest.mark.parametrize(("channels", "side"), [(3, 16), (3, 10), (1, 8)])
def test_equals_loops_over_pixels(probability: float | None, channels: int, side: int) -> None:
    x, draws = batch(20, channels, side), torch.rand(20, DRAWS, generator=seeded())
    found = augmented(x, draws, None if probability is None else torch.tensor(probability))
    for image, numbers, result in zip(x.double().numpy(), draws.double().numpy(), found.numpy(), strict=True):
        assert np.allclose(result, by_hand(image, numbers, probability or 1.0), atol=1e-5)


def test_probability_is_that_of_each_change_of_each_image() -> None:
    draws = torch.rand(2000, DRAWS, generator=seeded())
    x = batch(1).expand(2000, 3, 16, 16)
    assert torch.allclose(augmented(x, draws, torch.tensor(0.0)), x, atol=1e-6)
    same = (augmented(x, draws, torch.tensor(0.3)) - x).abs().amax((1, 2, 3)) < 1e-6
    assert same.float().mean().item() == pytest.approx(0.7**3, abs=0.03)


def test_extreme_draws_stay_inside() -> None:
    for side in (16, 256):
        for value in (0.0, 1.0 - 2.0**-24):
            found = augmented(batch(1, 1, side), torch.full((1, DRAWS), value))
            assert found.shape == (1, 1, side, side)
            assert bool(found.isfinite().all())


def test_gradients_flow_through_all_of_it() -> None:
    """It is affine in the image, so what a step changes is the gradient's inner product with the step."""
    x, draws, direction = batch().requires_grad_(), torch.rand(6, DRAWS, generator=seeded()), batch(seed=101)
    value = augmented(x, draws)
    weights = torch.randn(value.shape, generator=seeded(1))
    (slope,) = torch.autograd.grad((value * weights).sum(), x)
    for image in range(6):
        change = ((augmented(x + direction, draws) - value) * weights)[image].sum()
        assert change.item() == pytest.approx((slope * direction)[image].sum().item(), abs=1e-3)
        assert slope[image].abs().max() > 0.1


def test_rank_signal_is_that_of_the_area_under_the_curve() -> None:
    real, fake = torch.randn(40, generator=seeded()) + 0.7, torch.randn(30, generator=seeded(1))
    truth = [1] * 40 + [0] * 30
    expected = 2 * roc_auc_score(truth, torch.cat([real, fake]).numpy()) - 1
    assert rank_signal(real, fake).item() == pytest.approx(expected, abs=1e-6)
    assert rank_signal(fake, real).item() == pytest.approx(-expected, abs=1e-6)
    assert rank_signal(real + 9, fake) == 1


def test_at_equilibrium_ranks_say_so_under_every_loss_and_signs_do_not_for_ganetic() -> None:
    logits = torch.randn(2000, generator=seeded()) * 0.1
    assert rank_signal(logits, logits) == 0
    again = torch.randn(2000, generator=seeded(1)) * 0.1
    grid = torch.linspace(-3, 3, 6001)
    at = grid[GANetic(reduction="none").discriminator(real_logits=grid, fake_logits=grid).argmin()].item()
    assert at == pytest.approx(0.40, abs=0.01)  # the logit of D* = 0.599
    for shift in (at, 0.0, -3.0):
        assert abs(rank_signal(logits + shift, again + shift).item()) < 0.06
    assert torch.sign(logits).mean().abs() < 0.06
    assert torch.sign(logits + at).mean() > 0.99  # ADA would augment ever more


def test_target_is_what_adas_is_for_normal_logits() -> None:
    generator = seeded()
    real = torch.randn(200_000, generator=generator)
    fake = -torch.randn(200_000, generator=generator)
    low, high = 0.0, 3.0
    for _ in range(30):  # the shift at which ADA's signal is at its target
        middle = (low + high) / 2
        low, high = (middle, high) if torch.sign(real + middle).mean() < 0.6 else (low, middle)
    pairs = torch.sign((real + low) - (fake - low)).mean()
    assert pairs.item() == pytest.approx(TARGET, abs=0.005)
    assert pytest.approx(0.766, abs=0.001) == TARGET


def test_probability_follows_the_signal_within_its_limits() -> None:
    p = torch.tensor(0.5)
    step = 64 / IMAGES_TO_ONE
    assert adjusted(p, torch.tensor(0.9), images=64).item() == pytest.approx(0.5 + step)
    assert adjusted(p, torch.tensor(0.1), images=64).item() == pytest.approx(0.5 - step)
    assert adjusted(torch.tensor(0.0), torch.tensor(0.1), images=64) == 0
    assert adjusted(torch.tensor(HIGHEST), torch.tensor(0.9), images=64).item() == pytest.approx(HIGHEST)


def test_a_discriminator_that_tells_all_apart_is_augmented_more(recipe: Recipe) -> None:
    recipe = recipe.model_copy(update={"augment": "adaptive", "learning_rate": 1e-2})
    bright = torch.full((45, 1, 8, 8), 255, dtype=torch.uint8)
    state = start(recipe, 0)
    state.gan.generator.requires_grad_(False)
    for step in range(20):
        discriminator_step(state, NonSaturating(), Batches(bright, seed=0, batch_size=8).at(step))
    assert state.augment_p is not None
    assert 5 * 8 / IMAGES_TO_ONE < state.augment_p.item() <= 20 * 8 / IMAGES_TO_ONE


def test_probability_and_signal_are_columns_of_the_history(recipe: Recipe, images: Tensor) -> None:
    state = train(start(recipe.model_copy(update={"augment": "adaptive"}), 0), GANetic(), images, until=50)
    assert state.augment_p is not None
    assert state.history[0]["augment_p"] == state.augment_p.item()
    assert -1 <= state.history[0]["rank_signal"] <= 1
    plain = train(start(recipe.model_copy(update={"augment": "diffaugment"}), 0), GANetic(), images, until=50)
    assert plain.augment_p is None
    assert set(plain.history[0]) == {"step", "d_loss", "g_loss", "d_real", "d_fake"}


def test_both_kinds_of_images_are_augmented_in_both_steps(
    recipe: Recipe, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []

    def watched(x: Tensor, draws: Tensor, probability: Tensor | None) -> Tensor:
        seen.append(draws)
        return augmented(x, draws, probability)

    monkeypatch.setattr(steps, "augmented", watched)
    state = start(recipe.model_copy(update={"augment": "diffaugment"}), 0)
    real = Batches(images, seed=0, batch_size=8).at(0)
    discriminator_step(state, RelativisticPairing(), real)
    generator_step(state, RelativisticPairing(), real)
    assert [draws.shape for draws in seen] == [(8, DRAWS)] * 4
    assert len({draws.numpy().tobytes() for draws in seen}) == 4
    plain = start(recipe, 0)
    discriminator_step(plain, RelativisticPairing(), real)
    assert len(seen) == 4
