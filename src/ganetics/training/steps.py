"""One update of each network."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from ganetics.losses.contract import GANLoss
from ganetics.training.augment import DRAWS, adjusted, augmented, rank_signal
from ganetics.training.penalties import due, project_, with_penalties
from ganetics.training.state import TrainingState


def latents(state: TrainingState, count: int) -> Tensor:
    """Return the next latents ``[count, latent_dim]``, standard normal, of the state's own stream.

    Of several ranks each gets its slice.
    """
    z = torch.randn(count, state.recipe.latent_dim, generator=state.random["latent"])
    return state.ranks.part(z).to(state.device, non_blocking=True)


def discriminator_step(
    state: TrainingState, loss: GANLoss, real: Tensor, labels: Tensor | None = None, *, turn: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Update the discriminator on a real batch ``[n, c, h, w]`` and as many generated images, in place.

    Real and generated images pass separately, so that batch normalisation sees one kind at a time. With classes the
    generated ones are of the real ones' ``labels``, ``[n]``. Penalties are taken at the images that the discriminator
    has seen, augmented if they were. Of several ranks each is given its slice of the batch. ``turn`` counts the updates
    since the generator's last.

    Returns:
        The loss without penalties (a scalar), and the logits ``[n]`` of the real and of the generated images.
    """
    discriminator = _told(state.gan.discriminator, labels)
    with autocast(state):
        with torch.no_grad():
            fake = _told(state.gan.generator, labels)(latents(state, len(real) * state.ranks.count))
        real, fake = _augmented(state, real), _augmented(state, fake)
        real_logits, fake_logits = discriminator(real), discriminator(fake)
    value = loss.discriminator(real_logits=real_logits, fake_logits=fake_logits)
    penalties = due(state.recipe.penalties, state.step * state.recipe.discriminator_steps + turn)
    random = state.random["penalty"]
    total = with_penalties(value, penalties, discriminator, real=real, fake=fake, generator=random)
    state.discriminator_optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    state.ranks.average_gradients_(state.gan.discriminator.parameters())
    state.discriminator_optimizer.step()
    project_(state.gan.discriminator, penalties)
    if state.augment_p is not None:
        signal = state.ranks.mean(rank_signal(real_logits.detach(), fake_logits.detach()))
        state.augment_p = adjusted(state.augment_p, signal, images=len(real) * state.ranks.count)
    return value.detach(), real_logits.detach(), fake_logits.detach()


def generator_step(state: TrainingState, loss: GANLoss, real: Tensor, labels: Tensor | None = None) -> Tensor:
    """Update the generator on fresh latents, and its moving average if there is one, in place.

    With classes its images are of the real ones' ``labels``, over again where there are more of them; so are the real
    logits of a loss of pairs.

    Returns:
        The loss, a scalar.
    """
    generator, recipe = state.gan.generator, state.recipe
    wanted = _repeated(labels, recipe.batch_size // state.ranks.count)
    with autocast(state):
        fake = _augmented(state, _told(generator, wanted)(latents(state, recipe.batch_size)))
        fake_logits = _told(state.gan.discriminator, wanted)(fake)
        real_logits = None
        if loss.generator_needs_real:
            with torch.no_grad():
                real_logits = _told(state.gan.discriminator, labels)(_augmented(state, real))
            if loss.paired:
                real_logits = _repeated(real_logits, len(fake_logits))
    value = loss.generator(fake_logits=fake_logits, real_logits=real_logits)
    state.generator_optimizer.zero_grad(set_to_none=True)
    # inputs: the gradients of the discriminator's weights are not wanted here and not computed
    value.backward(inputs=list(generator.parameters()))  # type: ignore[no-untyped-call]
    state.ranks.average_gradients_(generator.parameters())
    state.generator_optimizer.step()
    if state.average is not None and recipe.ema_half_life is not None:
        decay = 0.5 ** (recipe.batch_size / recipe.ema_half_life)
        # the start forgets the initial weights fast, whatever the decay
        _average_(state.average, generator, min(decay, (1 + state.step) / (10 + state.step)))
    return value.detach()


def autocast(state: TrainingState) -> AbstractContextManager[object]:
    """Return the context that the recipe's precision asks for; weights and losses stay float32."""
    if state.recipe.precision == "float32":
        return nullcontext()
    return torch.autocast(state.device.type, dtype=torch.bfloat16)


def _told(net: nn.Module, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
    """Return the net as a function of its first argument; nets without classes have no other."""
    return net if labels is None else lambda x: net(x, labels)


def _repeated(values: Tensor | None, count: int) -> Tensor | None:
    return None if values is None else values.repeat(-(-count // len(values)))[:count]


def _augmented(state: TrainingState, images: Tensor) -> Tensor:
    if state.recipe.augment == "none":
        return images
    draws = torch.rand(len(images) * state.ranks.count, DRAWS, generator=state.random["augment"])
    return augmented(images, state.ranks.part(draws).to(images.device), state.augment_p)


@torch.no_grad()
def _average_(average: nn.Module, net: nn.Module, decay: float) -> None:
    # buffers (batch normalisation's statistics) too: they have to fit the averaged weights
    for mean, value in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1.0 - decay)
        else:
            mean.copy_(value)
