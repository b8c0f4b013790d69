from __future__ import annotations

from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import pytest

from ganetics.benchmark.collapse import COVERAGE, collapsed
from ganetics.metrics import neighbourhood_scores

Array = npt.NDArray[np.float64]
N, MODES = 600, 10


def modes(count: int, *, seed: int) -> Array:
    """Samples of the first so many of ten clusters."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(0, 10, (MODES, 8))
    return centres[random.integers(0, count, N)] + random.normal(size=(N, 8))


def repeated(count: int) -> Array:
    some = modes(MODES, seed=1)[np.arange(N) % count]
    return some + np.random.default_rng(2).normal(0, 1e-3, some.shape)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (modes(MODES, seed=1), False),
        (modes(MODES // 2, seed=1), False),
        (modes(1, seed=1), False),  # a tenth of the data, made well: low coverage, no collapse
        (repeated(1), True),
        (repeated(4), True),
        (np.random.default_rng(1).normal(0, 100, (N, 8)), True),
    ],
    ids=["all modes", "half the modes", "one mode", "one image", "four images", "noise"],
)
def test_of_images_known_to_be_good_or_bad(made: Array, expected: bool, scale: float) -> None:
    scores = neighbourhood_scores(scale * modes(MODES, seed=3), scale * made)
    assert collapsed(asdict(scores)) is expected


def test_a_failed_run_has_collapsed_and_the_limit_has_not() -> None:
    assert collapsed(None)
    assert not collapsed({"coverage": COVERAGE})
    assert collapsed({"coverage": np.nextafter(COVERAGE, 0)})
