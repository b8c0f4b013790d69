"""Train on, sample, score: to an outcome."""

from __future__ import annotations

from collections.abc import Callable

from ganetics._check import InputError
from ganetics.execution.executor import lacks_memory
from ganetics.losses.contract import GANLoss
from ganetics.records import Failure, FailureKind, Outcome, Recipe
from ganetics.training import Diverged, TrainingState, start, train
from ganetics.trial.data import TrialData
from ganetics.trial.metrics import KERNEL_SUBSET_SIZE, KERNEL_SUBSETS, score


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


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or ["out of memory"])[0][:200]
