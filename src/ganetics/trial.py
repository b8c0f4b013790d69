"""One trial: train under a loss, sample, score. Search, benchmark and generation all come through here."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganetics._check import InputError
from ganetics._random import numpy_generator, torch_generator
from ganetics.catalogue import loss_named_or_parsed
from ganetics.data import ImageSet, load
from ganetics.execution import Completed, Shared
from ganetics.execution.executor import lacks_memory
from ganetics.features import Extractor, load_extractor
from ganetics.features.reference import Reference, reference
from ganetics.losses.contract import GANLoss
from ganetics.metrics.frechet import frechet_distance
from ganetics.metrics.kernel import kernel_distance
from ganetics.metrics.neighbours import neighbourhood_scores
from ganetics.records import DataIdentity, Failure, FailureKind, Outcome, Recipe
from ganetics.training import Diverged, TrainingState, checkpoint, sample, start, train
from ganetics.training.batches import scaled
from ganetics.training.sampling import decode, fixed_labels, fixed_latents, grid_png

Features = npt.NDArray[np.float32]
TIMEOUT = 20.0
"""Times the expected time of a trial: then something hangs."""
SCORING = {"efficientnet-lite0": 0.02, "inception": 0.5}
"""Extractor → seconds that an image takes at most, on a slow core; with the others it is next to none."""
KERNEL_SUBSETS, KERNEL_SUBSET_SIZE = 10, 1000
LOOKED_AT = 500
"""Images of each kind that d_real and d_fake are means over."""


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


@dataclass(frozen=True)
class TrialJob:
    """A trial as a message to another process."""

    loss: str
    """Name in the catalogue, or the text of an expression."""
    recipe: Recipe
    dataset: str
    data_dir: str | None
    seed: int
    preview: int = 0
    """Images in the preview; 0: no preview."""
    score_at: tuple[int, ...] = ()
    """Steps, rising, at which to score the Fréchet distance alone on the way to the last."""
    until: int | None = None
    """The last step; None: the recipe's."""
    samples: int | None = None
    """Generated images for a score of the Fréchet distance alone; None: the recipe's, and all metrics."""
    neighbours: int = 0
    """k of precision, recall, density and coverage in the last score; 0: they are not asked for."""
    state: str | None = None
    """Folder of a checkpoint to go on from, and to leave one in for who goes on: a cache, nothing depends on it."""
    groups: str | None = None
    """How the dataset's files are split, where they are read here."""
    shared: Shared[TrialData] | None = None
    """The data, read once for all jobs; None: they are read from the dataset's files, with the validation images."""
    device: str = "cpu"
    """Where it trains; features are made where :func:`load_trial_data` was told to."""


@dataclass
class TrialReply:
    """What comes back."""

    outcome: Outcome
    preview: bytes | None
    """A PNG: a grid of images from the latents that all losses of this seed share."""
    curve: tuple[Outcome, ...] = ()
    """The outcomes on the way, at the steps that were asked for, up to a failure."""


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


@lru_cache(maxsize=2)
def _kept_trial_data(dataset: str, data_dir: str | None, recipe: Recipe, groups: str | None, device: str) -> TrialData:
    return load_trial_data(dataset, data_dir, recipe, groups=groups, device=device)


def time_limit(recipe: Recipe, *, scores: int = 1) -> float:
    """Return the seconds after which a trial hangs, whatever extractor it is scored with, so many times."""
    return TIMEOUT * recipe.seconds + scores * recipe.eval_samples * SCORING.get(recipe.extractor, 0.0)


def run_trial(
    loss: GANLoss,
    recipe: Recipe,
    data: TrialData,
    *,
    seed: int,
    until: int | None = None,
    state: TrainingState | None = None,
) -> tuple[Outcome, TrainingState]:
    """Train to step ``until`` and score. A divergence or a lack of memory is an outcome, not an exception.

    Trials of one seed share initial weights, latents and the order of the data, whatever their loss.

    Args:
        loss: the loss to train under.
        recipe: the recipe; the state's if a state is given.
        data: from :func:`load_trial_data`.
        seed: the seed; the state's if a state is given.
        until: steps in all; default the recipe's.
        state: a run to go on with (changed in place); default a fresh one.

    Returns:
        The outcome, and the state after the last step made.

    Raises:
        InputError: the state has another recipe or seed, or the images do not fit the recipe.
    """
    state = start(recipe, seed) if state is None else state
    if (state.recipe, state.seed) != (recipe, seed):
        raise InputError(
            f"a trial goes on under its own recipe and seed ({state.recipe.name!r}, {state.seed}), "
            f"got {recipe.name!r}, {seed}"
        )
    return advance(state, loss, data, until=recipe.steps if until is None else until), state


def advance(
    state: TrainingState,
    loss: GANLoss,
    data: TrialData,
    *,
    until: int,
    samples: int | None = None,
    neighbours: int = 0,
    on_record: Callable[[dict[str, float]], None] | None = None,
) -> Outcome:
    """Train ``state`` on to step ``until`` in place, score it, and return the outcome.

    ``samples`` and ``neighbours``: as for :func:`score`. ``on_record`` is called every 50 steps, when the state is
    whole: it may save it, or sample from it.

    Raises:
        InputError: the images do not fit the recipe.
    """

    def work() -> dict[str, float]:
        train(state, loss, data.train.images, until=until, labels=data.train.labels, on_record=on_record)
        return score(state, data, samples=samples, neighbours=neighbours)

    return _ended(state, data, work)


def assessed(state: TrainingState, data: TrialData) -> Outcome:
    """Score ``state`` as it is, to choose by its kernel distance, and return the outcome.

    A subset is of as many generated images as there are real ones, if these are few: so many are drawn that most count.
    """
    size = min(KERNEL_SUBSET_SIZE, state.recipe.eval_samples, len(data.reference.features))
    subsets = max(KERNEL_SUBSETS, state.recipe.eval_samples // size)
    return _ended(state, data, lambda: score(state, data, subsets=subsets))


def _ended(state: TrainingState, data: TrialData, work: Callable[[], dict[str, float]]) -> Outcome:
    """Return the outcome of work that ends with metrics."""
    failure, metrics = None, None
    try:
        metrics = work()
    except Diverged as error:
        failure = Failure(kind=FailureKind.DIVERGED, message=str(error), step=error.step)
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        failure = Failure(kind=FailureKind.OUT_OF_MEMORY, message=_first_line(error), step=state.step)
    return Outcome(
        step=state.step,
        seed=state.seed,
        metrics=metrics,
        failure=failure,
        data=data.digest,
        extractor=data.extractor.identity.digest(),
        recipe=state.recipe.digest(),
    )


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


def preview(state: TrainingState, count: int) -> bytes:
    """Return a PNG grid of ``count`` images from the fixed latents of the state's seed; classes take turns."""
    z = fixed_latents(state, count).to(state.device)
    return grid_png(decode(state.sampler, z, fixed_labels(state, count)))


def data_of(job: TrialJob) -> TrialData:
    """Return a job's data, kept for the process's next job.

    Raises:
        InputError: the dataset or its files are not known.
    """
    if job.shared is not None:
        return job.shared.get()
    # of one rate, so that runs that differ in it share what was loaded
    recipe = job.recipe.model_copy(update={"learning_rate": 1.0})
    return _kept_trial_data(job.dataset, job.data_dir, recipe, job.groups, job.device)


def run_job(job: TrialJob) -> TrialReply:
    """Run one trial from its description; what executors call.

    Raises:
        InputError: the loss, the dataset or its files are not known.
    """
    loss = loss_named_or_parsed(job.loss)
    data = data_of(job)
    until = job.until or job.recipe.steps
    state = _left_by_another(job, loss, until) or start(job.recipe, job.seed, job.device)
    curve: list[Outcome] = []
    way = [(step, job.samples or job.recipe.eval_samples, 0) for step in job.score_at if state.step < step < until]
    for step, samples, neighbours in (*way, (until, job.samples, job.neighbours)):
        curve.append(advance(state, loss, data, until=step, samples=samples, neighbours=neighbours))
        if curve[-1].failure is not None:
            break
    outcome = curve.pop()
    if job.state is not None and outcome.metrics is not None and until < job.recipe.steps:
        with suppress(OSError, MemoryError):  # without it the next job trains from the start
            checkpoint.save(Path(job.state), state)
    wanted = job.preview > 0 and outcome.metrics is not None
    return TrialReply(outcome, preview(state, job.preview) if wanted else None, tuple(curve))


def settled(
    completed: Completed, *, seed: int, recipe: Recipe, dataset: str, identities: tuple[str, str]
) -> TrialReply:
    """Return what a job came to: its reply, or a named failure where its worker was lost or stopped.

    Args:
        completed: from the executor that ran :func:`run_job`.
        seed: the job's.
        recipe: the job's.
        dataset: what the images are called in a message.
        identities: digests of the data and of the extractor that the job's run began with.

    Raises:
        InputError: what the job was given was wrong, or its data or extractor are others.
    """
    reply, failure = completed.value, completed.failure
    if isinstance(reply, TrialReply):
        found = (reply.outcome.data, reply.outcome.extractor)
        if found != identities:
            raise InputError(
                f"dataset {dataset}: must be the images that the run began with (digests {', '.join(identities)}), "
                f"got others ({', '.join(found)})"
            )
        return reply
    if failure is not None and failure.kind == "wrong input":
        raise InputError(failure.message)
    kind = FailureKind.CRASHED if failure is None else FailureKind(failure.kind)
    message = "the job gave no reply" if failure is None else failure.message
    data, extractor = identities
    outcome = Outcome(
        step=0,
        seed=seed,
        metrics=None,
        failure=Failure(kind=kind, message=message),
        data=data,
        extractor=extractor,
        recipe=recipe.digest(),
    )
    return TrialReply(outcome, None)


def _left_by_another(job: TrialJob, loss: GANLoss, until: int) -> TrainingState | None:
    """Return the state that an earlier job of the same run left, or None."""
    if job.state is None or not checkpoint.exists(Path(job.state)):
        return None
    try:
        state = checkpoint.load(Path(job.state), device=job.device)
    except (InputError, OSError):
        return None
    same = (state.recipe, state.seed, state.loss) == (job.recipe, job.seed, loss.name)
    return state if same and state.step <= until else None


@torch.no_grad()
def _mean_output(state: TrainingState, images: Tensor, labels: Tensor | None) -> float:
    discriminator = state.gan.discriminator.eval()
    told = () if labels is None else (labels[: len(images)][:LOOKED_AT].to(state.device),)
    try:
        logits: Tensor = discriminator(scaled(images[:LOOKED_AT]).to(state.device), *told)
    finally:
        discriminator.train()
    return float(logits.float().sigmoid().mean())


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or ["out of memory"])[0][:200]
