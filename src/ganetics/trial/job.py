"""A trial as a message to another process, and what comes back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ganetics._check import InputError
from ganetics.catalogue import loss_named_or_parsed
from ganetics.execution import Completed, Shared
from ganetics.losses.contract import GANLoss
from ganetics.records import Failure, FailureKind, Outcome, Recipe
from ganetics.training import TrainingState, checkpoint, start
from ganetics.training.sampling import preview
from ganetics.trial.data import TrialData, load_trial_data
from ganetics.trial.outcome import advance

TIMEOUT = 20.0
"""Times the expected time of a trial: then something hangs."""
SCORING = {"efficientnet-lite0": 0.02, "inception": 0.5}
"""Extractor → seconds that an image takes at most, on a slow core; with the others it is next to none."""


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


def time_limit(recipe: Recipe, *, scores: int = 1) -> float:
    """Return the seconds after which a trial hangs, whatever extractor it is scored with, so many times."""
    return TIMEOUT * recipe.seconds + scores * recipe.eval_samples * SCORING.get(recipe.extractor, 0.0)


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


@lru_cache(maxsize=2)
def _kept_trial_data(dataset: str, data_dir: str | None, recipe: Recipe, groups: str | None, device: str) -> TrialData:
    return load_trial_data(dataset, data_dir, recipe, groups=groups, device=device)


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
