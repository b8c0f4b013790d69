"""One update of each network."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from ganetics.losses.contract import GANLoss
from ganetics.losses.penalties import clip_weights_, gradient_penalty, r1, r2
from ganetics.records import Penalty
from ganetics.training.state import TrainingState


def latents(state: TrainingState, count: int) -> Tensor:
    """Return the next ``count`` latents ``[count, latent_dim]``, standard normal, of the state's own stream."""
    z = torch.randn(count, state.recipe.latent_dim, generator=state.random["latent"])
    return z.to(state.device, non_blocking=True)


def discriminator_step(state: TrainingState, loss: GANLoss, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Update the discriminator on a real batch ``[n, c, h, w]`` and as many generated images, in place.

    Real and generated images pass separately, so that batch normalisation sees one kind at a time.

    Returns:
        The loss without penalties (a scalar), and the logits ``[n]`` of the real and of the generated images.
    """
    discriminator = state.gan.discriminator
    with autocast(state):
        with torch.no_grad():
            fake = state.gan.generator(latents(state, len(real)))
        real_logits, fake_logits = discriminator(real), discriminator(fake)
    value = loss.discriminator(real_logits=real_logits, fake_logits=fake_logits)
    total = value
    due = [penalty for penalty in state.recipe.penalties if state.step % penalty.every == 0]
    for penalty in due:
        total = total + _penalty(penalty, state, real, fake)
    state.discriminator_optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    state.discriminator_optimizer.step()
    for penalty in due:
        if penalty.kind == "clip":
            clip_weights_(discriminator, penalty.weight)
    return value.detach(), real_logits.detach(), fake_logits.detach()


def generator_step(state: TrainingState, loss: GANLoss, real: Tensor) -> Tensor:
    """Update the generator on fresh latents, and its moving average if there is one, in place.

    Returns:
        The loss, a scalar.
    """
    generator, discriminator = state.gan.generator, state.gan.discriminator
    with autocast(state):
        fake_logits = discriminator(generator(latents(state, state.recipe.batch_size)))
        real_logits = None
        if loss.generator_needs_real:
            with torch.no_grad():
                real_logits = discriminator(real)
    value = loss.generator(fake_logits=fake_logits, real_logits=real_logits)
    state.generator_optimizer.zero_grad(set_to_none=True)
    # inputs: the gradients of the discriminator's weights are not wanted here and not computed
    value.backward(inputs=list(generator.parameters()))  # type: ignore[no-untyped-call]
    state.generator_optimizer.step()
    if state.average is not None and state.recipe.ema_decay is not None:
        # the start forgets the initial weights fast, whatever the decay
        _average_(state.average, generator, min(state.recipe.ema_decay, (1 + state.step) / (10 + state.step)))
    return value.detach()


def autocast(state: TrainingState) -> AbstractContextManager[object]:
    """Return the context that the recipe's precision asks for; weights and losses stay float32."""
    if state.recipe.precision == "float32":
        return nullcontext()
    return torch.autocast(state.device.type, dtype=torch.bfloat16)


def _penalty(penalty: Penalty, state: TrainingState, real: Tensor, fake: Tensor) -> Tensor | float:
    discriminator, weight = state.gan.discriminator, penalty.weight * penalty.every
    match penalty.kind:
        case "r1":
            return weight * r1(discriminator, real=real)
        case "r2":
            return weight * r2(discriminator, fake=fake.float())
        case "gradient":
            random = state.random["penalty"]
            return weight * gradient_penalty(discriminator, real=real, fake=fake.float(), generator=random)
        case "clip":
            return 0.0


@torch.no_grad()
def _average_(average: nn.Module, net: nn.Module, decay: float) -> None:
    # buffers (batch normalisation's statistics) too: they have to fit the averaged weights
    for mean, value in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1.0 - decay)
        else:
            mean.copy_(value)
