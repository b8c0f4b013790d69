"""The kernel distance between two sets of features (KID; Bińkowski et al. 2018, arXiv 1801.01401)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ganetics import _check
from ganetics._check import InputError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class KernelDistance:
    """Mean and standard deviation over subsets, and the size of the subsets."""

    mean: float
    std: float
    subset_size: int


def kernel_distance(
    real: npt.ArrayLike,
    fake: npt.ArrayLike,
    *,
    generator: np.random.Generator,
    subsets: int = 100,
    subset_size: int = 1000,
) -> KernelDistance:
    """Return the unbiased squared maximum mean discrepancy under the kernel (x·y/d + 1)³, mean over random subsets.

    Unbiased at any n, so it can come out a little below 0 for equal distributions.

    Args:
        real: features ``[n, d]``.
        fake: features ``[m, d]``.
        generator: draws the subsets, without replacement.
        subsets: how many.
        subset_size: of each; at most n and m, and made smaller to fit.

    Raises:
        InputError: another shape, different d, not finite, or ``subsets`` below 1.
    """
    x, y = _check.features("real features", real), _check.features("fake features", fake)
    if x.shape[1] != y.shape[1]:
        raise InputError(f"real and fake features must have one dimension, got {x.shape[1]} and {y.shape[1]}")
    _check.number("subsets", subsets, low=1)
    size = min(subset_size, len(x), len(y))
    _check.number("subset size", size, low=2)
    values = [
        _squared_discrepancy(
            x[generator.choice(len(x), size, replace=False)], y[generator.choice(len(y), size, replace=False)]
        )
        for _ in range(subsets)
    ]
    return KernelDistance(float(np.mean(values)), float(np.std(values)), size)


def _squared_discrepancy(x: Array, y: Array) -> float:
    n = len(x)
    within_x, within_y, between = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    # without the diagonals: a sample's similarity to itself is what biases the estimate
    within = within_x.sum() - np.trace(within_x) + within_y.sum() - np.trace(within_y)
    return float(within / (n * (n - 1)) - 2.0 * between.mean())


def _kernel(x: Array, y: Array) -> Array:
    inner: Array = x @ y.T / x.shape[1] + 1.0
    return inner * inner * inner
