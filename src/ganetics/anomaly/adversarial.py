"""What the generator and the discriminator of a detector are told, with any loss of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganetics.losses.contract import GANLoss
from ganetics.records import Penalty
from ganetics.training.penalties import due, project_, with_penalties


def update_discriminator(
    discriminator: nn.Module,
    optimizer: torch.optim.Adam,
    loss: GANLoss,
    penalties: Sequence[Penalty],
    *,
    real: Tensor,
    fake: Tensor,
    update: int,
    generator: torch.Generator,
) -> Tensor:
    """Update a discriminator, in place.

    Args:
        discriminator: ``[n, ...]`` to logits ``[n]``.
        optimizer: of its weights.
        loss: what it learns by.
        penalties: those that are due at this update are added.
        real: ``[n, ...]``
        fake: ``[n, ...]``, without a graph.
        update: number of this one, from 0.
        generator: of the places where a gradient penalty is taken.

    Returns:
        The loss with its penalties, a scalar.
    """
    value = loss.discriminator(real_logits=discriminator(real), fake_logits=discriminator(fake))
    now = due(penalties, update)
    value = with_penalties(value, now, discriminator, real=real, fake=fake, generator=generator)
    optimizer.zero_grad(set_to_none=True)
    value.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    project_(discriminator, now)
    return value.detach()


def generator_loss(discriminator: nn.Module, loss: GANLoss, *, real: Tensor, fake: Tensor) -> Tensor:
    """Return the generator's loss of what it made, ``fake [n, ...]``, a scalar with a graph."""
    real_logits = None
    if loss.generator_needs_real:
        with torch.no_grad():
            real_logits = discriminator(real)
    return loss.generator(fake_logits=discriminator(fake), real_logits=real_logits)
