"""What a training run is and what it comes to: records that go to the disk. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from ganetics.execution.log import read_config_as
from ganetics.metrics.detection import Difference, Figure
from ganetics.records import (
    RECORD_EVERY,
    Count,
    DataIdentity,
    ExtractorIdentity,
    Outcome,
    Recipe,
    Record,
    optional_object,
    read_record_if_there,
    without_defaults,
)

STATES = ("best", "checkpoint")
"""Folders of a run's states: images are made from the first that is there."""
EVALUATION, KEPT = "evaluation.json", "evaluated"
"""The last evaluation, and the folder of the last of each split and extractor."""
SHEET, REAL = "closest.png", "real.png"
"""Pictures of the closest pairs, and of real held-out images to look at beside the samples."""
EVALUATE_EVERY = 500
"""Steps between two evaluations, if nothing else is said."""


class FitConfig(Record):
    """Everything that decides a run's result."""

    schema_version: Literal[1] = 1
    dataset: str
    """A named dataset, or the absolute path of a folder, CSV or npz file of images."""
    loss: str
    """Name in the catalogue, or the text of an expression."""
    recipe: Recipe
    seed: int
    data: DataIdentity
    extractor: ExtractorIdentity
    skipped: tuple[str, ...] = ()
    """Images that could not be read: path and reason."""
    groups: str | None = None
    """Of image files: what finds the patient, sequence … of each, kept in one split."""
    accept_audit: bool = False
    """Whether it was to train although the audit of the images found errors; ``audit.json`` says which."""
    classes: tuple[str, ...] = ()
    """Names of the classes that the generator knows; none where it was not told any."""
    patience: Count | None = None
    """End after so many evaluations on held-out images that found no better kernel distance; None: there are none."""
    evaluate_every: Count = EVALUATE_EVERY
    """Steps between two evaluations."""

    @property
    def penalised_loss(self) -> str:
        """The loss as a command line says it, with the penalties of the recipe."""
        return self.loss + "".join(f"+{penalty.text}" for penalty in self.recipe.penalties)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.patience is None:
            return self
        if self.evaluate_every % RECORD_EVERY:
            raise ValueError(f"evaluate_every must be a multiple of {RECORD_EVERY} steps, got {self.evaluate_every}")
        if self.recipe.steps % self.evaluate_every:
            raise ValueError(
                f"with patience, steps must be a multiple of evaluate_every ({self.evaluate_every}), so that the last "
                f"are evaluated too, got {self.recipe.steps}"
            )
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # runs from before there were these fields keep their digest
        return without_defaults(plain(self), FIT_SINCE)


FIT_SINCE: dict[str, Any] = {
    "groups": None,
    "accept_audit": False,
    "classes": [],
    "patience": None,
    "evaluate_every": EVALUATE_EVERY,
}
"""Fields of a configuration that came later, and their defaults."""


class FitResult(Record):
    """What a finished run came to."""

    schema_version: Literal[1] = 1
    outcome: Outcome
    """After the last step; with early stopping of the best evaluation, which was chosen on these very images."""
    n: int
    """Generated images that the metrics were made from."""
    n_real: int
    floor: float
    """Fréchet distance between two halves of the real images."""
    floor_n: int
    """Real images in each half."""
    extractor: ExtractorIdentity
    stopped: int | None = None
    """With early stopping: the step after which training has ended."""

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_defaults(plain(self), {"stopped": None})


class Probe(Record):
    """A classifier on frozen features, trained on some images and tested on held-out real ones."""

    trained_on: Literal["real", "generated", "both"]
    n: int
    """Images that it was trained on."""
    balanced_accuracy: Figure
    """Mean over the classes of the share of a class's images that are told right; chance is 1 over the classes."""
    auroc: Figure | None = None
    """Of the second class against the first, where there are two."""


class Utility(Record):
    """What generated images are worth to a classifier of frozen features."""

    classes: tuple[str, ...]
    probes: tuple[Probe, ...]
    n_test: int
    """Held-out real images."""
    groups: int | None
    """Patients, sequences … that were drawn for the intervals; None: images were."""
    resamples: int
    gain: Difference
    """AUROC (two classes) or balanced accuracy of the classifier trained on both, less that of real images alone."""


class Evaluation(Record):
    """How near generated images are to real ones, and how near real ones are to each other.

    Figures of a generated set alone. Fields that are None are not written.
    """

    schema_version: Literal[2] = 2
    fid: float
    """Fréchet distance of the features; lower is better, biased upwards at small n."""
    kid: float
    """Kernel distance, unbiased: may be slightly negative; lower is better."""
    kid_std: float
    """Standard deviation of the kernel distance over subsets of ``kid_subset`` images a side."""
    kid_subset: int
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
    seed: int
    """Of generated images (of a run), and of the subsets of the kernel distance."""
    train_fid: float | None = None
    """Fréchet distance of ``n`` training images to the real ones, what a generator as good as real images of other
    groups would have; None without training images, or with fewer than ``n``."""
    train_kid: float | None = None
    """Their kernel distance to the real ones: about 0 where images of other groups are of the same kind."""
    copy_rate: float | None = None
    """Share of the generated images that are copies: near to one training image and to no other, by the measure of the
    training set itself (:mod:`ganetics.metrics.copies`); with training images."""
    copy_n: int | None = None
    """Generated images that copies were looked for among; None: ``n``."""
    copy_rate_interval: tuple[float, float] | None = None
    """95 %, Clopper and Pearson, over generated images: of other images of this generator, not of other trainings."""
    copy_rate_control: float | None = None
    """The same share of the real images, which were held out; those that are training images too left out."""
    copy_rate_replayed: dict[str, float] | None = None
    """The same share of training images, slightly changed: kind of change → what the check finds of it."""
    copy_limits: dict[str, dict[str, float]] | None = None
    """View → "distance" and "ratio" below which an image is a copy."""
    copy_rate_control_interval: tuple[float, float] | None = None
    """95 %, Clopper and Pearson, over real images: too narrow where several are of one patient."""
    n_train: int | None = None
    train_groups: int | None = None
    """Patients, sequences … of the training images; None: every image is a stranger to every other."""
    held_out_duplicates: int | None = None
    """Real images that are training images too; with training images."""
    split: Literal["validation", "test"] | None = None
    """Of a run: which of its images were held out for this."""
    step: int | None = None
    """Of a run: after so many updates its generator was evaluated."""
    config: str | None = None
    """Of a run: digest of its configuration."""
    looks: int | None = None
    """How often test images have been looked at with this run, this time included."""
    first_look: str | None = None
    """When test images were looked at for the first time (UTC)."""
    utility: Utility | None = None

    @property
    def strangers(self) -> int:
        """Real images that the control of the copy rate is made from: those that are no training images."""
        return self.n_real - (self.held_out_duplicates or 0)

    @property
    def looked_at(self) -> int:
        """Generated images that copies were looked for among."""
        return self.copy_n or self.n

    @model_serializer(mode="wrap")
    def _as_known(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in plain(self).items() if value is not None}


def stored_configuration(run: Path) -> FitConfig:
    """Return the configuration in a run folder.

    Raises:
        InputError: there is none, or it is not one of a training run.
    """
    return read_config_as(FitConfig, run)


def go_on(config: FitConfig, result: FitResult, run: str) -> str | None:
    """Return what to do where the last evaluation was the best, so that early stopping never had a say; else None."""
    if result.stopped is None or result.outcome.failure is not None or result.stopped != result.outcome.step:
        return None
    return (
        "The kernel distance was lowest at the last step, so it may still fall: before the test images are looked at "
        f"go on with ganetics train {run} --resume --steps {2 * config.recipe.steps}"
    )


def sampled_step(run: Path) -> int | None:
    """Return after how many updates images are made from a run's generator; None: it has no state, nor an end."""
    for name in STATES:
        step = optional_object(run / name / "state.json").get("step")
        if isinstance(step, int):
            return step
    ended = read_record_if_there(FitResult, run / "metrics.json")  # of a run whose states are not kept
    return None if ended is None or ended.outcome.failure is not None else ended.outcome.step


def evaluations_of(run: Path) -> tuple[Evaluation, ...]:
    """Return the evaluations of the state that images are made from: of test images first, by the run's extractor.

    Raises:
        InputError: a file is damaged; names it.
    """
    step, own = sampled_step(run), stored_configuration(run).extractor.name
    found: dict[tuple[str, str], Evaluation] = {}
    for path in (run / EVALUATION, *sorted((run / KEPT).glob("*.json"))):
        one = read_record_if_there(Evaluation, path)
        if one is not None and one.step == step:
            found.setdefault((str(one.split), one.extractor.name), one)
    return tuple(sorted(found.values(), key=lambda one: (one.split != "test", one.extractor.name != own)))
