"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ganetics import _check
from ganetics._check import InputError
from ganetics.losses.contract import GANLoss
from ganetics.training.batches import Batches
from ganetics.training.state import TrainingState, start
from ganetics.training.steps import discriminator_step, generator_step

__all__ = ["RECORD_EVERY", "Diverged", "TrainingState", "start", "train"]

RECORD_EVERY = 50
"""Steps between two records; part of the result, so not a setting."""


class Diverged(Exception):  # noqa: N818 - an outcome of training, not a mistake
    """A loss, the logits or a weight is no longer finite. Says which, and after which step."""

    def __init__(self, what: str, step: int) -> None:
        super().__init__(f"{what} after step {step}")
        self.step = step


def train(
    state: TrainingState,
    loss: GANLoss,
    images: Tensor,
    *,
    until: int,
    on_record: Callable[[dict[str, float]], None] | None = None,
) -> TrainingState:
    """Train on until ``until`` steps are done. Changes ``state`` in place and returns it.

    Nothing depends on ``until`` but the end: to train to a and then to b equals to train to b, bit for bit.

    Args:
        state: where to go on from.
        loss: reduction "mean".
        images: uint8 ``[n, c, h, w]`` of the recipe's size; the recipe's ``train_size`` first are used.
        until: number of steps in all; nothing happens if they are done already.
        on_record: called every 50 steps with step, d_loss, g_loss, d_real and d_fake, as kept in ``history``.

    Raises:
        InputError: the images have another dtype or size than the recipe says.
        Diverged: a loss, the logits or a weight is not finite; looked at every 50 steps and at the end.
    """
    _check_images(state, images)
    recipe = state.recipe
    batches = Batches(
        images[: recipe.train_size].to(state.device),
        seed=state.seed,
        batch_size=recipe.discriminator_batch or recipe.batch_size,
    )
    memory_format = torch.channels_last if recipe.channels_last else torch.contiguous_format
    state.loss = loss.name
    for net in state.networks().values():
        net.train()
    while state.step < until:
        real = batches.at(state.step).contiguous(memory_format=memory_format)
        d_loss, real_logits, fake_logits = discriminator_step(state, loss, real)
        g_loss = generator_step(state, loss, real)
        state.step += 1
        if state.step % RECORD_EVERY == 0:
            record = _record(state.step, d_loss, g_loss, real_logits, fake_logits)
            _check_weights(state)
            state.history.append(record)
            if on_record is not None:
                on_record(record)
    _check_weights(state)
    return state


def _record(step: int, d_loss: Tensor, g_loss: Tensor, real_logits: Tensor, fake_logits: Tensor) -> dict[str, float]:
    record = {
        "d_loss": d_loss.item(),
        "g_loss": g_loss.item(),
        "d_real": real_logits.float().sigmoid().mean().item(),
        "d_fake": fake_logits.float().sigmoid().mean().item(),
    }
    names = {
        "d_loss": "loss of the discriminator",
        "g_loss": "loss of the generator",
        "d_real": "discriminator's output for real images",
        "d_fake": "discriminator's output for generated images",
    }
    for key, value in record.items():
        if not math.isfinite(value):
            raise Diverged(f"the {names[key]} is {value}", step)
    return {"step": step, **record}


def _check_weights(state: TrainingState) -> None:
    """Raise :class:`Diverged` if a weight is not finite."""
    for name, net in (("generator", state.gan.generator), ("discriminator", state.gan.discriminator)):
        for key, weight in net.named_parameters():
            if not bool(weight.detach().isfinite().all()):
                raise Diverged(f"the weight {key} of the {name} is not finite", state.step)


def _check_images(state: TrainingState, images: Tensor) -> None:
    _check.images("training images", images)
    recipe = state.recipe
    wanted = [recipe.channels, recipe.image_size, recipe.image_size]
    if list(images.shape[1:]) != wanted:
        raise InputError(
            f"training images must have shape [n, {', '.join(map(str, wanted))}] as the recipe {recipe.name!r} "
            f"says, got {list(images.shape)}"
        )
