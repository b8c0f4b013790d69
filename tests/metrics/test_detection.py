from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from ganetics._check import InputError
from ganetics._random import numpy_generator
from ganetics.metrics.curves import PLACES, precision_recall, roc
from ganetics.metrics.detection import (
    Resamples,
    auroc,
    average_precision,
    mean_auroc,
    paired_difference,
    share_above,
    weighted_auroc,
    weighted_average_precision,
)

IMAGE = st.tuples(st.integers(0, 1), st.integers(-3, 3), st.integers(0, 3))
"""Label, score (few values, so that ties are many), weight."""


def both(labels: np.ndarray) -> bool:
    return 0 < labels.sum() < len(labels)


def drawn(groups: list[str], seed: int = 0, resamples: int = 200) -> Resamples:
    return Resamples(groups, generator=numpy_generator(seed, "bootstrap"), resamples=resamples)


@settings(deadline=None, max_examples=200)
@given(st.lists(IMAGE, min_size=2, max_size=12))
def test_weighted_figures_are_those_of_scikit_learn(images: list[tuple[int, int, int]]) -> None:
    labels, scores, weights = (np.array(column) for column in zip(*images, strict=True))
    there = weights > 0
    found = [
        one(labels, scores.astype(float))(weights[None].astype(float))[0]
        for one in (weighted_auroc, weighted_average_precision)
    ]
    if not both(labels[there]):
        assert np.isnan(found).all()
        return
    expected = [
        one(labels[there], scores[there], sample_weight=weights[there])
        for one in (roc_auc_score, average_precision_score)
    ]
    assert found == pytest.approx(expected, abs=1e-12)


def test_figures_by_hand() -> None:
    labels, scores = [0, 0, 1, 1, 0], [0.1, 0.4, 0.4, 0.8, 0.5]
    assert auroc(labels, scores).value == pytest.approx((1 + 0.5 + 0 + 3) / 6)
    assert average_precision(labels, scores).value == pytest.approx(0.5 * 1 + 0.5 * 2 / 4)
    assert share_above(labels, scores, 0.4, label=1).value == 0.5  # what is at the threshold is not above it
    assert share_above(labels, scores, 0.4, label=0).value == pytest.approx(1 / 3)


def test_intervals_are_of_whole_groups_drawn_with_replacement() -> None:
    random = np.random.default_rng(0)
    groups = [f"g{i // 5}" for i in range(60)]
    labels = (np.arange(60) // 5 % 3 == 0).astype(int)
    scores = random.normal(size=60) + labels + np.repeat(random.normal(size=12), 5)
    resamples = drawn(groups)
    names = sorted(set(groups))
    values: dict[str, list[float]] = {"auroc": [], "ap": []}
    for counts in resamples.counts:
        assert counts.sum() == len(names)
        chosen = np.concatenate([
            np.flatnonzero(np.array(groups) == name).repeat(count) for name, count in zip(names, counts, strict=True)
        ])  # fmt: skip
        if both(labels[chosen]):
            values["auroc"].append(roc_auc_score(labels[chosen], scores[chosen]))
            values["ap"].append(average_precision_score(labels[chosen], scores[chosen]))
    for found, name in (
        (auroc(labels, scores, resamples=resamples), "auroc"),
        (average_precision(labels, scores, resamples=resamples), "ap"),
    ):
        assert [found.low, found.high] == pytest.approx(np.quantile(values[name], [0.025, 0.975]), abs=1e-12)
    # images of a group are alike: to draw them one by one would promise too much
    singly = auroc(labels, scores, resamples=drawn([str(i) for i in range(60)]))
    whole = auroc(labels, scores, resamples=resamples)
    assert whole.high - whole.low > 1.3 * (singly.high - singly.low)  # type: ignore[operator]


def test_draws_depend_on_the_generator_alone() -> None:
    groups = ["a", "b", "c", "b"]
    np.testing.assert_array_equal(drawn(groups).counts, drawn(groups).counts)
    assert (drawn(groups).counts != drawn(groups, seed=1).counts).any()


def test_one_class_has_no_value_and_says_why() -> None:
    resamples = drawn(["a", "b"])
    for label, word in ((1, "abnormal"), (0, "normal")):
        reason = f"all 2 test images are {word}, and two classes are needed"
        for figure in (auroc, average_precision):
            found = figure([label, label], [0.1, 0.2], resamples=resamples)
            assert (found.value, found.low, found.reason) == (None, None, reason)
        assert paired_difference([label] * 2, [0.1, 0.2], [0.3, 0.1], resamples=resamples).reason == reason
        assert roc([label] * 2, [0.1, 0.2], resamples=resamples) is None
    assert share_above([0, 0], [0.1, 0.3], 0.2, label=1).reason == "no test image is abnormal"
    assert share_above([0, 0], [0.1, 0.3], 0.2, label=0).value == 0.5


def test_fewer_than_ten_groups_have_no_p_value() -> None:
    groups = [f"g{i % 9}" for i in range(90)]
    y = np.arange(90) // 9 % 2
    found = paired_difference(y, y + 0.0, -y + 0.0, resamples=drawn(groups))
    assert (found.p, found.reason) == (None, "a p-value needs at least 10 groups, there are 9")
    assert (found.value, found.low) == (1.0, 1.0)


def test_one_group_has_no_interval() -> None:
    found = auroc([0, 1], [0.1, 0.2], resamples=drawn(["a", "a"]))
    assert (found.value, found.low, found.high) == (1.0, None, None)
    assert paired_difference([0, 1], [0.1, 0.2], [0.2, 0.1], resamples=drawn(["a", "a"])).p is None


def test_paired_difference() -> None:
    random = np.random.default_rng(1)
    groups = [f"g{i // 3}" for i in range(120)]
    labels = np.arange(120) // 3 % 2
    shared = random.normal(size=120)
    good, poor = shared + 1.5 * labels, shared + 0.5 * labels
    resamples = drawn(groups, resamples=500)
    same = paired_difference(labels, good, good, resamples=resamples)
    assert (same.value, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)
    better = paired_difference(labels, good, poor, resamples=resamples)
    assert better.value == pytest.approx(roc_auc_score(labels, good) - roc_auc_score(labels, poor))
    assert better.p == pytest.approx(2 / 501)
    assert 0 < better.low < better.value < better.high  # type: ignore[operator]
    worse = paired_difference(labels, poor, good, resamples=resamples)
    assert (worse.value, worse.low, worse.p) == (
        pytest.approx(-better.value),  # type: ignore[operator]
        pytest.approx(-better.high),  # type: ignore[operator]
        better.p,
    )
    # of several trainings the mean of their AUROCs, not the AUROC of their mean scores
    several = paired_difference(labels, [good, -good], poor, resamples=resamples)
    assert several.value == pytest.approx(0.5 - roc_auc_score(labels, poor))
    mean = mean_auroc(labels, [good, -good, poor], resamples=resamples)
    assert mean.value == pytest.approx((1 + roc_auc_score(labels, poor)) / 3)
    alone = mean_auroc(labels, good, resamples=resamples)
    single = auroc(labels, good, resamples=resamples)
    assert (alone.value, alone.low, alone.high) == (pytest.approx(single.value), single.low, single.high)


def test_curves_are_those_of_scikit_learn_and_lie_in_their_bands() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 80)
    scores = random.normal(size=80) + labels
    groups = [str(i) for i in range(80)]
    resamples = drawn(groups)
    found = roc(labels, scores, resamples=resamples)
    assert found is not None
    xs, ys, _ = roc_curve(labels, scores)
    np.testing.assert_array_equal(found.xs, xs)
    np.testing.assert_array_equal(found.ys, ys)
    expected = np.array([
        np.interp(PLACES, *roc_curve(labels, scores, sample_weight=counts[resamples.index])[:2])
        for counts in resamples.counts
    ])  # fmt: skip
    np.testing.assert_allclose([found.lows, found.highs], np.quantile(expected, [0.025, 0.975], axis=0), atol=1e-12)
    inside = precision_recall(labels, scores, resamples=resamples)
    assert inside is not None
    precision, recall, _ = precision_recall_curve(labels, scores)
    np.testing.assert_array_equal(inside.xs, recall[::-1])
    np.testing.assert_array_equal(inside.ys, precision[::-1])

    def step(counts: np.ndarray) -> np.ndarray:
        """Precision of the first threshold that reaches each recall."""
        p, r, _ = precision_recall_curve(labels, scores, sample_weight=counts[resamples.index])
        p, r = p[-2::-1], r[-2::-1]
        return np.asarray(p[np.searchsorted(r, PLACES - 1e-12)])

    drawn_steps = np.array([step(counts) for counts in resamples.counts])
    ends = np.quantile(drawn_steps, [0.025, 0.975], axis=0)
    np.testing.assert_allclose([inside.lows, inside.highs], ends, atol=1e-12)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.1], r"labels and scores must have one shape \[n\], got \[2\] and \[1\]"),
        ([], [], r"labels and scores must have one shape \[n\], got \[0\] and \[0\]"),
        ([0, 2], [0.1, 0.2], r"labels must be 0 \(normal\) or 1 \(abnormal\), got 2"),
        ([0, 1], [0.1, np.nan], r"scores must be finite, got 1 of 2 that are not"),
    ],
)
def test_what_is_wrong_is_refused(labels: list[int], scores: list[float], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        auroc(labels, scores)
