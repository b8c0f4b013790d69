"""What it saves that freed memory stays with the process (``ganetics.execution.process.keep_memory``).

    python benchmarks/allocator.py [--rounds 3] [--out FILE]

Processes that keep it and processes that do not, turn and turn about, each with one thread: CPU time of EfficientNet's
features and of training at 32 and 64 pixels, as medians of the ratio over the rounds, and the largest memory. Features
and weights must be equal to the last bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from ganetics._random import torch_generator
from ganetics.execution.process import environment, keep_memory, peak_mib, prepared
from ganetics.features import load_extractor
from ganetics.losses import GANetic
from ganetics.training import RECIPES, start, train

IMAGES = 640
STEPS = {"cifar10": 100, "images-64": 30}
"""Recipe → updates."""


def measure(*, keep: bool) -> dict[str, Any]:
    """Return milliseconds of CPU time an image or a step, the peak in MiB, and a digest of what came out."""
    if keep and not keep_memory():
        raise SystemExit("this is not glibc: nothing to compare")
    digest, found = hashlib.sha256(), dict[str, Any]()
    with prepared():
        extractor = load_extractor("efficientnet-lite0")
        for name, steps in STEPS.items():
            recipe = RECIPES[name]
            shape = (IMAGES, 3, recipe.image_size, recipe.image_size)
            images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch_generator(0, "images"))
            state = train(start(recipe, 0), GANetic(), images, until=5)
            begun = time.process_time()
            train(state, GANetic(), images, until=5 + steps)
            found[f"step of {name}"] = 1e3 * (time.process_time() - begun) / steps
            for weight in state.gan.generator.state_dict().values():
                digest.update(weight.contiguous().numpy().tobytes())
        extractor(images[:64])
        begun = time.process_time()
        digest.update(extractor(images).tobytes())
        found["features of an image"] = 1e3 * (time.process_time() - begun) / IMAGES
    return {**found, "peak_mib": peak_mib(), "digest": digest.hexdigest()[:16]}


def main() -> None:
    """Measure in turn, print and write the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", choices=["kept", "given back"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(keep=given.measure == "kept")))
        return
    both = []
    for _ in range(given.rounds):
        pair = []
        for how in ("kept", "given back"):
            done = subprocess.run([sys.executable, __file__, "--measure", how], check=True, stdout=subprocess.PIPE)
            pair.append(json.loads(done.stdout))
        both.append(pair)
    if len({one["digest"] for pair in both for one in pair}) > 1:
        raise SystemExit("features or weights differ")
    names = [name for name in both[0][0] if name != "digest"]
    ratios = {name: statistics.median(kept[name] / back[name] for kept, back in both) for name in names}
    found = {"ratio kept / given back": ratios, "rounds": both, "environment": environment()}
    print(json.dumps(ratios, indent=1))
    if given.out:
        given.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
