"""The Fréchet distance against two other ways to the trace of the matrix root; tolerance 1e-6, relative."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import linalg

from ganetics.metrics import frechet_distance, gaussian

Array = npt.NDArray[np.float64]
TOLERANCE = 1e-6


def features(n: int, d: int, seed: int, *, rank: int | None = None) -> Array:
    """Correlated features with spectra as wide as a network's; of lower rank if asked."""
    rng = np.random.default_rng(seed)
    inner = rank or d
    scales = np.logspace(0, -2, inner)
    return (rng.normal(size=(n, inner)) * scales) @ rng.normal(size=(inner, d)) + rng.normal(size=d)


CASES = {
    "n > d": (features(400, 24, 0), features(300, 24, 1)),
    "n < d": (features(20, 64, 0), features(30, 64, 1)),
    "n < d and n > d": (features(20, 64, 0), features(300, 64, 1)),
    "low rank": (features(300, 40, 0, rank=10), features(300, 40, 1, rank=15)),
    "low rank against full": (features(300, 40, 0, rank=10), features(300, 40, 1)),
    "constant feature": (features(300, 10, 0) * np.r_[np.ones(9), 0], features(300, 10, 1) * np.r_[0, np.ones(9)]),
    "small difference": (features(400, 24, 0), features(400, 24, 0) + 1e-2 * features(400, 24, 1)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:Matrix is singular")
def test_scipys_matrix_root(case: str) -> None:
    x, y = CASES[case]
    one, two = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    trace = np.trace(linalg.sqrtm(one @ two)).real
    expected = np.square(x.mean(axis=0) - y.mean(axis=0)).sum() + np.trace(one) + np.trace(two) - 2 * trace
    for found in (frechet_distance(x, y), frechet_distance(gaussian(x), gaussian(y))):
        assert found == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_torchmetrics_formula(case: str) -> None:
    fid = pytest.importorskip("torchmetrics.image.fid")
    x, y = CASES[case]
    statistics = [torch.from_numpy(array) for f in (x, y) for array in (f.mean(axis=0), np.cov(f, rowvar=False))]
    expected = float(fid._compute_fid(*statistics))
    for found in (frechet_distance(x, y), frechet_distance(gaussian(x), gaussian(y))):
        assert found == pytest.approx(expected, rel=TOLERANCE)
