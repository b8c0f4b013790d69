"""Early stopping: evaluations on held-out images at fixed steps, and the best checkpoint of them."""

from __future__ import annotations

import math
from pathlib import Path

from ganetics._files import write_atomically
from ganetics.execution.log import Log
from ganetics.records import Outcome, from_json, to_json
from ganetics.training import TrainingState, checkpoint
from ganetics.trial import TrialData, assessed


class Enough(Exception):  # noqa: N818 - not an error: training has come to its end
    """Evaluations have found nothing better for long enough, or the last step is evaluated."""

    def __init__(self, best: Outcome) -> None:
        super().__init__(f"the best is step {best.step}")
        self.best = best


class Evaluations:
    """The evaluations of a run so far, in ``evaluations.jsonl``, and the state of the best in ``best/``.

    An evaluation is written before any checkpoint of its step or a later one. So a run that goes on from a checkpoint
    has all evaluations up to there, and makes the later ones again, the same.

    Args:
        run: the run's folder.
        state: what is trained; evaluations of later steps than its own are forgotten.
        data: has the held-out images.
        patience: end after so many evaluations that were not the best.
        every: steps between two.
    """

    def __init__(self, run: Path, state: TrainingState, data: TrialData, *, patience: int, every: int) -> None:
        self._run, self._state, self._data = run, state, data
        self._patience, self._every = patience, every
        self._file = Log(run / "evaluations.jsonl")
        stored = (from_json(Outcome, to_json(line), where=str(self._file.path)) for line in self._file.read())
        # of a run that goes on beyond its first end, the recipe is another by now
        now = {"recipe": state.recipe.digest()}
        self._outcomes = [one.model_copy(update=now) for one in stored if one.step <= state.step]

    @property
    def best(self) -> Outcome | None:
        """The evaluation of the lowest kernel distance, the first if there are several."""
        return min(self._outcomes, key=kernel_distance, default=None)

    def after(self, step: int) -> Outcome | None:
        """Evaluate if it is time to, and keep the state if it is the best so far; return the new evaluation."""
        if step % self._every:
            return None
        found = assessed(self._state, self._data)
        self._outcomes.append(found)
        if self.best is found:
            checkpoint.save(self._run / "best", self._state)
        lines = "".join(to_json(one) + "\n" for one in self._outcomes)
        write_atomically(self._file.path, lines.encode())
        return found

    def end_if_enough(self) -> None:
        """End training if the evaluations say so, on all ranks together.

        Raises:
            Enough: they do.
        """
        best = self._state.ranks.agreed(self.best if self._enough() else None)
        if best is not None:
            raise Enough(best)

    def _enough(self) -> bool:
        if self.best is None:
            return False
        since = len(self._outcomes) - 1 - self._outcomes.index(self.best)
        return since >= self._patience or self._outcomes[-1].step == self._state.recipe.steps


def kernel_distance(outcome: Outcome) -> float:
    """Return the kernel distance; infinite for a failed evaluation."""
    return outcome.metrics["kid"] if outcome.metrics else math.inf
