"""The Fréchet distance between two sets of features (FID; Heusel et al. 2017, arXiv 1706.08500)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg

from ganetics import _check
from ganetics._check import InputError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Gaussian:
    """Mean ``[d]``, covariance ``[d, d]`` (divided by count − 1) and count of a set of features."""

    mean: Array
    covariance: Array
    count: int


def gaussian(features: npt.ArrayLike) -> Gaussian:
    """Return the statistics of features ``[n, d]``, n at least 2.

    Raises:
        InputError: another shape, or not finite.
    """
    values = _check.features("features", features)
    mean = values.mean(axis=0)
    centred = values - mean
    return Gaussian(mean, centred.T @ centred / (len(values) - 1), len(values))


def frechet_distance(real: npt.ArrayLike | Gaussian, fake: npt.ArrayLike | Gaussian) -> float:
    r"""Return :math:`|\mu_1 - \mu_2|^2 + \mathrm{tr}(C_1 + C_2 - 2 (C_1 C_2)^{1/2})`, 0 for equal statistics.

    The trace of the root is found without a matrix root: with :math:`C_1 = L L^T` it is the sum of the roots of the
    eigenvalues of the symmetric :math:`L^T C_2 L`. Features of fewer samples than dimensions take a cheaper, equally
    exact way, through the matrix of the inner products of their samples.

    It is biased upwards for few samples: compare distances of equal n only.

    Args:
        real: features ``[n, d]``, or their statistics.
        fake: features ``[m, d]``, or their statistics.

    Raises:
        InputError: another shape, different d, or not finite.

    >>> frechet_distance([[0.0], [2.0]], [[1.0], [3.0]])  # equal variances, means apart by 1
    1.0
    """
    if not isinstance(real, Gaussian) and not isinstance(fake, Gaussian):
        x, y = _check.features("real features", real), _check.features("fake features", fake)
        _same_dimension(x.shape[1], y.shape[1])
        if max(len(x), len(y)) <= x.shape[1]:
            return _from_few(x, y)
        real, fake = x, y
    one = real if isinstance(real, Gaussian) else gaussian(real)
    two = fake if isinstance(fake, Gaussian) else gaussian(fake)
    _same_dimension(len(one.mean), len(two.mean))
    spread = np.trace(one.covariance) + np.trace(two.covariance)
    return _total(one.mean - two.mean, float(spread), _trace_of_root(one.covariance, two.covariance))


def _from_few(x: Array, y: Array) -> float:
    """With C1 = X^T X and C2 = Y^T Y, tr (C1 C2)^(1/2) is the sum of the singular values of X Y^T."""
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    x = (x - mean_x) / np.sqrt(len(x) - 1)
    y = (y - mean_y) / np.sqrt(len(y) - 1)
    spread = float(np.square(x).sum() + np.square(y).sum())
    return _total(mean_x - mean_y, spread, float(linalg.svdvals(x @ y.T, check_finite=False).sum()))


def _trace_of_root(one: Array, two: Array) -> float:
    try:
        root = linalg.cholesky(one, lower=True, check_finite=False)
    except linalg.LinAlgError:  # singular: fewer samples than dimensions, or features that never change
        spectrum, vectors = linalg.eigh(one, check_finite=False)
        root = vectors * np.sqrt(np.clip(spectrum, 0.0, None))
    product = root.T @ two @ root
    values = linalg.eigvalsh((product + product.T) / 2, check_finite=False)
    return float(np.sqrt(np.clip(values, 0.0, None)).sum())


def _total(difference: Array, spread: float, trace_of_root: float) -> float:
    # rounding can bring equal statistics a hair below zero
    return max(0.0, float(difference @ difference) + spread - 2.0 * trace_of_root)


def _same_dimension(real: int, fake: int) -> None:
    if real != fake:
        raise InputError(f"real and fake features must have one dimension, got {real} and {fake}")
