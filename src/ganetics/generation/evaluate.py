"""Compare generated with real images: every figure with its n, its extractor and the real-real floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ganetics._check import InputError
from ganetics._random import numpy_generator
from ganetics.data import ImageSet
from ganetics.features import Extractor, Progress, reference
from ganetics.metrics import copy_rate, frechet_distance, kernel_distance, neighbourhood_scores
from ganetics.records import ExtractorIdentity, Record

NEIGHBOURS = 5
"""k of precision, recall, density and coverage (the value of Naeem et al., arXiv 2002.09797)."""
KERNEL_SUBSET = 1000
"""Images in a subset of the kernel distance; fewer if either side has fewer."""


class Evaluation(Record):
    """How near generated images are to real ones, and how near real ones are to each other."""

    schema_version: Literal[1] = 1
    fid: float
    """Fréchet distance of the features; lower is better, biased upwards at small n."""
    kid: float
    """Kernel distance, unbiased: may be slightly negative; lower is better."""
    kid_std: float
    """Standard deviation of the kernel distance over subsets."""
    precision: float
    recall: float
    density: float
    coverage: float
    neighbours: int
    """k of the four scores above."""
    n: int
    """Generated images."""
    n_real: int
    floor: float
    """Fréchet distance of two disjoint halves of the real images."""
    floor_n: int
    """Real images in each half: the floor at the full n would be lower."""
    extractor: ExtractorIdentity
    resize: str
    """The filter that brought the images to the extractor's size."""
    copy_rate: float | None = None
    """Share of generated images nearer to a training image than ``copy_threshold``; with training images."""
    copy_threshold: float | None = None
    """Distance of the nearest held-out image to a training image, those that are training images left out."""
    n_train: int | None = None
    held_out_duplicates: int | None = None
    """Real images that are training images too; with training images."""


def evaluate(
    real: ImageSet,
    fake: ImageSet,
    *,
    extractor: Extractor,
    train: ImageSet | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Evaluation:
    """Compare ``fake`` with ``real`` images on the features of ``extractor``.

    Args:
        real: real images that the generator was not trained on; at least four. Their features are cached.
        fake: generated images of the same size; at least two.
        extractor: makes the features.
        train: the generator's training images; gives the copy rate, for which ``real`` is the held-out set.
        seed: of the subsets of the kernel distance; the other figures do not depend on it.
        on_progress: called with (images done, images in all) while features are made.

    Raises:
        InputError: too few images, images of different sizes, or all ``real`` images among those of ``train``.
    """
    check(real, fake, train)
    report = _Counter(on_progress, total=sum(len(part) for part in (real, fake, train) if part is not None))
    side = reference(real, extractor, count=len(real), on_progress=report.after(0))
    features = extractor(fake.images, on_progress=report.after(len(real)))
    smaller = min(len(features), len(side.features))
    kernel = kernel_distance(
        side.features,
        features,
        generator=numpy_generator(seed, "kernel distance"),
        subset_size=min(KERNEL_SUBSET, smaller),
    )
    k = min(NEIGHBOURS, smaller - 1)
    scores = neighbourhood_scores(side.features, features, k=k)
    copies = None
    if train is not None:
        seen = extractor(train.images, on_progress=report.after(len(real) + len(fake)))
        copies = copy_rate(seen, side.features, features)
    return Evaluation(
        fid=frechet_distance(side.features, features),  # not their Gaussians: cheaper where n < d
        kid=kernel.mean,
        kid_std=kernel.std,
        precision=scores.precision,
        recall=scores.recall,
        density=scores.density,
        coverage=scores.coverage,
        neighbours=k,
        n=len(features),
        n_real=len(side.features),
        floor=side.floor,
        floor_n=side.floor_count,
        extractor=extractor.identity,
        resize=extractor.identity.resize,
        copy_rate=None if copies is None else copies.rate,
        copy_threshold=None if copies is None else copies.threshold,
        n_train=None if train is None else len(train),
        held_out_duplicates=None if copies is None else copies.held_out_in_train,
    )


@dataclass(frozen=True)
class _Counter:
    """Progress over several sets of images as one."""

    on_progress: Progress | None
    total: int

    def after(self, done_before: int) -> Progress | None:
        report = self.on_progress
        return None if report is None else lambda done, _: report(done_before + done, self.total)


def check(real: ImageSet, fake: ImageSet, train: ImageSet | None = None) -> None:
    """Check that the sets can be compared.

    Raises:
        InputError: they cannot; says why.
    """
    for name, part, least in (("real images", real, 4), ("generated images", fake, 2)):
        if len(part) < least:
            raise InputError(f"{name} must be at least {least}, got {len(part)}")
    for name, other in (("generated", fake), ("training", train)):
        if other is not None and _size(other.images) != _size(real.images):
            raise InputError(
                f"{name} images must be as large as the real ones, {_words(real.images)}, "
                f"got {_words(other.images)}: give an image size to bring all to"
            )
    if train is not None and train.identity.sha256 == real.identity.sha256:
        raise InputError(
            "training images must be others than the real ones, got the same: "
            "the copy rate compares with real images held out from training"
        )


def _size(images: Tensor) -> tuple[int, ...]:
    return tuple(images.shape[2:])


def _words(images: Tensor) -> str:
    height, width = _size(images)
    return f"{width}x{height}"
