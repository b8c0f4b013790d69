"""The loop: continuation is exact, no global random state, divergence is named."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from ganetics._check import InputError
from ganetics.losses import GANetic, GANLoss, NonSaturating
from ganetics.records import Penalty, Recipe
from ganetics.training import Diverged, TrainingState, start, train
from ganetics.training.batches import Batches, scaled
from ganetics.training.sampling import decode, fixed_latents


def everything(state: TrainingState) -> dict[str, Tensor]:
    found = {f"random/{role}": source.get_state() for role, source in state.random.items()}
    if state.augment_p is not None:
        found["augment"] = state.augment_p
    for name, net in state.networks().items():
        found |= {f"{name}/{key}": value.clone() for key, value in net.state_dict().items()}
    for name, optimizer in state.optimizers().items():
        for index, moments in optimizer.state_dict()["state"].items():
            found |= {f"adam/{name}/{index}/{key}": value.clone() for key, value in moments.items()}
    return found


def assert_equal(one: TrainingState, other: TrainingState) -> None:
    assert (one.step, one.history, one.seed, one.recipe) == (other.step, other.history, other.seed, other.recipe)
    first, second = everything(one), everything(other)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "average": {"ema_half_life": 50.0},
    "channels last": {"channels_last": True, "image_size": 16},
    "bfloat16": {"precision": "bfloat16"},
    "penalties": {"penalties": (Penalty(kind="r1"), Penalty(kind="gradient", weight=10), Penalty(kind="clip"))},
    "lazy penalties": {"penalties": (Penalty(kind="r1", every=4), Penalty(kind="gradient", every=3))},
    "fewer images in the discriminator's step": {"discriminator_batch": 3},
    "falling rate": {"rate_half_life": 20.0},
    "augmented": {"augment": "diffaugment"},
    "adapted": {"augment": "adaptive", "precision": "bfloat16"},
    "classes": {"classes": 3, "discriminator_batch": 3, "penalties": (Penalty(kind="r1"),)},
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_stopping_on_the_way_changes_nothing(variant: str, recipe: Recipe, images: Tensor) -> None:
    recipe = recipe.model_copy(update=VARIANTS[variant])
    images = images.repeat(1, 1, recipe.image_size // 8, recipe.image_size // 8)
    labels = torch.arange(45) % max(recipe.classes, 1)
    whole = train(start(recipe, 0), GANetic(), images, until=60, labels=labels)
    parts = start(recipe, 0)
    for until in (1, 50, 50, 57, 60):
        train(parts, GANetic(), images, until=until, labels=labels)
    assert_equal(whole, parts)
    assert [line["step"] for line in whole.history] == [50]


def test_training_changes_the_weights_and_not_the_global_random_state(recipe: Recipe, images: Tensor) -> None:
    before = torch.get_rng_state()
    state = start(recipe, 0)
    initial = copy.deepcopy(state.gan.generator.state_dict())
    train(state, NonSaturating(), images, until=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert any(not torch.equal(initial[key], value) for key, value in state.gan.generator.state_dict().items())


def test_the_generator_learns_to_be_bright_from_bright_images(recipe: Recipe) -> None:
    bright = torch.full((45, 1, 8, 8), 220, dtype=torch.uint8)
    state = start(recipe.model_copy(update={"learning_rate": 5e-3}), 0)
    assert decode(state.sampler, fixed_latents(state, 50)).float().mean() < 140
    train(state, NonSaturating(), bright, until=150)
    assert decode(state.sampler, fixed_latents(state, 50)).float().mean() > 190


def test_losses_of_one_seed_start_alike_and_seeds_differ(recipe: Recipe) -> None:
    one, same, other = start(recipe, 0), start(recipe, 0), start(recipe, 1)
    assert_equal(one, same)
    assert not torch.equal(one.gan.generator[0].weight, other.gan.generator[0].weight)  # type: ignore[index]
    rate = recipe.at_rate(3)
    assert torch.equal(start(rate, 0).gan.generator[0].weight, one.gan.generator[0].weight)  # type: ignore[index]


class _NotFinite(GANLoss):
    """A value that is not finite: with ``weighed`` the gradient is not either, and so the weights will not be."""

    name = "not-finite"

    def __init__(self, *, discriminator: float = 0.0, generator: float = 0.0, weighed: bool = False) -> None:
        super().__init__()
        self.values, self.weighed = (discriminator, generator), weighed

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        total = real_logits.mean() + fake_logits.mean()
        return total * self.values[0] if self.weighed else total * 0 + self.values[0]

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return fake_logits.mean() * 0 + self.values[1]


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (_NotFinite(discriminator=torch.nan), "the loss of the discriminator is nan after step 50"),
        (_NotFinite(generator=torch.inf), "the loss of the generator is inf after step 50"),
    ],
)
def test_a_divergence_is_found_at_a_record_and_named(
    loss: GANLoss, message: str, recipe: Recipe, images: Tensor
) -> None:
    state = start(recipe, 0)
    with pytest.raises(Diverged, match=f"^{message}$") as caught:
        train(state, loss, images, until=60)
    assert caught.value.step == state.step == 50
    assert state.history == []


def test_a_divergence_is_found_at_the_end(recipe: Recipe, images: Tensor) -> None:
    loss = _NotFinite(discriminator=torch.nan, weighed=True)
    with pytest.raises(Diverged, match=r"^the weight \S+ of the \w+ is not finite after step 3$"):
        train(start(recipe, 0), loss, images, until=3)


def test_records_are_passed_on(recipe: Recipe, images: Tensor) -> None:
    seen: list[dict[str, float]] = []
    state = train(start(recipe, 0), NonSaturating(), images, until=120, on_record=seen.append)
    assert seen == state.history
    assert [line["step"] for line in seen] == [50, 100]
    assert set(seen[0]) == {"step", "d_loss", "g_loss", "d_real", "d_fake"}


class _NeedsReal(NonSaturating):
    generator_needs_real = True

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        assert real_logits is not None
        assert not real_logits.requires_grad
        return super().generator(fake_logits=fake_logits)


def test_a_loss_that_needs_them_gets_the_real_logits(recipe: Recipe, images: Tensor) -> None:
    train(start(recipe, 0), _NeedsReal(), images, until=1)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(4, 1, 8, 8), "must be uint8"),
        (torch.zeros(4, 1, 9, 8, dtype=torch.uint8), r"\[n, 1, 8, 8\].*'tiny'.*\[4, 1, 9, 8\]"),
        (torch.zeros(4, 3, 8, 8, dtype=torch.uint8), r"\[n, 1, 8, 8\]"),
        (torch.zeros(0, 1, 8, 8, dtype=torch.uint8), "no empty side"),
    ],
)
def test_images_of_another_shape_are_refused(bad: Tensor, message: str, recipe: Recipe) -> None:
    with pytest.raises(InputError, match=message):
        train(start(recipe, 0), NonSaturating(), bad, until=1)


def test_the_moving_average_lags_and_forgets_the_start(recipe: Recipe, images: Tensor) -> None:
    state = train(start(recipe.model_copy(update={"ema_half_life": 5000.0}), 0), NonSaturating(), images, until=50)
    initial = start(recipe, 0).gan.generator[0].weight  # type: ignore[index]
    now, mean = state.gan.generator[0].weight, state.average[0].weight  # type: ignore[index]
    assert 0 < (mean - now).norm() < (initial - now).norm()


def test_the_average_forgets_half_in_its_half_life(recipe: Recipe, images: Tensor) -> None:
    """Not within the first steps, in which it forgets faster."""
    state = train(start(recipe.model_copy(update={"ema_half_life": 40.0}), 0), NonSaturating(), images, until=100)
    before = state.average[0].weight.clone()  # type: ignore[index, union-attr]
    for optimizer in state.optimizers().values():
        optimizer.param_groups[0]["lr"] = 0.0
    train(state, NonSaturating(), images, until=105)  # 5 steps of 8 images; the weights stand still
    now, mean = state.gan.generator[0].weight, state.average[0].weight  # type: ignore[index]
    assert torch.allclose(mean - now, (before - now) / 2, atol=1e-6)


def test_the_rate_falls_by_the_step_alone(recipe: Recipe, images: Tensor) -> None:
    recipe = recipe.model_copy(update={"rate_half_life": 10.0, "learning_rate": 1e-3})
    state = train(start(recipe, 0), NonSaturating(), images, until=31)
    for optimizer in state.optimizers().values():
        assert [group["lr"] for group in optimizer.param_groups] == [pytest.approx(1e-3 / 8)]
    longer = train(start(recipe.model_copy(update={"steps": 9999}), 0), NonSaturating(), images, until=31)
    assert torch.equal(longer.gan.generator[0].weight, state.gan.generator[0].weight)  # type: ignore[index]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, r"^the recipe 'tiny' has 3 classes: images must have labels, got none$"),
        (torch.zeros(44, dtype=torch.int64), r"^labels must be int64 \[45\], one an image, got torch.int64 \[44\]$"),
        (torch.zeros(45), "got torch.float32"),
        (torch.arange(45) % 4, r"^labels must be 0 to 2, as the recipe has 3 classes, got 0 to 3$"),
        (-(torch.arange(45) % 2), "got -1 to 0"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    labels: Tensor | None, message: str, recipe: Recipe, images: Tensor
) -> None:
    state = start(recipe.model_copy(update={"classes": 3}), 0)
    with pytest.raises(InputError, match=message):
        train(state, NonSaturating(), images, until=1, labels=labels)


def test_labels_are_not_looked_at_without_classes(recipe: Recipe, images: Tensor) -> None:
    told = train(start(recipe, 0), NonSaturating(), images, until=2, labels=torch.full((45,), 99))
    assert_equal(told, train(start(recipe, 0), NonSaturating(), images, until=2))


def test_a_generator_of_classes_learns_them(recipe: Recipe) -> None:
    labels = torch.arange(44) % 2
    images = (labels * 200 + 25).to(torch.uint8)[:, None, None, None].expand(44, 1, 8, 8).contiguous()
    recipe = recipe.model_copy(update={"classes": 2, "learning_rate": 5e-3})
    state = train(start(recipe, 0), NonSaturating(), images, until=200, labels=labels)
    dark, bright = (
        decode(state.sampler, fixed_latents(state, 50), torch.full((50,), label)).float().mean() for label in (0, 1)
    )
    assert bright - dark > 100


@pytest.mark.parametrize("batch_size", [4, 45, 100])
def test_every_epoch_shows_every_image_once(batch_size: int, images: Tensor) -> None:
    numbered = torch.arange(45, dtype=torch.uint8).reshape(45, 1, 1, 1)
    batches = Batches(numbered, seed=3, batch_size=batch_size)
    seen = torch.cat([batches.at(step) for step in range(45)]).add(1).mul(127.5).round().flatten().int()
    epochs = seen[: len(seen) // 45 * 45].reshape(-1, 45)
    assert torch.equal(epochs.sort(dim=1).values, torch.arange(45, dtype=torch.int32).expand(len(epochs), 45))
    assert len(epochs) == 1 or not torch.equal(epochs[0], epochs[1])
    again = Batches(numbered, seed=3, batch_size=batch_size)
    assert torch.equal(again.at(7), batches.at(7))


def test_images_of_16_bits_are_scaled_by_their_own_range() -> None:
    narrow = torch.arange(256, dtype=torch.uint8).reshape(256, 1, 1, 1)
    wide = (narrow.int() * 257).to(torch.uint16)
    assert torch.equal(scaled(narrow).flatten()[[0, 255]], torch.tensor([-1.0, 1.0]))
    batch, finer = (Batches(images, seed=3, batch_size=100).at(2) for images in (narrow, wide))
    assert finer.dtype == torch.float32
    assert (finer - batch).abs().max() < 2e-7
    step = scaled(torch.tensor([40_000, 40_001], dtype=torch.uint16)).double()
    assert (step[1] - step[0]).item() == pytest.approx(2 / 65535, rel=0.01)


def test_only_the_first_train_size_images_are_seen(recipe: Recipe, images: Tensor) -> None:
    few = train(start(recipe.model_copy(update={"train_size": 10}), 0), NonSaturating(), images, until=4)
    cut = train(start(recipe, 0), NonSaturating(), images[:10], until=4)
    assert torch.equal(few.gan.generator[0].weight, cut.gan.generator[0].weight)  # type: ignore[index]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("variant", VARIANTS)
def test_trains_on_a_gpu(variant: str, recipe: Recipe, images: Tensor) -> None:
    recipe = recipe.model_copy(update=VARIANTS[variant])
    images = images.repeat(1, 1, recipe.image_size // 8, recipe.image_size // 8)
    labels = torch.arange(45) % max(recipe.classes, 1)
    state = train(start(recipe, 0, "cuda"), GANetic(), images, until=60, labels=labels)
    assert state.history[0]["step"] == 50
    first, same = (next(start(recipe, 0, device).gan.generator.parameters()).cpu() for device in ("cpu", "cuda"))
    assert torch.equal(first, same)
