"""What the training loop costs over a bare PyTorch loop of the same networks.

    python benchmarks/loop.py [--recipe mnist] [--rounds 12] [--steps 100] [--out FILE]

Both train the recipe's networks under GANetic on random images, turn and turn about, in one process with one thread;
the figure is the median over the rounds of the ratio of CPU times, with the smallest and the largest beside it.
Goal: at most 1.03.
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
from ganetics.models import build_gan
from ganetics.records import Recipe
from ganetics.training import RECIPES, start, train

IMAGES = 5000


def ganetic(logits: Tensor, y: float) -> Tensor:
    if y == 0:
        return logits.sigmoid().pow(3).mean()
    p = F.threshold(logits, -16.118, -16.118).sigmoid()
    return p.pow(3).add(p.rsqrt(), alpha=1.99625).mean()


def bare_loop(recipe: Recipe, images: Tensor) -> Callable[[int], None]:
    """The loop as one would write it for this one case: nothing checked, named, recorded or resumable."""
    gan = build_gan(recipe, generator=torch_generator(0, "weights"))
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    generator, discriminator = gan.generator.to(memory_format=layout), gan.discriminator.to(memory_format=layout)  # type: ignore[call-overload]
    betas = (recipe.beta1, recipe.beta2)
    g_optimizer, d_optimizer = (
        torch.optim.Adam(net.parameters(), lr=recipe.learning_rate, betas=betas, fused=True)
        for net in (generator, discriminator)
    )
    random = torch_generator(0, "bare loop")

    def run(steps: int) -> None:
        n, latent = recipe.batch_size, recipe.latent_dim
        for _ in range(steps):
            batch = images[torch.randint(len(images), (n,), generator=random)]
            real = batch.float().div_(127.5).sub_(1.0).contiguous(memory_format=layout)
            with torch.no_grad():
                fake = generator(torch.randn(n, latent, generator=random))
            d_loss = ganetic(discriminator(real), 1.0) + ganetic(discriminator(fake), 0.0)
            d_optimizer.zero_grad()
            d_loss.backward()  # type: ignore[no-untyped-call]
            d_optimizer.step()
            g_loss = ganetic(discriminator(generator(torch.randn(n, latent, generator=random))), 1.0)
            g_optimizer.zero_grad()
            g_loss.backward(inputs=list(generator.parameters()))  # type: ignore[no-untyped-call]
            g_optimizer.step()

    return run


def our_loop(recipe: Recipe, images: Tensor) -> Callable[[int], None]:
    state, loss = start(recipe, 0), GANetic()

    def run(steps: int) -> None:
        train(state, loss, images, until=state.step + steps)

    return run


def cpu_seconds(run: Callable[[int], None], steps: int) -> float:
    begin = time.process_time()
    run(steps)
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="mnist", choices=sorted(RECIPES))
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    prepare()
    recipe = RECIPES[given.recipe]
    shape = (IMAGES, recipe.channels, recipe.image_size, recipe.image_size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch_generator(0, "images"))
    ours, bare = our_loop(recipe, images), bare_loop(recipe, images)
    cpu_seconds(ours, 20), cpu_seconds(bare, 20)
    ratios, per_step = [], {"ours": 0.0, "bare": 0.0}
    for index in range(given.rounds):
        order = (("ours", ours), ("bare", bare)) if index % 2 == 0 else (("bare", bare), ("ours", ours))
        seconds = {name: cpu_seconds(run, given.steps) for name, run in order}
        ratios.append(seconds["ours"] / seconds["bare"])
        per_step = {name: per_step[name] + 1000 * value / given.steps / given.rounds for name, value in seconds.items()}
    result = {
        "command": f"python benchmarks/loop.py --recipe {recipe.name} --rounds {given.rounds} --steps {given.steps}",
        "ratio": round(statistics.median(ratios), 4),
        "ratio_range": [round(min(ratios), 4), round(max(ratios), 4)],
        "milliseconds_a_step": {name: round(value, 3) for name, value in per_step.items()},
        "environment": environment(),
    }
    print(json.dumps(result, indent=1))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
