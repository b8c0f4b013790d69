"""What generated images are worth to a classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganetics._check import InputError
from ganetics.data import ImageSet, load
from ganetics.data.imageset import image_set
from ganetics.features import load_extractor
from ganetics.generation import utility as module
from ganetics.generation.utility import decided, probes, told, utility_of
from ganetics.metrics.detection import auroc
from ganetics.training import RECIPES, start

CLASSES = ("normal", "polyp")


def cloud(n: int, seed: int, *, apart: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Return features ``[n, 20]`` of two classes whose means lie so far apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    features = rng.normal(size=(n, 20))
    features[:, 0] += apart * labels
    return features, labels.astype(np.int64)


def test_images_that_look_like_real_ones_are_worth_as_much_and_noise_is_worth_nothing() -> None:
    real, good, useless = cloud(200, 0), cloud(200, 1), cloud(200, 2, apart=0.0)
    test, labels = cloud(200, 3)
    groups = tuple(f"patient {i // 4}" for i in range(200))

    def worth(fake: tuple[np.ndarray, np.ndarray]) -> Any:
        both = tuple(np.concatenate(pair) for pair in zip(real, fake, strict=True))
        sets = {"real": real, "generated": fake, "both": both}
        return probes(sets, test, labels, groups, classes=CLASSES)  # type: ignore[arg-type]

    found, empty = worth(good), worth(useless)
    assert (found.groups, found.n_test, found.classes, found.resamples) == (50, 200, CLASSES, 2000)
    assert [(one.trained_on, one.n) for one in found.probes] == [("real", 200), ("generated", 200), ("both", 400)]
    for one in found.probes:
        assert one.auroc.value > 0.85
        assert one.auroc.low < one.auroc.value < one.auroc.high
        assert one.balanced_accuracy.low < one.balanced_accuracy.value < one.balanced_accuracy.high
        assert one.balanced_accuracy.value > 0.75
    assert empty.probes[0] == found.probes[0]
    assert empty.probes[1].auroc.value < 0.7
    assert found.gain.value == pytest.approx(found.probes[2].auroc.value - found.probes[0].auroc.value)
    assert found.gain.low <= found.gain.value <= found.gain.high
    assert found.gain.value > empty.gain.value
    assert worth(good) == found


def test_without_groups_images_are_drawn_and_with_few_groups_intervals_are_wider() -> None:
    real, (test, labels) = cloud(100, 0, apart=1.0), cloud(120, 3, apart=1.0)
    sets = dict.fromkeys(("real", "generated", "both"), real)
    alone = probes(sets, test, labels, (), classes=CLASSES)
    same = np.repeat(test[:20], 6, axis=0), np.repeat(labels[:20], 6)  # six equal images of each patient
    groups = tuple(f"patient {i // 6}" for i in range(120))
    few, many = (probes(sets, *same, one, classes=CLASSES).probes[0].auroc for one in (groups, ()))
    assert alone.groups is None
    assert few is not None
    assert many is not None
    assert few.value == many.value
    assert few.high - few.low > 1.5 * (many.high - many.low)  # type: ignore[operator]


def test_the_probe_is_that_of_scikit_learn_on_standardised_features() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    (x, y), (test, labels) = cloud(90, 0), cloud(60, 1)
    x, test = 50 + 10 * x, 50 + 10 * test
    scaler = StandardScaler().fit(x)
    probe = LogisticRegression(C=1e-3, class_weight="balanced", max_iter=5000).fit(scaler.transform(x), y)
    expected = probe.predict(scaler.transform(test))
    scores = decided(x, y, test)
    assert np.array_equal(told(scores), expected)
    assert auroc(labels, scores[:, 1]).value == pytest.approx(
        auroc(labels, probe.decision_function(scaler.transform(test))).value
    )


def test_classes_count_alike_and_those_that_are_missing_are_never_said() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0] * 95 + [2] * 5)
    features = rng.normal(size=(100, 3)) + 4 * (labels == 2)[:, None]
    said = told(decided(features, labels, features))
    assert set(said.tolist()) == {0, 2}
    assert (said[labels == 2] == 2).all()


def test_one_class_alone_cannot_be_told_apart() -> None:
    real, (test, _) = cloud(40, 0), cloud(20, 1)
    sets = dict.fromkeys(("real", "generated", "both"), real)
    found = probes(sets, test, np.ones(20, dtype=np.int64), (), classes=CLASSES)
    reason = "all 20 held-out images are of one class, and two are needed"
    assert found.probes[0].auroc is not None
    assert (found.probes[0].auroc.value, found.probes[0].auroc.reason) == (None, reason)
    assert (found.gain.value, found.gain.reason) == (None, reason)


@pytest.fixture
def digits() -> tuple[ImageSet, ImageSet]:
    return load("digits", split="train"), load("digits", split="validation")


def test_as_many_are_generated_of_each_class_as_there_are_real_ones(
    digits: tuple[ImageSet, ImageSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    train, real = digits
    state = start(RECIPES["digits"].model_copy(update={"classes": 10, "width": 2}), 0)
    asked: list[Tensor] = []

    def sample(_: object, count: int, *, generator: torch.Generator, labels: Tensor) -> Tensor:
        asked.append(labels)
        return train.images[torch.arange(count) % len(train)]

    monkeypatch.setattr(module, "sample", sample)
    extractor = load_extractor("digits-classifier")
    classes = tuple(str(digit) for digit in range(10))
    found = utility_of(state, classes, train, real, extractor)
    assert train.labels is not None
    assert torch.equal(asked[0].bincount(), train.labels.bincount())
    assert found.probes[0].n == found.probes[1].n == 1197
    # what it gives back is all real images, each with its own label
    assert found.probes[1].balanced_accuracy == found.probes[0].balanced_accuracy
    assert found.gain.value == 0
    monkeypatch.setattr(module, "MOST", 300)
    assert [one.n for one in utility_of(state, classes, train, real, extractor).probes] == [300, 300, 600]


def test_images_must_have_classes(digits: tuple[ImageSet, ImageSet]) -> None:
    train, real = digits
    state = start(RECIPES["digits"].model_copy(update={"classes": 10, "width": 2}), 0)
    extractor = load_extractor("digits-classifier")
    with pytest.raises(InputError, match=r"^utility: images must have classes to be told, got none$"):
        utility_of(state, ("a",), replace(train, labels=None), real, extractor)
    alone = replace(image_set("x", "train", train.images[:8].numpy(), None), labels=torch.zeros(8, dtype=torch.int64))
    with pytest.raises(InputError, match=r"^utility: training images must be of at least 2 classes, got a alone$"):
        utility_of(state, ("a", "b"), alone, real, extractor)
