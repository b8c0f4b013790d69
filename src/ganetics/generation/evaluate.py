"""Compare generated with real images: every figure with its n, its extractor and the real-real floor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ganetics._check import InputError
from ganetics._random import numpy_generator
from ganetics.data import ImageSet
from ganetics.features import Extractor, Progress, Reference, reference
from ganetics.generation.memory import Memory, replayed
from ganetics.generation.results import Evaluation
from ganetics.metrics import frechet_distance, kernel_distance, neighbourhood_scores, proportion_interval
from ganetics.metrics.copies import Copies

Features = npt.NDArray[np.float32]
NEIGHBOURS = 5
"""k of precision, recall, density and coverage (the value of Naeem et al., arXiv 2002.09797)."""
KERNEL_SUBSET = 1000
"""Images a side in a subset of the kernel distance. Where there are no more, the distance is that of all images, and
its standard deviation that over subsets of half of them."""


@dataclass(frozen=True)
class Compared:
    """What a comparison came to, with what a picture of it needs.

    Attributes:
        evaluation: the figures.
        fake: how near each generated image is to a training image; None without training images.
        control: the same of each real image.
    """

    evaluation: Evaluation
    fake: Copies | None = None
    control: Copies | None = None


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
        train: the generator's training images, at least four, with their groups if these are known; gives the copy
            rate, with ``real`` as its control. Their features are cached.
        seed: of the subsets of the kernel distance, and of the training images that are compared beside; the other
            figures do not depend on it.
        on_progress: called with (images done, images in all) while features are made.

    Raises:
        InputError: too few images, images of different sizes, or all ``real`` images among those of ``train``.
    """
    return compared(real, fake, extractor=extractor, train=train, seed=seed, on_progress=on_progress).evaluation


def compared(
    real: ImageSet,
    fake: ImageSet,
    *,
    extractor: Extractor,
    train: ImageSet | None = None,
    likeness: int | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Compared:
    """Compare as :func:`evaluate` does, and say of each image how near it is to a training image.

    Args:
        real: as there.
        fake: as there.
        extractor: as there.
        train: as there.
        likeness: of so many generated images, the first, all figures but the copy rate are made; None: of all. A copy
            is rare: it is looked for among more images than the others need.
        seed: as there.
        on_progress: as there.

    Raises:
        InputError: as for :func:`evaluate`.
    """
    check(real, fake, train)
    report = _Counter(on_progress, total=sum(len(part) for part in (real, fake, train) if part is not None))
    side = reference(real, extractor, count=len(real), on_progress=report.after(0))
    features = extractor(fake.images, on_progress=report.after(len(real)))
    values = _figures(side, features[:likeness], seed)
    if train is None:
        return Compared(Evaluation(**values))
    seen = reference(train, extractor, count=len(train), on_progress=report.after(len(real) + len(fake)))
    memory = Memory(train, seen.in_order)
    copies, control = memory.look(fake.images, features), memory.look(real.images, side.in_order)
    values |= _copies(memory, copies, control)
    values |= _of_training_images(side, seen.in_order, values["n"], seed)
    values["copy_rate_replayed"] = {
        name: memory.look(images, extractor(images)).rate for name, images in replayed(train.images).items()
    }
    return Compared(Evaluation(**values), copies, control)


def _figures(side: Reference, features: Features, seed: int) -> dict[str, Any]:
    smaller = min(len(features), len(side.features))
    kid, kid_std, subset = _kernel_distance(side.features, features, smaller, seed)
    k = min(NEIGHBOURS, smaller - 1)
    return {
        "fid": frechet_distance(side.features, features),  # not their Gaussians: cheaper where n < d
        "kid": kid,
        "kid_std": kid_std,
        "kid_subset": subset,
        **asdict(neighbourhood_scores(side.features, features, k=k)),
        "neighbours": k,
        "n": len(features),
        "n_real": len(side.features),
        "floor": side.floor,
        "floor_n": side.floor_count,
        "extractor": side.extractor,
        "resize": side.extractor.resize,
        "seed": seed,
    }


def _of_training_images(side: Reference, train: Features, n: int, seed: int) -> dict[str, float]:
    """Return the distances of ``n`` training images, drawn by the seed; none where there are fewer."""
    if len(train) < n:
        return {}
    drawn = train[numpy_generator(seed, "training images").permutation(len(train))[:n]]
    kid, *_ = _kernel_distance(side.features, drawn, min(n, len(side.features)), seed)
    return {"train_fid": frechet_distance(side.features, drawn), "train_kid": kid}


def _kernel_distance(real: Features, fake: Features, smaller: int, seed: int) -> tuple[float, float, int]:
    """Return the kernel distance, its standard deviation over subsets, and their size."""
    size = KERNEL_SUBSET if smaller > KERNEL_SUBSET else max(2, smaller // 2)
    found = kernel_distance(real, fake, generator=numpy_generator(seed, "kernel distance"), subset_size=size)
    if smaller > KERNEL_SUBSET:
        return found.mean, found.std, size
    whole = kernel_distance(
        real, fake, generator=numpy_generator(seed, "kernel distance", 1), subsets=1, subset_size=smaller
    )
    return whole.mean, found.std, size


def _copies(memory: Memory, copies: Copies, control: Copies) -> dict[str, Any]:
    strangers = control.closeness[~control.duplicates]
    if not len(strangers):
        raise InputError(
            f"real images must be others than the training images, got all {len(control.closeness)} among them"
        )
    return {
        "copy_rate": copies.rate,
        "copy_n": len(copies.closeness),
        "copy_rate_interval": proportion_interval(copies.count, len(copies.closeness)),
        "copy_rate_control": float((strangers < 1).mean()),
        "copy_rate_control_interval": proportion_interval(int((strangers < 1).sum()), len(strangers)),
        "copy_limits": memory.limits,
        "n_train": len(memory.images),
        "train_groups": memory.groups,
        "held_out_duplicates": int(control.duplicates.sum()),
    }


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
    for name, part, least in (("real images", real, 4), ("generated images", fake, 2), ("training images", train, 4)):
        if part is not None and len(part) < least:
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
            "the control of the copy rate needs real images held out from training"
        )


def _size(images: Tensor) -> tuple[int, ...]:
    return tuple(images.shape[2:])


def _words(images: Tensor) -> str:
    height, width = _size(images)
    return f"{width}x{height}"
