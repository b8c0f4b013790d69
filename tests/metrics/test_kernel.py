from __future__ import annotations

import numpy as np
import pytest

from ganetics._check import InputError
from ganetics._random import numpy_generator
from ganetics.metrics import KernelDistance, kernel_distance


def normal(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (n, d))


def distance(x: np.ndarray, y: np.ndarray, seed: int = 0, **options: int) -> KernelDistance:
    return kernel_distance(x, y, generator=numpy_generator(seed, "kernel distance"), **options)


def test_it_depends_on_the_generator_alone() -> None:
    x, y = normal(60, 4, 0), normal(50, 4, 1, 0.5)
    first = distance(x, y, subset_size=20)
    assert first == distance(x, y, subset_size=20)
    assert first != distance(x, y, seed=1, subset_size=20)
    assert first.std > 0


def test_the_subsets_are_made_to_fit() -> None:
    x, y = normal(60, 4, 0), normal(50, 4, 1, 0.5)
    assert distance(x, y).subset_size == 50
    assert distance(x, y, subset_size=7).subset_size == 7
    whole = distance(y, y, subsets=3)
    assert whole.std <= 1e-12  # every subset is the whole set


def test_it_is_unbiased_at_any_size() -> None:
    """The mean over many pairs of sets from one distribution is 0, within four standard errors; a biased one is not."""
    values = [distance(normal(8, 3, 2 * i), normal(8, 3, 2 * i + 1), subsets=1).mean for i in range(1000)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error
    assert min(values) < 0
    bias = 2 / 8 * (np.mean([((x @ x) / 3 + 1) ** 3 for x in normal(5000, 3, 0)]) - 1)  # what the diagonals would add
    assert bias > 20 * error


def test_it_grows_with_the_difference() -> None:
    x = normal(200, 4, 0)
    near, middle, far = (distance(x, normal(200, 4, 1, shift)).mean for shift in (0.0, 0.5, 1.0))
    assert abs(near) < 0.1 * middle < 0.1 * far


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (normal(5, 2, 0), normal(5, 3, 0), {}, "real and fake features must have one dimension, got 2 and 3"),
        (normal(5, 2, 0), normal(1, 2, 0), {}, "fake features must have at least 2 rows, got 1"),
        (normal(5, 2, 0), normal(5, 2, 0), {"subsets": 0}, "subsets must be at least 1, got 0"),
        (normal(5, 2, 0), normal(5, 2, 0), {"subset_size": 1}, "subset size must be at least 2, got 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    x: np.ndarray, y: np.ndarray, options: dict[str, int], message: str
) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        distance(x, y, **options)
