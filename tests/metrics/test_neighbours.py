from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ganetics._check import InputError
from ganetics.data import load
from ganetics.metrics import CopyRate, NeighbourhoodScores, copy_rate, neighbourhood_scores
from ganetics.metrics import neighbours as module


def normal(n: int, d: int, seed: int, *, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (n, d))


def test_equal_distributions_score_high_and_distant_ones_nothing() -> None:
    x = normal(1000, 5, 0)
    same = neighbourhood_scores(x, normal(1000, 5, 1))
    assert min(same.precision, same.recall, same.coverage) > 0.85
    assert same.density == pytest.approx(1, abs=0.1)
    assert neighbourhood_scores(x, normal(1000, 5, 1, shift=50)) == NeighbourhoodScores(0, 0, 0, 0)


def test_each_score_sees_its_own_fault() -> None:
    x = normal(1000, 5, 0)
    good = neighbourhood_scores(x, normal(1000, 5, 1))
    narrow = neighbourhood_scores(x, normal(1000, 5, 1, scale=0.3))  # all plausible, most of the variety missing
    assert narrow.precision > 0.99
    assert narrow.density > 1.1
    assert narrow.recall < 0.3
    assert narrow.coverage < 0.6 * good.coverage
    wide = neighbourhood_scores(x, normal(1000, 5, 1, scale=3))  # all there, most of it implausible
    assert wide.precision < 0.4
    assert wide.recall > 0.9


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = (np.rint(normal(101, 3, seed, scale=4)) for seed in (0, 1))  # whole numbers: no rounding anywhere
    whole = neighbourhood_scores(x, y, k=3), copy_rate(x, y[:50], y[50:])
    monkeypatch.setattr(module, "BLOCK", 7)
    assert (neighbourhood_scores(x, y, k=3), copy_rate(x, y[:50], y[50:])) == whole


def test_replayed_training_images_are_copies_and_held_out_ones_are_not() -> None:
    """On the pixels of real digits: above 0.9 and below 0.1."""
    parts = {s: load("digits", split=s).images.flatten(1).numpy() for s in ("train", "validation", "test")}
    rng = np.random.default_rng(0)
    replayed = copy_rate(parts["train"], parts["validation"], parts["train"][rng.permutation(1197)[:300]])
    assert replayed.rate > 0.9
    noisy = parts["train"][:300] + rng.normal(0, 1, (300, 64))  # copied, and one gray level of noise
    assert copy_rate(parts["train"], parts["validation"], noisy).rate > 0.9
    honest = copy_rate(parts["train"], parts["validation"], parts["test"])
    assert honest.rate < 0.1
    assert honest.count == 300
    assert honest.threshold == replayed.threshold > 0


def test_the_threshold_is_the_nearest_held_out_sample() -> None:
    train = np.array([[0.0, 0.0], [10.0, 0.0]])
    held_out = np.array([[0.0, 2.0], [10.0, 5.0]])
    fake = np.array([[0.0, 1.0], [10.0, -1.999], [10.0, 2.0], [5.0, 0.0]])
    found = copy_rate(train, held_out, fake)
    assert (found.threshold, found.rate, found.count) == (2.0, 0.5, 4)


def test_held_out_samples_that_are_training_samples_change_nothing_but_their_number() -> None:
    train, held_out = normal(50, 4, 0), normal(20, 4, 1)
    fake = np.concatenate([train[10:20] + 1e-6, normal(10, 4, 2, shift=9)])
    honest = copy_rate(train, held_out, fake)
    rounded = train[:3] * (1 + 1e-7)  # as another batch size rounds features
    mixed = copy_rate(train, np.concatenate([train[3:5], held_out, rounded]), fake)
    assert honest == CopyRate(rate=0.5, threshold=honest.threshold, count=20, held_out_in_train=0)
    assert mixed == replace(honest, held_out_in_train=5)
    with pytest.raises(InputError, match=r"^held-out samples must be others .*, got all 3 among them$"):
        copy_rate(train, rounded, fake)


def test_small_distances_far_from_the_origin_are_exact() -> None:
    train = normal(50, 4, 0, shift=1000)  # the fast form of a distance loses its digits here
    held_out = train[:1] + 0.1
    found = copy_rate(train, held_out, np.concatenate([train[:5] + 0.05, train[5:10] - 0.11]))
    assert found.threshold == pytest.approx(0.2)
    assert found.rate == 0.5


@pytest.mark.parametrize(
    ("real", "fake", "k", "message"),
    [
        (normal(9, 2, 0), normal(9, 3, 0), 2, "features must have one dimension, got 2 and 3"),
        (normal(5, 2, 0), normal(9, 2, 0), 5, "real features must have at least 6 rows, got 5"),
        (normal(9, 2, 0), normal(2, 2, 0), 2, "fake features must have at least 3 rows, got 2"),
        (normal(9, 2, 0), normal(9, 2, 0), 0, "k must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(real: np.ndarray, fake: np.ndarray, k: int, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        neighbourhood_scores(real, fake, k=k)


def test_copies_need_features_of_one_dimension() -> None:
    with pytest.raises(InputError, match=r"^features must have one dimension, got 2 and 3$"):
        copy_rate(normal(5, 2, 0), normal(5, 2, 0), normal(5, 3, 0))
    with pytest.raises(InputError, match=r"^held-out features must have at least 1 rows, got 0$"):
        copy_rate(normal(5, 2, 0), np.zeros((0, 2)), normal(5, 2, 0))
