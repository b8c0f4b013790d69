from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ganetics._check import InputError
from ganetics.metrics import Gaussian, frechet_distance, gaussian

Array = npt.NDArray[np.float64]
SHAPES = [(300, 200, 12), (30, 20, 50), (30, 200, 50), (50, 50, 50)]
"""Samples of each kind and dimensions: more samples than dimensions, fewer, both, as many."""


def features(n: int, d: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d) * 3


@pytest.mark.parametrize(("n", "m", "d"), SHAPES)
def test_it_is_symmetric_and_zero_for_equal_sets(n: int, m: int, d: int) -> None:
    x, y = features(n, d, 0), features(m, d, 1)
    scale = np.trace(gaussian(x).covariance)
    distance = frechet_distance(x, y)
    assert distance > 0.1 * scale
    assert frechet_distance(y, x) == pytest.approx(distance, rel=1e-7)
    for same in (x, y, gaussian(x), gaussian(y)):
        assert 0 <= frechet_distance(same, same) <= 1e-7 * scale
    assert frechet_distance(x, x[::-1]) <= 1e-7 * scale


@pytest.mark.parametrize(("n", "m", "d"), SHAPES)
def test_features_and_their_statistics_give_one_distance(n: int, m: int, d: int) -> None:
    """Both routes: through the samples' inner products where they are fewer than dimensions, and the covariances."""
    x, y = features(n, d, 0), features(m, d, 1)
    ways = [frechet_distance(a, b) for a in (x, gaussian(x)) for b in (y, gaussian(y))]
    assert ways == pytest.approx([ways[0]] * 4, rel=1e-6)


@pytest.mark.parametrize("d", [1, 7])
def test_independent_normals_have_the_closed_form(d: int) -> None:
    rng = np.random.default_rng(0)
    means, deviations = rng.normal(size=(2, d)), rng.uniform(0.1, 3, (2, d))
    one, two = (Gaussian(m, np.diag(s**2), 100) for m, s in zip(means, deviations, strict=True))
    expected = np.square(means[0] - means[1]).sum() + np.square(deviations[0] - deviations[1]).sum()
    assert frechet_distance(one, two) == pytest.approx(expected, rel=1e-12)


def test_a_shift_adds_its_square_and_a_rotation_nothing() -> None:
    x, y = features(60, 8, 0), features(70, 8, 1)
    shift = np.arange(8.0)
    assert frechet_distance(x, x + shift) == pytest.approx(shift @ shift, rel=1e-9)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    assert frechet_distance(x @ turn, y @ turn) == pytest.approx(frechet_distance(x, y), rel=1e-9)
    assert frechet_distance(5 * x, 5 * y) == pytest.approx(25 * frechet_distance(x, y), rel=1e-9)


def test_statistics_are_the_unbiased_ones() -> None:
    x = features(40, 5, 0)
    found = gaussian(x)
    np.testing.assert_allclose(found.covariance, np.cov(x, rowvar=False), rtol=1e-12)
    np.testing.assert_allclose(found.mean, x.mean(axis=0), rtol=1e-12)
    assert found.count == 40


def test_features_that_never_change_do_no_harm() -> None:
    constant = np.tile([1.0, 2.0, 3.0], (10, 1))
    assert frechet_distance(constant, constant) == 0
    assert frechet_distance(constant, constant + np.array([3, 0, 4])) == pytest.approx(25)
    x = features(40, 3, 0)
    expected = np.square(x.mean(axis=0) - [1, 2, 3]).sum() + np.trace(np.cov(x, rowvar=False))
    assert frechet_distance(x, constant) == pytest.approx(expected, rel=1e-12)


def test_single_precision_features_are_taken_in_double() -> None:
    x, y = features(40, 5, 0).astype(np.float32), features(40, 5, 1).astype(np.float32)
    assert frechet_distance(x, y) == frechet_distance(x.astype(np.float64), y.astype(np.float64))


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 4)), "real and fake features must have one dimension, got 2 and 4"),
        (gaussian(features(9, 2, 0)), features(9, 3, 0), "real and fake features must have one dimension, got 2 and 3"),
        (np.zeros((1, 2)), np.zeros((3, 2)), "real features must have at least 2 rows, got 1"),
        (np.zeros((3, 2)), np.full((3, 2), np.nan), "fake features must be finite, got 6 of 6 values that are not"),
    ],
)
def test_what_cannot_be_compared_is_refused(real: Array, fake: Array, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        frechet_distance(real, fake)
