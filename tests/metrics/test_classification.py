from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from ganetics._check import InputError
from ganetics.metrics.classification import balanced_accuracy, balanced_difference, weighted_balanced_accuracy
from ganetics.metrics.detection import Resamples

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 300)
TOLD = np.where(RNG.random(300) < 0.6, LABELS, RNG.integers(0, 4, 300))


def resamples(groups: int, seed: int = 0) -> Resamples:
    return Resamples([str(i % groups) for i in range(300)], generator=np.random.default_rng(seed), resamples=400)


def test_it_is_that_of_scikit_learn_also_of_weighted_images() -> None:
    assert balanced_accuracy(LABELS, TOLD).value == pytest.approx(balanced_accuracy_score(LABELS, TOLD))
    weights = RNG.integers(0, 3, (5, 300)).astype(np.float64)
    found = weighted_balanced_accuracy(LABELS, TOLD)(weights)
    expected = [balanced_accuracy_score(LABELS, TOLD, sample_weight=row) for row in weights]
    assert found == pytest.approx(expected)


def test_the_interval_holds_the_value_and_is_that_of_drawn_groups() -> None:
    found = balanced_accuracy(LABELS, TOLD, resamples=resamples(300))
    assert found.low is not None
    assert found.high is not None
    assert found.value is not None
    assert found.low < found.value < found.high
    assert found.high - found.low < 0.2
    assert balanced_accuracy(LABELS, TOLD, resamples=resamples(1)).low is None


def test_draws_without_a_class_are_left_out() -> None:
    labels, told = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    drawn = Resamples(list("abcd"), generator=np.random.default_rng(0), resamples=300)
    found = balanced_accuracy(labels, told, resamples=drawn)
    assert found.low is not None
    assert 0.5 <= found.low <= found.high <= 1.0  # type: ignore[operator]


def test_differences_are_paired() -> None:
    worse = np.where(np.arange(300) % 5 == 0, (LABELS + 1) % 4, TOLD)
    found = balanced_difference(LABELS, TOLD, worse, resamples=resamples(300))
    assert found.value == pytest.approx(balanced_accuracy_score(LABELS, TOLD) - balanced_accuracy_score(LABELS, worse))
    assert found.low is not None
    assert found.low > 0
    same = balanced_difference(LABELS, TOLD, TOLD, resamples=resamples(300))
    assert (same.value, same.low, same.high) == (0, 0, 0)


@pytest.mark.parametrize(("labels", "told"), [([0, 1], [0]), ([], []), ([[0]], [[0]])])
def test_what_is_not_a_list_of_labels_is_refused(labels: object, told: object) -> None:
    with pytest.raises(InputError, match=r"^labels must have one shape \[n\], got "):
        balanced_accuracy(labels, told)  # type: ignore[arg-type]
