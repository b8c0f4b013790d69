from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ganetics._check import InputError
from ganetics.metrics import copies as module
from ganetics.metrics import known, look, neighbours, proportion_interval


def normal(n: int, d: int, seed: int, *, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (n, d))


def test_copies_are_found_and_others_are_not() -> None:
    train = normal(500, 20, 0)
    memory = known([train])
    assert look([(memory, [train[:100] + 0.01])]).rate == 1.0
    assert look([(memory, [normal(2000, 20, 1)])]).rate < 0.05
    half = look([(memory, [np.concatenate([train[:50], normal(50, 20, 2, shift=9)])])])
    assert (half.count, half.rate) == (50, 0.5)
    assert half.row[:50].tolist() == list(range(50))
    assert half.duplicates.tolist() == [True] * 50 + [False] * 50


def test_what_one_view_does_not_see_another_does() -> None:
    one, other = normal(300, 8, 0), normal(300, 8, 1)
    views = known([one]), known([other])
    far, near = normal(20, 8, 2, shift=30), other[:20] + 0.001
    assert look([(views[0], [far]), (views[1], [far])]).rate == 0
    found = look([(views[0], [far]), (views[1], [near])])
    assert (found.rate, found.row.tolist()) == (1.0, list(range(20)))
    assert not found.duplicates.any()  # of all views


def test_what_is_near_to_all_is_a_copy_of_none() -> None:
    """The average of many images is nearer to each of them than they are to each other."""
    train = normal(400, 30, 0)
    averages = np.stack([train[np.random.default_rng(i).choice(400, 20)].mean(axis=0) for i in range(50)])
    memory = known([train])
    near = module.nearest([averages], memory.train, memory.groups)
    assert (near.distance < memory.distance).mean() > 0.9
    assert look([(memory, [averages])]).rate < 0.05


def test_images_of_one_patient_are_no_measure_of_strangers() -> None:
    """Two frames of one sequence are nearly one image: without groups their distance would be taken for usual."""
    train = normal(100, 10, 0).repeat(2, axis=0) + 1e-3 * normal(200, 10, 1)
    groups = [str(i // 2) for i in range(200)]
    alone, told = known([train]), known([train], groups=groups)
    assert told.distance > 50 * alone.distance
    changed = train[::2] + 0.02 * normal(100, 10, 3)
    assert look([(alone, [changed])]).rate < 0.1
    assert look([(told, [changed])]).rate == 1.0


@pytest.mark.parametrize("groups", [(), ["one"] * 50, ["one", "two"] * 25])
def test_without_groups_every_sample_is_a_stranger(groups: list[str]) -> None:
    train = normal(50, 4, 0)
    found, expected = known([train], groups=groups), known([train])
    assert (found.distance, found.ratio) == (expected.distance, expected.ratio)


def test_training_samples_that_are_there_twice_do_not_make_it_blind() -> None:
    train = normal(100, 6, 0)
    doubled, plain = known([np.concatenate([train, train[:60]])]), known([train])
    assert doubled.distance > 0.5 * plain.distance
    assert doubled.ratio > 0.5 * plain.ratio
    assert look([(doubled, [train])]).rate == 1.0
    with pytest.raises(InputError, match=r"^training samples must be at least 3 different ones, got 3 that are"):
        known([np.ones((3, 2))])


def test_turned_copies_are_found_if_versions_are_given() -> None:
    train = normal(300, 12, 0)
    turned = train[:100, ::-1]
    assert look([(known([train]), [turned])]).rate < 0.1
    memory = known([train, train[:, ::-1]])
    assert look([(memory, [turned, turned[:, ::-1]])]).rate == 1.0
    assert look([(memory, [normal(200, 12, 1), normal(200, 12, 1)[:, ::-1]])]).rate < 0.1


def test_small_distances_far_from_the_origin_are_exact() -> None:
    train = normal(50, 4, 0, shift=1000)  # the fast form of a distance loses its digits here
    near = module.nearest([train[:5] + 0.05], train, np.arange(50))
    assert near.distance == pytest.approx(np.full(5, 0.1), rel=1e-6)
    assert near.row.tolist() == list(range(5))


def test_blocks_and_what_is_left_out_of_many_change_little(monkeypatch: pytest.MonkeyPatch) -> None:
    train, samples = (np.rint(normal(101, 3, seed) * 9) for seed in (0, 1))  # whole numbers: no rounding anywhere
    groups = [str(i // 3) for i in range(101)]

    def found() -> tuple[float, list[float], list[int]]:
        memory = known([train], groups=groups)
        seen = look([(memory, [samples])])
        return memory.distance, seen.closeness.tolist(), seen.row.tolist()

    whole = found()
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    assert found() == whole
    monkeypatch.setattr(module, "LOOKED_AT", 40)
    assert found()[0] == pytest.approx(whole[0], rel=0.5)
    apart = np.concatenate([normal(60, 4, 0) * 100, normal(60, 4, 1)])
    assert known([apart]).distance < 5  # of wide and of close ones, not of the first 40, which are all wide


@pytest.mark.parametrize(("count", "n"), [(0, 300), (1, 20), (150, 300), (300, 300)])
def test_the_interval_is_clopper_and_pearsons(count: int, n: int) -> None:
    expected = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    assert proportion_interval(count, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match=r"^training features must have at least 3 rows, got 2$"):
        known([normal(2, 2, 0)])
    memory = known([normal(5, 2, 0)])
    with pytest.raises(InputError, match=r"^features must have one dimension, got 3 and 2$"):
        look([(memory, [normal(5, 3, 0)])])
    with pytest.raises(InputError, match=r"^features must be finite"):
        look([(memory, [np.full((1, 2), np.nan)])])
