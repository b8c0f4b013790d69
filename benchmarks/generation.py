"""Speed and memory of training on somebody's images: is the network kept waiting, and how much memory does it take?

    python benchmarks/generation.py [--recipe images-64] [--n 5000] [--rounds 10] [--steps 50] [--out FILE] [--quick]

Three figures, each with its goal; one thread in every process:

- ``training``: throughput of the training loop on a folder of PNG files (decoded once, read from the cache as a user's
  are) over that of the same steps on one batch of random tensors, ready in memory: no order, no reading, no scaling.
  Turn and turn about; median of the rounds' ratios. Goal: at least 0.95.
- ``features``: seconds for the features of n images over those of the bare network on batches that are resized and
  scaled already. Turn and turn about; median of the rounds. Goal: at most 1.10. Then, in fresh processes, how much more
  memory n images take than a tenth of them, less what the images and the features themselves are.
- ``memory``: largest resident memory of a whole ``ganetics train`` on that folder, score at the end included, in a
  process of its own. Goal: below 2,048 MiB.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganetics._random import numpy_generator, torch_generator
from ganetics.data import ImageSet, load
from ganetics.execution.process import ONE_THREAD, environment, peak_mib, prepare
from ganetics.features import load_extractor
from ganetics.features.efficientnet import BATCH_SIZE, EfficientNetExtractor
from ganetics.losses import GANetic
from ganetics.records import Recipe
from ganetics.training import RECIPES, start, train
from ganetics.training.steps import discriminator_step, generator_step

GOALS = {"training": 0.95, "features": 1.10, "memory": 2048.0}
Figures = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    images: int
    rounds: int
    steps: int
    """Of training, in a round."""
    train_steps: int
    """Of the run whose memory is looked at, which does not depend on them."""


QUICK = Size(images=60, rounds=2, steps=2, train_steps=2)


def write_images(folder: Path, count: int, side: int) -> None:
    """Write PNG files of smooth random images: what decodes as photographs do."""
    folder.mkdir()
    for number in range(count):
        coarse = numpy_generator(0, "image", number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{number:05d}.png")


def read(folder: Path, recipe: Recipe) -> ImageSet:
    return load(str(folder), split="all", image_size=recipe.image_size, channels=recipe.channels)


def seconds_of(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def in_turns(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each work in each round; every second round in the other order."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for index in range(rounds):
        for name in list(works) if index % 2 == 0 else reversed(list(works)):
            times[name].append(seconds_of(works[name]))
    return times


def summarised(ratios: list[float], goal: str) -> Figures:
    return {
        "ratio": round(statistics.median(ratios), 4),
        "ratio_range": [round(min(ratios), 4), round(max(ratios), 4)],
        "goal": GOALS[goal],
    }


def training(images: ImageSet, recipe: Recipe, size: Size) -> Figures:
    """Compare the throughput of training on images with that on a batch that is there already."""
    loss, state, other = GANetic(), start(recipe, 0), start(recipe, 0)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    shape = (recipe.discriminator_batch or recipe.batch_size, recipe.channels, recipe.image_size, recipe.image_size)
    real = (
        torch.rand(shape, generator=torch_generator(0, "images")).mul_(2.0).sub_(1.0).contiguous(memory_format=layout)
    )

    def on_random(steps: int) -> None:
        for net in other.networks().values():
            net.train()
        for _ in range(steps):
            for _ in range(recipe.discriminator_steps):
                discriminator_step(other, loss, real)
            generator_step(other, loss, real)
            other.step += 1

    def on_images(steps: int) -> None:
        train(state, loss, images.images, until=state.step + steps)

    for warm in (on_images, on_random):
        warm(1)
    works = {"images": lambda: on_images(size.steps), "random": lambda: on_random(size.steps)}
    times = in_turns(works, size.rounds)
    ratios = [random / ours for ours, random in zip(times["images"], times["random"], strict=True)]
    each = {name: round(1000 * statistics.median(values) / size.steps, 3) for name, values in times.items()}
    return {**summarised(ratios, "training"), "milliseconds_a_step": each, "steps_a_round": size.steps}


def bare_network(extractor: EfficientNetExtractor, image: Tensor) -> Callable[[int], None]:
    """Return what runs the extractor's network over n images that are resized and scaled already."""
    network, ready = extractor._network, extractor._scaled(image.expand(BATCH_SIZE, -1, -1, -1))

    def run(count: int) -> None:
        with torch.inference_mode():
            for begin in range(0, count, BATCH_SIZE):
                maps: Tensor = network.extract_features(ready[: min(BATCH_SIZE, count - begin)])  # type: ignore[operator]
                maps.mean(dim=(2, 3)).numpy()

    return run


def features(images: Tensor, size: Size) -> Figures:
    """Compare the time of features with that of the bare network, n images in all."""
    extractor = load_extractor("efficientnet-lite0")
    if not isinstance(extractor, EfficientNetExtractor):
        raise SystemExit("efficientnet-lite0 is another class")
    part = len(images) // size.rounds
    bare = bare_network(extractor, images[:1])
    extractor(images[: min(part, BATCH_SIZE)]), bare(min(part, BATCH_SIZE))
    chosen = iter(torch.split(images, part))
    times = in_turns({"features": lambda: extractor(next(chosen)), "bare": lambda: bare(part)}, size.rounds)
    ratios = [ours / bare for ours, bare in zip(times["features"], times["bare"], strict=True)]
    rates = {name: round(part * size.rounds / sum(values), 1) for name, values in times.items()}
    return {**summarised(ratios, "features"), "images": part * size.rounds, "images_per_second": rates}


def memory_of_features(count: int, side: int) -> Figures:
    """Return what this process takes at most for the features of so many images; to be called in a fresh one."""
    prepare()
    images = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=torch_generator(0, "images"))
    found = load_extractor("efficientnet-lite0")(images)
    own = (images.nbytes + found.nbytes) / 2**20
    return {"images": count, "peak_mib": round(peak_mib(), 1), "images_and_features_mib": round(own, 1)}


def in_child(program: str, folder: Path, *arguments: object) -> Figures:
    """Return the JSON that the last line of a fresh Python process says."""
    places = {"GANETICS_CACHE": str(folder / "cache"), "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(
        command, env={**os.environ, **ONE_THREAD, **places}, stdout=subprocess.PIPE, text=True, check=True
    )
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found


FEATURES = """
import json, sys
from generation import memory_of_features
print(json.dumps(memory_of_features(int(sys.argv[1]), int(sys.argv[2]))))
"""
TRAIN = """
import json, sys
from ganetics.cli.main import run
from ganetics.execution.process import peak_mib
status = run(sys.argv[1:])
print()
print(json.dumps({"status": status, "peak_mib": round(peak_mib(), 1)}))
"""


def memory(folder: Path, recipe: Recipe, size: Size) -> Figures:
    """Return the largest memory of features, and of a whole training run."""
    few, many = (in_child(FEATURES, folder, n, recipe.image_size) for n in (max(1, size.images // 10), size.images))
    more = [many[name] - few[name] for name in ("peak_mib", "images_and_features_mib")]
    given = ["--dataset", folder / "images", "--recipe", recipe.name, "--steps", size.train_steps]
    run = in_child(TRAIN, folder, "train", folder / "run", *given)
    if run["status"] != 0:
        raise SystemExit(f"ganetics train ended with status {run['status']}")
    return {
        "features": {"few": few, "many": many, "more_beyond_images_and_features_mib": round(more[0] - more[1], 1)},
        "training_run": {"peak_mib": run["peak_mib"], "goal_mib": GOALS["memory"], "steps": size.train_steps},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="images-64", choices=sorted(RECIPES))
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="tiny numbers: shows that it runs, measures nothing")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    prepare()
    size = QUICK if given.quick else Size(given.n, given.rounds, given.steps, train_steps=100)
    recipe = RECIPES[given.recipe]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "images", size.images, recipe.image_size)
        os.environ["GANETICS_CACHE"] = str(folder / "cache")
        decoding = seconds_of(lambda: read(folder / "images", recipe))
        images = read(folder / "images", recipe)
        figures = {
            "training": training(images, recipe, size),
            "features": features(images.images, size),
            "memory": memory(folder, recipe, size),
        }
    found = {
        "command": f"python benchmarks/generation.py --recipe {recipe.name} --n {size.images} --rounds {size.rounds} "
        f"--steps {size.steps}" + (" --quick" if given.quick else ""),
        "recipe": recipe.name,
        "images": size.images,
        "decoded_per_second": round(size.images / decoding, 1),
        **figures,
        "environment": environment(),
    }
    text = json.dumps(found, indent=1, sort_keys=True)
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
