"""Everything that a training run is at one moment."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ganetics._random import torch_generator
from ganetics.models import Gan, build_gan
from ganetics.models.layers import Dropout
from ganetics.records import Recipe
from ganetics.training.ranks import Ranks


@dataclass
class TrainingState:
    """A training run at one moment. :func:`ganetics.training.train` advances it in place."""

    recipe: Recipe
    seed: int
    device: torch.device
    gan: Gan
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    random: dict[str, torch.Generator]
    """Generators that are drawn from step by step, by role; their states belong to a checkpoint."""
    average: nn.Module | None
    """Moving average of the generator, if the recipe keeps one."""
    augment_p: Tensor | None = None
    """Probability of an augmentation, a scalar, if the recipe's is adaptive."""
    ranks: Ranks = field(default_factory=Ranks)
    """The processes that train this GAN together; all of them hold the same state."""
    step: int = 0
    """Updates of the generator made so far."""
    loss: str | None = None
    """Name of the loss last trained with."""
    history: list[dict[str, float]] = field(default_factory=list)
    """Every 50 steps: step, both losses, mean sigmoid of the logits of real (d_real) and of generated (d_fake); with
    adaptive augmentation its probability (augment_p) and the signal that it follows (rank_signal)."""

    @property
    def sampler(self) -> nn.Module:
        """The network that samples are taken from: the moving average if there is one."""
        return self.average if self.average is not None else self.gan.generator

    def networks(self) -> dict[str, nn.Module]:
        """Return all networks by name."""
        nets = {"generator": self.gan.generator, "discriminator": self.gan.discriminator}
        return nets if self.average is None else {**nets, "average": self.average}

    def optimizers(self) -> dict[str, torch.optim.Adam]:
        """Return both optimizers by the name of their network."""
        return {"generator": self.generator_optimizer, "discriminator": self.discriminator_optimizer}


def start(
    recipe: Recipe, seed: int, device: torch.device | str = "cpu", *, ranks: Ranks | None = None
) -> TrainingState:
    """Return the state before the first step.

    Initial weights and the streams of latents depend on ``seed`` alone, so that runs that differ in their loss
    start from the same weights and see the same latents and data.

    Args:
        recipe: what to train.
        seed: of everything that is drawn.
        device: where; with several ``ranks`` each has its own.
        ranks: the processes that train together; None: this one alone.

    Raises:
        InputError: the recipe's architecture cannot make images of its size, or of classes.
    """
    device = torch.device(device)
    gan = build_gan(recipe, generator=torch_generator(seed, "weights"))
    memory_format = torch.channels_last if recipe.channels_last else torch.contiguous_format
    for net in (gan.generator, gan.discriminator):
        net.to(device=device, memory_format=memory_format)  # type: ignore[call-overload]
    random = {
        "latent": torch_generator(seed, "latent"),  # on the CPU: the same latents on every device
        "dropout": torch_generator(seed, "dropout", device=device),
        "penalty": torch_generator(seed, "penalty", device=device),
    }
    if recipe.augment != "none":
        random["augment"] = torch_generator(seed, "augment")
    for module in gan.discriminator.modules():
        if isinstance(module, Dropout):
            module.generator = random["dropout"]
    average = None if recipe.ema_half_life is None else copy.deepcopy(gan.generator).requires_grad_(False)
    return TrainingState(
        recipe=recipe,
        seed=seed,
        device=device,
        gan=gan,
        generator_optimizer=_adam(gan.generator, recipe),
        discriminator_optimizer=_adam(gan.discriminator, recipe),
        random=random,
        average=average,
        augment_p=torch.zeros((), device=device) if recipe.augment == "adaptive" else None,
        ranks=ranks or Ranks(),
    )


def _adam(net: nn.Module, recipe: Recipe) -> torch.optim.Adam:
    # fused: one kernel for all weights, which saves the calls that dominate a step of a small net
    return torch.optim.Adam(net.parameters(), lr=recipe.learning_rate, betas=(recipe.beta1, recipe.beta2), fused=True)
