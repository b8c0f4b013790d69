"""What several processes do together in the tests of ranks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ganetics._check import InputError
from ganetics.losses import NonSaturating
from ganetics.records import Recipe
from ganetics.training import start, train
from ganetics.training.ranks import Ranks


def trained(
    ranks: Ranks, device: torch.device, recipe: Recipe, images: Tensor, *, until: int, normalised: bool = False
) -> dict[str, Any]:
    """Train, without batch normalisation unless asked for, and return how far the weights moved and other facts."""
    state = start(recipe, 0, device, ranks=ranks)
    if not normalised:
        for net in (state.gan.generator, state.gan.discriminator):
            for name, module in list(net.named_children()):
                if isinstance(module, nn.BatchNorm2d):
                    setattr(net, name, nn.Identity())
        if state.average is not None:
            raise ValueError("the average would keep its batch normalisation")
        options = {"lr": recipe.learning_rate, "betas": (recipe.beta1, recipe.beta2)}
        state.generator_optimizer = torch.optim.Adam(state.gan.generator.parameters(), **options)
        state.discriminator_optimizer = torch.optim.Adam(state.gan.discriminator.parameters(), **options)
    before = weights(state.gan.generator, state.gan.discriminator)
    labels = torch.arange(len(images)) % max(recipe.classes, 1)
    train(state, NonSaturating(), images, until=until, labels=labels)
    after = weights(state.gan.generator, state.gan.discriminator)
    p = None if state.augment_p is None else state.augment_p.item()
    everything = (after.tolist(), p, state.history, state.random["latent"].get_state().tolist())
    if ranks.agreed(everything) != everything:
        raise RuntimeError("the ranks differ")
    return {"moved": after - before, "history": state.history, "p": p, "ranks": ranks.count}


def weights(*nets: nn.Module) -> Tensor:
    return torch.cat([weight.detach().flatten() for net in nets for weight in net.parameters()])


def several(ranks: Ranks, device: torch.device, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Do several runs, as processes take long to start."""
    return [trained(ranks, device, **run) for run in runs]


def refused(ranks: Ranks, device: torch.device) -> None:
    raise InputError(f"no rank of {ranks.count} wants this")
