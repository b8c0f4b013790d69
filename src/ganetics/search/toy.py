"""The toy gate: can a loss train a GAN at all? A tiny GAN on a ring of eight Gaussians tells at once.

The screen looks at slopes; this looks at what two players make of them, at a fraction of the cost of the shortest run
on images. It does not say how good a loss is: what passes still has to be trained. More than half of the random trees
that pass the screen fail here; of the children of losses that have trained nearly none do, and before those it costs
more than it saves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganetics._random import torch_generator
from ganetics.catalogue import loss_named_or_parsed
from ganetics.expressions.compile import compile_loss
from ganetics.expressions.tree import Expression
from ganetics.losses.contract import GANLoss
from ganetics.records import Failure, FailureKind, Outcome
from ganetics.trial import TrialJob, TrialReply, data_of, run_job

MODES, RADIUS, SPREAD = 8, 1.5, 0.05
"""The mixture: Gaussians in a ring, its radius and their standard deviation."""
WIDTH, BATCH, BETAS, EPSILON = 32, 128, (0.5, 0.999), 1e-8
"""Both networks have two hidden layers of this width, leaky ReLU 0.2, and Adam."""
RATES = (3e-3, 1e-2)
"""Learning rates, trained side by side: losses have windows of rates, and a gate at one rate would judge the window."""
STEPS, LOOK_EVERY, SAMPLES = 200, 25, 256
"""Updates of each player; how often samples are looked at; how many."""
GENERATOR_SCALE = 0.1
"""Of the generator's last layer: it begins as a spot in the middle of the ring, whatever the seed, so that a generator
that is merely blown up, or stays, is not near the data by chance."""

PASS_DISTANCE, HOPELESS_DISTANCE = 0.2, 0.6
"""Energy distance within which a loss passes, at any look and rate; beyond which it is given up half-way.

Calibrated on seeds 100 to 119: with the non-saturating loss, least squares, hinge and GANetic the largest distance is
0.14 at the end, 0.29 half-way. What it rejects of losses whose training on MNIST is known: ``benchmarks/toy_gate.py``.
"""


@dataclass(frozen=True)
class ToyResult:
    """What came of it, at the look and the rate with the smallest distance."""

    distance: float
    """Energy distance to the mixture, in units of the plane: 0 equal, about 1.1 untrained; infinite if never finite."""
    modes: int
    """How many of the eight modes hold at least a quarter of their share of the samples within three deviations."""
    near: float
    """Share of the samples within three deviations of a mode."""
    rate: float
    """Learning rate."""
    steps: int
    """Updates done; fewer than :data:`STEPS` if it ended early."""
    diverged: bool
    """At every rate the samples are no longer finite."""
    distances: tuple[tuple[float, ...], ...]
    """At every look, at every rate."""


def passes(result: ToyResult) -> bool:
    """Return whether a loss can train a GAN."""
    return result.distance <= PASS_DISTANCE


def hopeless(steps: int, distance: float) -> bool:
    """Return whether a loss whose smallest distance so far is this is given up after this many steps."""
    return 2 * steps >= STEPS and distance > HOPELESS_DISTANCE


def toy(loss: GANLoss | Expression, *, seed: int, early_end: bool = True) -> ToyResult:
    """Train a tiny GAN under a loss, at several learning rates side by side.

    All losses of a seed have the same initial weights, data and latents. Deterministic for one thread of torch.

    Args:
        loss: reduction "mean".
        seed: names the generators.
        early_end: end as soon as it has passed or is hopeless; divergence ends it always.

    >>> from ganetics.expressions.text import parse
    >>> passes(toy(parse("(y - p)**2"), seed=0)), passes(toy(parse("y - p"), seed=0))
    (True, False)
    """
    game = _Game(compile_loss(loss) if isinstance(loss, Expression) else loss, seed)
    looks: list[Tensor] = []
    best, rate, samples, steps, diverged = math.inf, 0, game.samples(), 0, False
    while steps < STEPS and not diverged:
        for _ in range(LOOK_EVERY):
            game.step()
        steps += LOOK_EVERY
        now = game.samples()
        looks.append(distances := game.distances(now))
        if float(distances.min()) < best:
            best, rate, samples = float(distances.min()), int(distances.argmin()), now
        diverged = bool(distances.isinf().all())
        if early_end and (best <= PASS_DISTANCE or hopeless(steps, best)):
            break
    modes, near = game.modes(samples[rate])
    return ToyResult(
        distance=best,
        modes=modes,
        near=near,
        rate=RATES[rate],
        steps=steps,
        diverged=diverged,
        distances=tuple(tuple(look.tolist()) for look in looks),
    )


def run_gated_job(job: TrialJob) -> TrialReply:
    """Run a trial if its loss passes the toy; what executors call instead of :func:`ganetics.trial.run_job`.

    Raises:
        InputError: as there.
    """
    result = toy(loss_named_or_parsed(job.loss), seed=job.seed)
    if passes(result):
        return run_job(job)
    data = data_of(job)
    message = f"toy gate: energy distance {result.distance:.2g} after {result.steps} steps, must reach {PASS_DISTANCE}"
    outcome = Outcome(
        step=0,
        seed=job.seed,
        metrics=None,
        failure=Failure(kind=FailureKind.REJECTED, message=message),
        data=data.digest,
        extractor=data.extractor.identity.digest(),
        recipe=job.recipe.digest(),
    )
    return TrialReply(outcome, None)


class _Player:
    """A perceptron for each learning rate, all with the same initial weights, and their Adam.

    Written out, because Adam of torch has one rate a tensor: here a tensor holds the weights of all rates.
    """

    def __init__(self, outputs: int, generator: torch.Generator, *, last: float = 1.0) -> None:
        self.weights: list[Tensor] = []
        sizes = (2, WIDTH, WIDTH, outputs)
        for number, (rows, columns) in enumerate(pairwise(sizes), 1):
            bound = math.sqrt(6.0 / rows) * (last if number == len(sizes) - 1 else 1.0)  # He et al. 2015, eq. 10
            weight = torch.empty(rows, columns).uniform_(-bound, bound, generator=generator)
            self.weights += [weight.expand(len(RATES), -1, -1).clone(), torch.zeros(len(RATES), 1, columns)]
        self.means = [torch.zeros_like(weight) for weight in self.weights]
        self.squares = [torch.zeros_like(weight) for weight in self.weights]
        self.rates = [torch.tensor(RATES)[:, None, None].expand_as(w).contiguous() for w in self.weights]
        self.updates = 0
        for weight in self.weights:
            weight.requires_grad_()

    def __call__(self, points: Tensor) -> Tensor:
        """``[rates, n, 2]`` → ``[rates, n, outputs]``."""
        first, bias1, second, bias2, third, bias3 = self.weights
        hidden = F.leaky_relu(torch.baddbmm(bias1, points, first), 0.2)
        hidden = F.leaky_relu(torch.baddbmm(bias2, hidden, second), 0.2)
        return torch.baddbmm(bias3, hidden, third)

    @torch.no_grad()
    def descend(self, objective: Tensor) -> None:
        """One update of Adam (Kingma, Ba 2015, algorithm 1) at all rates."""
        slopes = torch.autograd.grad(objective, self.weights)
        self.updates += 1
        first, second = (1.0 - beta**self.updates for beta in BETAS)
        torch._foreach_lerp_(self.means, slopes, 1.0 - BETAS[0])
        torch._foreach_mul_(self.squares, BETAS[1])
        torch._foreach_addcmul_(self.squares, slopes, slopes, value=1.0 - BETAS[1])
        scale = torch._foreach_div(self.squares, second)
        torch._foreach_sqrt_(scale)
        torch._foreach_add_(scale, EPSILON)
        torch._foreach_mul_(scale, -first)
        torch._foreach_addcdiv_(self.weights, torch._foreach_mul(self.means, self.rates), scale)


class _Game:
    """Two players, and the data and latents that they get."""

    def __init__(self, loss: GANLoss, seed: int) -> None:
        self.loss = loss
        angles = torch.arange(MODES) * (2.0 * math.pi / MODES)
        self.centres = RADIUS * torch.stack([angles.cos(), angles.sin()], dim=1)
        weights = torch_generator(seed, "toy weights")
        self.generator = _Player(2, weights, last=GENERATOR_SCALE)
        self.discriminator = _Player(1, weights)
        self.random = torch_generator(seed, "toy training")
        looks = torch_generator(seed, "toy looks")
        self.latents, self.real = self._latents(SAMPLES, looks), self._data(SAMPLES, looks)
        self.spread = _mean_distance(self.real, self.real)

    def step(self) -> None:
        """Update the discriminator, then the generator on the same latents."""
        real = self._data(BATCH, self.random)
        fake = self.generator(self._latents(BATCH, self.random))
        logits = self.discriminator(torch.cat([real, fake.detach()], dim=1)).squeeze(2)
        real_logits, fake_logits = logits[:, :BATCH], logits[:, BATCH:]
        self.discriminator.descend(self._sum(self.loss.discriminator, real_logits=real_logits, fake_logits=fake_logits))
        given = {"fake_logits": self.discriminator(fake).squeeze(2)}
        if self.loss.generator_needs_real:
            given["real_logits"] = self.discriminator(real).squeeze(2).detach()
        self.generator.descend(self._sum(self.loss.generator, **given))

    @torch.no_grad()
    def samples(self) -> Tensor:
        """Return ``[rates, SAMPLES, 2]``, always of the same latents."""
        return self.generator(self.latents)

    def distances(self, samples: Tensor) -> Tensor:
        """Return the energy distance 2 E|x − y| − E|x − x'| − E|y − y'| (Székely, Rizzo 2013) at each rate."""
        found = 2.0 * _mean_distance(samples, self.real) - _mean_distance(samples, samples) - self.spread
        return torch.where(found.isfinite(), found, math.inf)

    def modes(self, samples: Tensor) -> tuple[int, float]:
        """Return how many modes the samples ``[n, 2]`` cover, and what share of them is near one."""
        distance, mode = torch.cdist(samples, self.centres).min(dim=1)
        near = distance < 3.0 * SPREAD
        covered = mode[near].bincount(minlength=MODES) >= len(samples) / MODES / 4.0
        return int(covered.sum()), float(near.float().mean())

    def _sum(self, side: Callable[..., Tensor], **logits: Tensor) -> Tensor:
        """Return the sum of the objectives of all rates, so that each has its own gradient."""
        if self.loss.separable:  # the mean over all is the mean of the means
            return side(**logits) * len(RATES)
        parts = (side(**{name: values[rate] for name, values in logits.items()}) for rate in range(len(RATES)))
        return torch.stack(list(parts)).sum()

    def _latents(self, count: int, random: torch.Generator) -> Tensor:
        return torch.randn(count, 2, generator=random).expand(len(RATES), -1, -1)

    def _data(self, count: int, random: torch.Generator) -> Tensor:
        centres = self.centres[torch.randint(MODES, (count,), generator=random)]
        return (centres + SPREAD * torch.randn(count, 2, generator=random)).expand(len(RATES), -1, -1)


def _mean_distance(one: Tensor, other: Tensor) -> Tensor:
    return torch.cdist(one, other).mean(dim=(1, 2))
