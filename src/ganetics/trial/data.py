"""What trials on one dataset share: images, extractor and the features that generated images are compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganetics.data import ImageSet, load
from ganetics.features import Extractor, load_extractor
from ganetics.features.reference import Reference, reference
from ganetics.records import DataIdentity, Recipe


@dataclass(frozen=True)
class TrialData:
    """What trials on one dataset share."""

    train: ImageSet
    held_out: ImageSet
    """The validation images, or those of another split that was asked for."""
    extractor: Extractor
    reference: Reference
    """Of the held-out images."""

    @property
    def digest(self) -> str:
        """Digest of the training data's and the reference data's identities."""
        return data_digest(self.train.identity, self.held_out.identity)

    @property
    def skipped(self) -> tuple[str, ...]:
        """Path and reason of each image that could not be read, training images first."""
        return tuple(f"{one.path}: {one.reason}" for part in (self.train, self.held_out) for one in part.skipped)


def data_digest(training: DataIdentity, held_out: DataIdentity) -> str:
    """Return the digest of the data of a trial, as in :attr:`ganetics.records.Outcome.data`."""
    return hashlib.sha256((training.digest() + held_out.digest()).encode()).hexdigest()[:16]


def load_trial_data(
    dataset: str,
    data_dir: str | None,
    recipe: Recipe,
    *,
    reference_split: str = "validation",
    groups: str | None = None,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] | None = None,
) -> TrialData:
    """Load what the recipe's trials need, whatever the learning rate.

    Args:
        dataset: a named dataset, or the path of a folder of images.
        data_dir: where the files of a named dataset lie; None: the cache.
        recipe: says size, channels, extractor and number of reference images.
        reference_split: the images that generated ones are compared with: "validation", or "test" for the last word.
        groups: of files: what finds the patient, sequence … of each, kept in one split.
        device: where features are made.
        on_progress: called with (done, in all) while images are decoded and while features are made.

    Raises:
        InputError: the dataset, its files or the extractor are not there, or do not fit the recipe.
    """
    train_set, held_out = (
        load(
            dataset,
            split=split,
            data_dir=None if data_dir is None else Path(data_dir),
            image_size=recipe.image_size,
            channels=recipe.channels,
            groups=groups,
            on_progress=on_progress,
        )
        for split in ("train", reference_split)
    )
    extractor = load_extractor(recipe.extractor, device=device)
    side = reference(held_out, extractor, count=recipe.eval_samples, on_progress=on_progress)
    return TrialData(train_set, held_out, extractor, side)
