"""The kernel distance against the unbiased estimator written as its paper has it; tolerance 1e-12, absolute."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ganetics.metrics import kernel_distance

Array = npt.NDArray[np.float64]


def squared_mmd(x: Array, y: Array) -> float:
    """Equation 4 of Bińkowski et al. 2018 (arXiv 1801.01401) with the cubic kernel of its section 3."""

    def kernel(a: Array, b: Array) -> float:
        return float((sum(i * j for i, j in zip(a, b, strict=True)) / len(a) + 1) ** 3)

    m, n = len(x), len(y)
    within_x = sum(kernel(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    within_y = sum(kernel(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    between = sum(kernel(a, b) for a in x for b in y) / (m * n)
    return within_x + within_y - 2 * between


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_estimator_of_one_subset(shift: float) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(23, 4)), rng.normal(shift, 1, size=(23, 4))
    found = kernel_distance(x, y, generator=np.random.default_rng(0), subsets=1)
    assert found.mean == pytest.approx(squared_mmd(x, y), abs=1e-12)
    assert found.std == 0


def test_the_mean_and_the_deviation_over_subsets() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3)), rng.normal(0.5, 1, size=(20, 3))
    draws = np.random.default_rng(5)
    expected = []
    for _ in range(4):
        rows, others = (draws.choice(n, 9, replace=False) for n in (30, 20))
        assert len(set(rows)) == 9
        expected.append(squared_mmd(x[rows], y[others]))
    found = kernel_distance(x, y, generator=np.random.default_rng(5), subsets=4, subset_size=9)
    assert found.mean == pytest.approx(np.mean(expected), abs=1e-12)
    assert found.std == pytest.approx(np.std(expected), abs=1e-12)
