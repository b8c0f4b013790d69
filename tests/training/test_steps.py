"""One update, against the same update written by hand."""

from __future__ import annotations

import copy
from typing import Literal

import pytest
import torch
from torch import Tensor

from ganetics.losses import GANLoss, RelativisticAverage, RelativisticPairing, Wasserstein, checked, r1
from ganetics.records import Penalty, Recipe
from ganetics.training import TrainingState, start, steps, train
from ganetics.training.batches import Batches
from ganetics.training.steps import discriminator_step, generator_step, latents


def real_batch(images: Tensor) -> Tensor:
    return Batches(images, seed=0, batch_size=8).at(0)


@pytest.mark.parametrize("loss", [RelativisticPairing(), RelativisticAverage()], ids=lambda loss: loss.name)
def test_no_gradient_is_lost_by_real_logits_without_one(loss: GANLoss, recipe: Recipe, images: Tensor) -> None:
    """The generator's gradient is that of the whole graph: real logits do not depend on its weights."""
    state, twin = start(recipe, 0), start(recipe, 0)
    real = real_batch(images)
    generator_step(state, loss, real)
    fake_logits = twin.gan.discriminator(twin.gan.generator(latents(twin, recipe.batch_size)))
    value = loss.generator(fake_logits=fake_logits, real_logits=twin.gan.discriminator(real))
    expected = torch.autograd.grad(value, list(twin.gan.generator.parameters()))
    for weight, slope in zip(state.gan.generator.parameters(), expected, strict=True):
        assert weight.grad is not None
        assert torch.equal(weight.grad, slope)
    assert any(slope.abs().max() > 0 for slope in expected)
    assert all(weight.grad is None for weight in state.gan.discriminator.parameters())


@pytest.mark.parametrize("loss", [RelativisticPairing(), checked(RelativisticPairing())], ids=["plain", "checked"])
def test_pairs_take_a_smaller_real_batch_over_again(loss: GANLoss, recipe: Recipe, images: Tensor) -> None:
    recipe = recipe.model_copy(update={"discriminator_batch": 3})
    state, twin = start(recipe, 0), start(recipe, 0)
    real = real_batch(images)[:3]
    value = generator_step(state, loss, real)
    fake_logits = twin.gan.discriminator(twin.gan.generator(latents(twin, 8)))
    real_logits = twin.gan.discriminator(real)[[0, 1, 2, 0, 1, 2, 0, 1]]
    assert torch.equal(value, loss.generator(fake_logits=fake_logits, real_logits=real_logits))
    assert train(start(recipe, 0), loss, images, until=2).step == 2


def slopes(state: TrainingState) -> list[Tensor]:
    return [weight.grad for weight in state.gan.discriminator.parameters() if weight.grad is not None]


def stepped(recipe: Recipe, images: Tensor, *, step: int, penalties: tuple[Penalty, ...]) -> TrainingState:
    state = start(recipe.model_copy(update={"penalties": penalties}), 0)
    state.step = step
    discriminator_step(state, Wasserstein(), real_batch(images))
    return state


@pytest.mark.parametrize("kind", ["r1", "r2", "gradient"])
@pytest.mark.parametrize("step", [0, 3, 4, 8])
def test_a_lazy_penalty_is_k_times_as_heavy_every_k_steps(
    kind: Literal["r1", "r2", "gradient"], step: int, recipe: Recipe, images: Tensor
) -> None:
    found = stepped(recipe, images, step=step, penalties=(Penalty(kind=kind, weight=0.5, every=4),))
    same = (Penalty(kind=kind, weight=2.0),) if step % 4 == 0 else ()
    expected = stepped(recipe, images, step=step, penalties=same)
    assert all(torch.equal(a, b) for a, b in zip(slopes(found), slopes(expected), strict=True))
    # the points between are drawn in the steps that need them
    assert torch.equal(found.random["penalty"].get_state(), expected.random["penalty"].get_state())


def test_lazy_clipping_projects_to_the_same_limit(recipe: Recipe, images: Tensor) -> None:
    clip = (Penalty(kind="clip", weight=0.01, every=4),)
    largest = {
        step: max(
            weight.abs().max().item()
            for weight in stepped(recipe, images, step=step, penalties=clip).gan.discriminator.parameters()
        )
        for step in (3, 4)
    }
    assert largest[4] == pytest.approx(0.01)
    assert largest[3] > 0.02


def test_what_is_lazy_counts_updates_of_the_discriminator(
    recipe: Recipe, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(steps, "project_", lambda _, penalties: seen.append(len(penalties)))
    lazy = {"discriminator_steps": 3, "penalties": (Penalty(kind="r1", every=4),)}
    train(start(recipe.model_copy(update=lazy), 0), Wasserstein(), images, until=3)
    assert seen == [1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_the_penalty_is_added_to_the_loss(recipe: Recipe, images: Tensor) -> None:
    real = real_batch(images)
    found = stepped(recipe, images, step=16, penalties=(Penalty(kind="r1", weight=3.0, every=16),))
    plain = start(recipe, 0)
    net = copy.deepcopy(plain.gan.discriminator)
    discriminator_step(plain, Wasserstein(), real)
    extra = torch.autograd.grad(48.0 * r1(net, real=real), list(net.parameters()), allow_unused=True)
    total = [a + (0 if b is None else b) for a, b in zip(slopes(plain), extra, strict=True)]
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(slopes(found), total, strict=True))
