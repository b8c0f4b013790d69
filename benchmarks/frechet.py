"""The Fréchet distance beside the two usual ways to compute it, from the same features.

    python benchmarks/frechet.py [--d 2048] [--n 10000] [--repeats 3] [--out FILE]

Ours, torchmetrics' formula (eigenvalues of the product of the covariances) and scipy's ``sqrtm`` of it, each from two
feature matrices ``[n, d]`` to the number, turn and turn about in one process with one thread. Goals: 2.5 times faster
than torchmetrics, 6 times than sqrtm, equal to 1e-6 relative.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg
import torch

from ganetics._random import numpy_generator
from ganetics.execution.process import environment, prepare
from ganetics.metrics.frechet import frechet_distance

Array = npt.NDArray[Any]


def moments(features: Array) -> tuple[Array, Array]:
    return features.mean(axis=0), np.cov(features, rowvar=False)


def with_sqrtm(x: Array, y: Array) -> float:
    (mu_x, sigma_x), (mu_y, sigma_y) = moments(x), moments(y)
    root = scipy.linalg.sqrtm(sigma_x @ sigma_y)
    return float(np.square(mu_x - mu_y).sum() + np.trace(sigma_x + sigma_y - 2 * np.real(root)))


def with_torchmetrics(x: Array, y: Array) -> float:
    from torchmetrics.image.fid import _compute_fid

    (mu_x, sigma_x), (mu_y, sigma_y) = ((torch.from_numpy(part) for part in moments(side)) for side in (x, y))
    return float(_compute_fid(mu_x, sigma_x, mu_y, sigma_y))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--d", type=int, default=2048)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    prepare()
    random = numpy_generator(0, "features")
    mixing = random.standard_normal((given.d, given.d)) * np.geomspace(1, 1e-3, given.d) / np.sqrt(given.d)
    x, y = (random.standard_normal((given.n, given.d)) @ mixing + shift for shift in (0.0, 0.01))
    ways: dict[str, Callable[[Array, Array], float]] = {
        "ganetics": frechet_distance,
        "torchmetrics": with_torchmetrics,
        "sqrtm": with_sqrtm,
    }
    values: dict[str, float] = {}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.repeats):
        for name, way in ways.items():
            begin = time.process_time()
            values[name] = way(x, y)
            seconds[name].append(time.process_time() - begin)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    result = {
        "command": f"python benchmarks/frechet.py --d {given.d} --n {given.n} --repeats {given.repeats}",
        "cpu_seconds": {name: [round(t, 2) for t in times] for name, times in seconds.items()},
        "times_faster": {name: round(median[name] / median["ganetics"], 2) for name in ways if name != "ganetics"},
        "relative_difference": {name: abs(value / values["ganetics"] - 1) for name, value in values.items()},
        "environment": environment(),
    }
    print(json.dumps(result, indent=1))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
