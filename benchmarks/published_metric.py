"""What the published metric can see: real against real, blurred, noise and mean image, scaled once and twice.

    python benchmarks/published_metric.py --data-dir DIR [--n 64 5000] [--out results/published-metric]

Fréchet distances of Inception features between images of CIFAR-10's test split and others. "once" is the scaling that
the network was made for, "twice" that of the published example (:mod:`ganetics.features.reference_example`). A metric
of images puts other real ones far below the rest. (On a lossy copy the figures compare with others on that copy only.)
What is in the summary is not made again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ganetics._random import torch_generator
from ganetics.data import load
from ganetics.execution.process import environment, prepare
from ganetics.features.inception import SCALINGS, InceptionExtractor
from ganetics.metrics import frechet_distance
from ganetics.records import to_json, write_json


def compared(images: Tensor, n: int) -> Iterator[tuple[str, Tensor]]:
    """Yield name and images: the reference first, then what is compared with it."""
    first, others = images[:n], images[n : 2 * n]
    small = avg_pool2d(others.float(), 4)
    mean = first.float().mean(dim=0, keepdim=True).round().to(torch.uint8)
    yield "reference", first
    yield "other real images", others
    yield "other real images, blurred 4×", interpolate(small, scale_factor=4, mode="bilinear").round().to(torch.uint8)
    generator = torch_generator(0, "noise")
    yield "uniform noise", torch.randint(0, 256, first.shape, generator=generator, dtype=torch.uint8)
    yield "the mean image", mean.expand(n, -1, -1, -1)


def distances(images: Tensor, n: int, extractor: InceptionExtractor) -> dict[str, float]:
    # the mean image n times has the same features n times
    features = {
        name: extractor(some[:1]).repeat(n, axis=0) if name == "the mean image" else extractor(some)
        for name, some in compared(images, n)
    }
    reference = features.pop("reference")
    return {name: round(frechet_distance(reference, some), 4) for name, some in features.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("results/published-metric"))
    parser.add_argument("--n", type=int, nargs="+", default=[64, 5000])
    given = parser.parse_args()
    prepare()
    images = load("cifar10", split="test", data_dir=given.data_dir).images
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "summary.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_text())["distances"] if path.exists() else {}
    for scaling, n in product(SCALINGS, given.n):
        of_scaling = found.setdefault(f"scaled {scaling}", {})
        if f"n {n}" in of_scaling:
            continue
        of_scaling[f"n {n}"] = distances(images, n, InceptionExtractor(scaling=scaling))
        result = {
            "data": "CIFAR-10, test split (lossy copy, JPEG quality 75)",
            "command": f"python benchmarks/published_metric.py --data-dir DIR --n {' '.join(map(str, given.n))}",
            "environment": environment(),
            "distances": found,
        }
        write_json(path, result)
        print(to_json(result, indent=1))


if __name__ == "__main__":
    main()
