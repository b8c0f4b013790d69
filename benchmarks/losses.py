"""What GANetic costs: beside binary cross-entropy on a million logits, and as a share of a DCGAN's step.

    python benchmarks/losses.py [--recipe mnist-full] [--rounds 41] [--logits 1000000] [--out FILE]

Both losses run forward and backward on the same logits, turn and turn about, in one process with one thread: the
discriminator's objective (as many real as generated logits), the generator's, and both together, as a step of training
has them. The figure is the median over the rounds of the ratio of CPU times, with the quartiles beside it, and the
ratio of the fastest turns, which a busy machine disturbs least.
Binary cross-entropy is PyTorch's ``binary_cross_entropy_with_logits`` with targets made beforehand.
Goals: at most 1.6; of a DCGAN's step less than 1 %.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganetics._random import torch_generator
from ganetics.execution.process import environment, prepare
from ganetics.losses import GANetic
from ganetics.training import RECIPES, start, train

Objectives = dict[str, Callable[[], Tensor]]
IMAGES = 500
STEPS = 40
LOSS_STEPS = 2000


def cpu_seconds(run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def ganetic(real: Tensor, fake: Tensor) -> Objectives:
    loss = GANetic()
    return {
        "discriminator": lambda: loss.discriminator(real_logits=real, fake_logits=fake),
        "generator": lambda: loss.generator(fake_logits=fake),
    }


def cross_entropy(real: Tensor, fake: Tensor) -> Objectives:
    ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
    bce = F.binary_cross_entropy_with_logits
    return {
        "discriminator": lambda: bce(real, ones) + bce(fake, zeros),
        "generator": lambda: bce(fake, ones),
    }


def backward(objective: Callable[[], Tensor], logits: tuple[Tensor, Tensor]) -> Callable[[], object]:
    return lambda: torch.autograd.grad(objective(), logits, allow_unused=True)


def ratios(count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return the CPU time of GANetic over that of cross-entropy, with what a turn of either costs."""
    # glibc keeps freed memory up to twice the largest block freed so far: without such a block, as any training has,
    # each turn gives its memory back, and what is measured are page faults
    torch.empty(7_500_000)
    random = torch_generator(0, "logits")
    real, fake = (3 * torch.randn(count, generator=random) for _ in range(2))
    both = (real.requires_grad_(True), fake.requires_grad_(True))
    losses = {"ganetic": ganetic(*both), "cross_entropy": cross_entropy(*both)}
    seconds: dict[str, dict[str, list[float]]] = {name: {"discriminator": [], "generator": []} for name in losses}
    for index in range(rounds + 2):
        names = list(losses) if index % 2 == 0 else list(losses)[::-1]
        for side in ("discriminator", "generator"):
            for name in names:
                used = cpu_seconds(backward(losses[name][side], both))
                if index >= 2:  # the first two warm up
                    seconds[name][side].append(used)
    for of_loss in seconds.values():
        of_loss["together"] = [a + b for a, b in zip(of_loss["discriminator"], of_loss["generator"], strict=True)]
    return {side: compared(seconds["ganetic"][side], seconds["cross_entropy"][side]) for side in seconds["ganetic"]}


def compared(ours: list[float], theirs: list[float]) -> dict[str, float]:
    quotients = [a / b for a, b in zip(ours, theirs, strict=True)]
    low, middle, high = statistics.quantiles(quotients, n=4)
    return {
        "ratio": round(middle, 3),
        "quartile_1": round(low, 3),
        "quartile_3": round(high, 3),
        "ratio_of_the_fastest": round(min(ours) / min(theirs), 3),
        "ganetic_milliseconds": round(1000 * statistics.median(ours), 3),
        "cross_entropy_milliseconds": round(1000 * statistics.median(theirs), 3),
    }


def share(name: str, rounds: int) -> dict[str, float]:
    """Return the CPU time of the loss, forward and backward, as a share of a whole step of the recipe."""
    recipe, loss = RECIPES[name], GANetic()
    shape = (IMAGES, recipe.channels, recipe.image_size, recipe.image_size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch_generator(0, "images"))
    state = start(recipe, 0)
    random = torch_generator(0, "logits")
    real, fake = (torch.randn(recipe.batch_size, generator=random).requires_grad_(True) for _ in range(2))
    objectives = ganetic(real, fake)

    def losses() -> None:
        for _ in range(LOSS_STEPS):
            for objective in objectives.values():
                torch.autograd.grad(objective(), (real, fake), allow_unused=True)

    def steps() -> None:
        train(state, loss, images, until=state.step + STEPS)

    steps()
    step, alone = [], []
    for _ in range(rounds):
        step.append(cpu_seconds(steps) / STEPS)
        alone.append(cpu_seconds(losses) / LOSS_STEPS)
    return {
        "percent": round(100 * statistics.median(a / b for a, b in zip(alone, step, strict=True)), 2),
        "loss_milliseconds": round(1000 * statistics.median(alone), 4),
        "step_milliseconds": round(1000 * statistics.median(step), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="mnist-full", choices=sorted(RECIPES))
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--logits", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    prepare()
    result = {
        "command": (
            f"python benchmarks/losses.py --recipe {given.recipe} --rounds {given.rounds} --logits {given.logits}"
        ),
        "against_binary_cross_entropy": ratios(given.logits, given.rounds),
        "of_a_step": {"recipe": given.recipe, **share(given.recipe, max(3, given.rounds // 8))},
        "environment": environment(),
    }
    print(json.dumps(result, indent=1))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
