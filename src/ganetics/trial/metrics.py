"""How good the images of a training are."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganetics._random import numpy_generator, torch_generator
from ganetics.data import ImageSet
from ganetics.metrics.frechet import frechet_distance
from ganetics.metrics.kernel import kernel_distance
from ganetics.metrics.neighbours import neighbourhood_scores
from ganetics.training import Diverged, TrainingState, sample
from ganetics.training.batches import scaled
from ganetics.trial.data import TrialData

Features = npt.NDArray[np.float32]
KERNEL_SUBSETS, KERNEL_SUBSET_SIZE = 10, 1000
LOOKED_AT = 500
"""Images of each kind that d_real and d_fake are means over."""


def score(
    state: TrainingState,
    data: TrialData,
    *,
    samples: int | None = None,
    neighbours: int = 0,
    subsets: int = KERNEL_SUBSETS,
) -> dict[str, float]:
    """Compare images sampled from the state's generator with the reference.

    Latents come from the state's seed, so equal states have equal scores. Classes are as frequent as in training.

    Args:
        state: where the generator is.
        data: has the reference.
        samples: generate so many images and look at the Fréchet distance alone, for comparisons on the way; None: as
            many as the recipe says.
        neighbours: k of precision, recall, density and coverage (arXiv 2002.09797 has 5), less where there are too few
            images; 0: without them.
        subsets: that the kernel distance is a mean over.

    Returns:
        ``fid`` (Fréchet distance, at least 0); without ``samples`` also ``kid`` (kernel distance, unbiased, can be
        below 0), ``d_real`` and ``d_fake`` (mean sigmoid of the discriminator's logits for training and for generated
        images), ``diversity`` (standard deviation of a pixel over the samples, mean over the pixels, of 1 for the full
        range); with ``neighbours`` the four scores of :func:`ganetics.metrics.neighbourhood_scores`.

    Raises:
        Diverged: a figure is not finite.
    """
    count = samples or state.recipe.eval_samples
    labels = _drawn_labels(state, data.train, count)
    images = sample(state, count, generator=torch_generator(state.seed, "evaluation"), labels=labels)
    features = data.extractor(images)
    metrics = {"fid": float(frechet_distance(data.reference.gaussian, features))}
    if samples is None:
        metrics |= _further(state, data, images, labels, features, subsets)
    if neighbours:
        k = min(neighbours, len(features) - 1, len(data.reference.features) - 1)
        metrics |= asdict(neighbourhood_scores(data.reference.features, features, k=k))
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise Diverged(f"the metric {name} is {value}", state.step)
    return metrics


def _drawn_labels(state: TrainingState, training: ImageSet, count: int) -> Tensor | None:
    """Return classes ``[count]`` drawn from the labels of the training images, or None if the recipe has none."""
    if not state.recipe.classes or training.labels is None:
        return None
    labels = training.labels[: state.recipe.train_size]
    return labels[torch.randint(len(labels), (count,), generator=torch_generator(state.seed, "evaluation labels"))]


def _further(
    state: TrainingState, data: TrialData, images: Tensor, labels: Tensor | None, features: Features, subsets: int
) -> dict[str, float]:
    real = data.reference.features
    of_class = data.train.labels if state.recipe.classes else None
    size = min(KERNEL_SUBSET_SIZE, len(features), len(real))
    generator = numpy_generator(state.seed, "kernel distance")
    kid = kernel_distance(real, features, generator=generator, subsets=subsets, subset_size=size)
    return {
        "kid": float(kid.mean),
        "d_real": _mean_output(state, data.train.images[: state.recipe.train_size], of_class),
        "d_fake": _mean_output(state, images, labels),
        "diversity": _diversity(images),
    }


def _diversity(images: Tensor) -> float:
    # channel by channel: of many large images the copies in float32 are most of the memory
    channels = (images[:, channel].numpy().astype(np.float32) for channel in range(images.shape[1]))
    return float(np.stack([channel.std(axis=0) for channel in channels]).mean() / 255.0)


@torch.no_grad()
def _mean_output(state: TrainingState, images: Tensor, labels: Tensor | None) -> float:
    discriminator = state.gan.discriminator.eval()
    told = () if labels is None else (labels[: len(images)][:LOOKED_AT].to(state.device),)
    try:
        logits: Tensor = discriminator(scaled(images[:LOOKED_AT]).to(state.device), *told)
    finally:
        discriminator.train()
    return float(logits.float().sigmoid().mean())
