"""Penalties in an update of the discriminator: which are due, added to its loss, and the projection after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ganetics.losses.penalties import clip_weights_, gradient_penalty, r1, r2
from ganetics.records import Penalty


def due(penalties: Sequence[Penalty], update: int) -> list[Penalty]:
    """Return those that the discriminator's update number ``update`` has, from 0.

    >>> [len(due([Penalty(kind="r1", every=4)], update)) for update in range(5)]
    [1, 0, 0, 0, 1]
    """
    return [penalty for penalty in penalties if update % penalty.every == 0]


def with_penalties(
    value: Tensor,
    penalties: Sequence[Penalty],
    discriminator: Callable[[Tensor], Tensor],
    *,
    real: Tensor,
    fake: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Return a loss with those that are due, each with its weight, the lazy ones k times as heavy.

    Args:
        value: the loss, a scalar.
        penalties: from :func:`due`; a clip adds nothing.
        discriminator: images ``[n, c, h, w]`` to logits ``[n]``.
        real: images that it has seen.
        fake: generated ones that it has seen.
        generator: of the places between both where a gradient penalty is taken.
    """
    for penalty in penalties:
        weight = penalty.weight * penalty.every
        match penalty.kind:
            case "r1":
                value = value + weight * r1(discriminator, real=real)
            case "r2":
                value = value + weight * r2(discriminator, fake=fake.float())
            case "gradient":
                further = gradient_penalty(discriminator, real=real, fake=fake.float(), generator=generator)
                value = value + weight * further
            case "clip":
                pass
    return value


def project_(net: nn.Module, penalties: Sequence[Penalty]) -> None:
    """Clip the weights of a discriminator that was updated, in place, where that is due."""
    for penalty in penalties:
        if penalty.kind == "clip":
            clip_weights_(net, penalty.weight)
