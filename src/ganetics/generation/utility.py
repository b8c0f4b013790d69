"""What generated images are worth to a classifier that is trained on them, on real ones or on both.

It is tested on held-out real images, and is a linear probe: logistic regression on frozen, standardised features of an
extractor. With some hundred images a network trained from the start would mostly show its own chance; a probe has one
solution, no seed, and takes seconds. It says what the features see of the classes in generated images, not what a
network trained on them would learn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch

from ganetics._check import InputError
from ganetics._random import numpy_generator, torch_generator
from ganetics.data import ImageSet
from ganetics.features import Extractor, reference
from ganetics.generation.results import Probe, Utility
from ganetics.metrics.classification import balanced_accuracy, balanced_difference
from ganetics.metrics.detection import Difference, Figure, Resamples, auroc, paired_difference
from ganetics.training import TrainingState, sample

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
STRENGTH = 1e-3
"""C of the logistic regression on the real images: heavy shrinkage, as there are more features than images. Of a set of
other size it is so much less or more that all images of a set together weigh the same: of each image twice nothing new
is learnt."""
STEPS = 5000
"""Of its solver, at most."""
MOST = 5000
"""Training images, every so manieth where there are more; and as many generated ones."""


def utility_of(
    state: TrainingState,
    classes: tuple[str, ...],
    train: ImageSet,
    real: ImageSet,
    extractor: Extractor,
    *,
    seed: int = 0,
) -> Utility:
    """Say what images of the state's generator are worth to a classifier.

    Args:
        state: of a run that knows classes.
        classes: their names.
        train: the images that it was trained on; of each class as many are generated as there are of it.
        real: held-out images to test on; groups, where they are known, are what the intervals draw.
        extractor: makes the features. Those of real images are cached.
        seed: of the generated images and of the draws.

    Raises:
        InputError: images without labels, or training images of one class alone.
    """
    if train.labels is None or real.labels is None:
        raise InputError("utility: images must have classes to be told, got none")
    rows = np.unique(np.linspace(0, len(train) - 1, min(len(train), MOST)).round().astype(np.int64))
    labels: Labels = train.labels.numpy()[rows]
    if len(set(labels.tolist())) < 2:
        raise InputError(f"utility: training images must be of at least 2 classes, got {classes[int(labels[0])]} alone")
    latents = torch_generator(seed, "utility")
    fake = extractor(sample(state, len(labels), generator=latents, labels=torch.from_numpy(labels)))
    seen = reference(train, extractor, count=len(train)).in_order[rows]
    sets = {
        "real": (seen, labels),
        "generated": (fake, labels),
        "both": (np.concatenate([seen, fake]), np.concatenate([labels, labels])),
    }
    test = reference(real, extractor, count=len(real)).in_order
    return probes(sets, test, real.labels.numpy(), real.groups, classes=classes, seed=seed)


def probes(
    sets: Mapping[str, tuple[npt.ArrayLike, Labels]],
    test: npt.ArrayLike,
    labels: Labels,
    groups: tuple[str, ...],
    *,
    classes: tuple[str, ...],
    seed: int = 0,
) -> Utility:
    """Train a probe on each set and test all of them on the same images.

    Args:
        sets: "real", "generated", "both" → features ``[n, d]`` and labels ``[n]``.
        test: features ``[m, d]`` of held-out real images.
        labels: theirs ``[m]``.
        groups: theirs; empty where they are not known: then images are drawn for the intervals.
        classes: names of the labels.
        seed: of the draws.
    """
    drawn = groups or tuple(str(number) for number in range(len(labels)))
    resamples = Resamples(drawn, generator=numpy_generator(seed, "bootstrap"))
    weight = {name: len(sets["real"][1]) / len(one[1]) for name, one in sets.items()}
    scores = {name: decided(*one, test, strength=STRENGTH * weight[name]) for name, one in sets.items()}
    two = len(classes) == 2
    found = tuple(
        Probe.model_validate(
            {
                "trained_on": name,
                "n": len(sets[name][1]),
                "balanced_accuracy": balanced_accuracy(labels, told(scores[name]), resamples=resamples),
                "auroc": _auroc(labels, scores[name], resamples) if two else None,
            }
        )
        for name in sets
    )
    return Utility(
        classes=classes,
        probes=found,
        n_test=len(labels),
        groups=resamples.groups if groups else None,
        resamples=len(resamples.counts),
        gain=_gain(labels, scores["both"], scores["real"], resamples, two=two),
    )


def decided(features: npt.ArrayLike, labels: Labels, test: npt.ArrayLike, *, strength: float = STRENGTH) -> Array:
    """Train a probe and return its scores of other images ``[m, classes]``: the highest is what it says.

    Classes count alike, however many images they have. A class without training images is never said.

    Args:
        features: ``[n, d]``.
        labels: ``[n]``, of at least two classes.
        test: features ``[m, d]``.
        strength: C of the logistic regression.
    """
    from sklearn.linear_model import LogisticRegression  # here: it takes a second to import
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features)
    probe = LogisticRegression(C=strength, class_weight="balanced", max_iter=STEPS)
    probe.fit(scaler.transform(features), labels)
    raw = np.asarray(probe.decision_function(scaler.transform(test)), dtype=np.float64)
    scores = np.full((len(raw), int(labels.max()) + 1), -np.inf)
    scores[:, probe.classes_] = np.stack([-raw, raw], axis=1) if raw.ndim == 1 else raw
    return scores


def told(scores: Array) -> Labels:
    """Return the class that a probe says of each image ``[m]``."""
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)


def _auroc(labels: Labels, scores: Array, resamples: Resamples) -> Figure:
    if reason := _one_class(labels):
        return Figure(None, reason=reason)
    return auroc(labels, scores[:, 1], resamples=resamples)


def _gain(labels: Labels, both: Array, real: Array, resamples: Resamples, *, two: bool) -> Difference:
    if reason := _one_class(labels):
        return Difference(None, reason=reason)
    if two:
        return paired_difference(labels, both[:, 1], real[:, 1], resamples=resamples)
    return balanced_difference(labels, told(both), told(real), resamples=resamples)


def _one_class(labels: Labels) -> str:
    one = len(set(labels.tolist())) < 2
    return f"all {len(labels)} held-out images are of one class, and two are needed" if one else ""
