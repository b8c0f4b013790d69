"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ganetics import _check
from ganetics._check import InputError
from ganetics.losses.contract import GANLoss
from ganetics.records import RECORD_EVERY
from ganetics.training.augment import rank_signal
from ganetics.training.batches import Batches
from ganetics.training.state import TrainingState, start
from ganetics.training.steps import discriminator_step, generator_step

__all__ = ["Diverged", "TrainingState", "start", "train"]


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
    labels: Tensor | None = None,
    on_record: Callable[[dict[str, float]], None] | None = None,
) -> TrainingState:
    """Train on until ``until`` steps are done. Changes ``state`` in place and returns it.

    Nothing depends on ``until`` but the end: to train to a and then to b equals to train to b, bit for bit.

    Args:
        state: where to go on from.
        loss: reduction "mean".
        images: uint8 or uint16 ``[n, c, h, w]`` of the recipe's size; the recipe's ``train_size`` first are used.
        until: number of steps in all; nothing happens if they are done already.
        labels: int64 ``[n]``, the images' classes, if the recipe has any; else not used.
        on_record: called every 50 steps with what is kept in ``history``.

    Raises:
        InputError: the images have another dtype or size than the recipe says, or labels do not fit its classes.
        Diverged: a loss, the logits or a weight is not finite; looked at every 50 steps and at the end.
    """
    _check_images(state, images)
    recipe = state.recipe
    batches = Batches(
        images[: recipe.train_size].to(state.device),
        seed=state.seed,
        batch_size=recipe.discriminator_batch or recipe.batch_size,
    )
    classes = _checked_labels(state, labels, len(images))
    memory_format = torch.channels_last if recipe.channels_last else torch.contiguous_format
    state.loss = loss.name
    for net in state.networks().values():
        net.train()
    while state.step < until:
        if recipe.rate_half_life is not None:
            _set_rate(state, recipe.learning_rate * 0.5 ** (state.step / recipe.rate_half_life))
        for turn in range(recipe.discriminator_steps):
            number = state.step * recipe.discriminator_steps + turn
            real = state.ranks.part(batches.at(number)).contiguous(memory_format=memory_format)
            told = None if classes is None else state.ranks.part(classes[batches.indices(number)])
            d_loss, real_logits, fake_logits = discriminator_step(state, loss, real, told, turn=turn)
        g_loss = generator_step(state, loss, real, told)
        state.step += 1
        if state.step % RECORD_EVERY == 0:
            record = _record(state, d_loss, g_loss, real_logits, fake_logits)
            _check_weights(state)
            state.history.append(record)
            if on_record is not None:
                on_record(record)
    _check_weights(state)
    return state


def _set_rate(state: TrainingState, rate: float) -> None:
    for optimizer in state.optimizers().values():
        for group in optimizer.param_groups:
            group["lr"] = rate


NAMES = {
    "d_loss": "loss of the discriminator",
    "g_loss": "loss of the generator",
    "d_real": "discriminator's output for real images",
    "d_fake": "discriminator's output for generated images",
}


def _record(
    state: TrainingState, d_loss: Tensor, g_loss: Tensor, real_logits: Tensor, fake_logits: Tensor
) -> dict[str, float]:
    values = {
        "d_loss": d_loss,
        "g_loss": g_loss,
        "d_real": real_logits.float().sigmoid().mean(),
        "d_fake": fake_logits.float().sigmoid().mean(),
    }
    if state.augment_p is not None:
        values |= {"augment_p": state.augment_p, "rank_signal": rank_signal(real_logits, fake_logits)}
    record = {key: state.ranks.mean(value).item() for key, value in values.items()}
    for key, name in NAMES.items():
        if not math.isfinite(record[key]):
            raise Diverged(f"the {name} is {record[key]}", state.step)
    return {"step": state.step, **record}


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


def _checked_labels(state: TrainingState, labels: Tensor | None, count: int) -> Tensor | None:
    """Return the labels on the state's device, or None if the recipe has no classes."""
    classes = state.recipe.classes
    if not classes:
        return None
    if labels is None:
        raise InputError(f"the recipe {state.recipe.name!r} has {classes} classes: images must have labels, got none")
    if labels.dtype != torch.int64 or list(labels.shape) != [count]:
        raise InputError(f"labels must be int64 [{count}], one an image, got {labels.dtype} {list(labels.shape)}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise InputError(f"labels must be 0 to {classes - 1}, as the recipe has {classes} classes, got {low} to {high}")
    return labels[: state.recipe.train_size].to(state.device)
