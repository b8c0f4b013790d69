"""What happens beside training: checkpoints, grids of samples, evaluations, events, progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ganetics._files import write_atomically
from ganetics.generation.evaluations import Evaluations, kernel_distance
from ganetics.generation.tracking import TensorBoard
from ganetics.records import RECORD_EVERY, to_json
from ganetics.training import TrainingState, checkpoint
from ganetics.training.sampling import preview

CHECKPOINT_SECONDS = 15.0
GRIDS = 20
"""About so many grids of samples over a run."""
GRID_IMAGES = 64

Progress = Callable[[int, int, str], None]
"""Called with the step, the steps in all, and a note."""


class Watcher:
    """Saves, draws, evaluates and tells while a run goes on."""

    def __init__(
        self,
        run: Path,
        state: TrainingState,
        *,
        evaluations: Evaluations | None,
        events: TensorBoard | None,
        on_progress: Progress | None,
    ) -> None:
        self.run, self.state = run, state
        self.evaluations, self.events, self.on_progress = evaluations, events, on_progress
        self.saved = time.monotonic()
        whole = -(-state.recipe.steps // GRIDS)
        self.grid_every = -(-whole // RECORD_EVERY) * RECORD_EVERY
        (run / "samples").mkdir(exist_ok=True)

    def after_record(self, record: dict[str, float]) -> None:
        """Do what is due after this step; called every 50.

        Raises:
            Enough: training is to end here.
        """
        if self.events is not None:
            self.events.scalars(self.state.step, "training", record)
        if self.state.step % self.grid_every == 0:
            self.grid()
        if self.evaluations is not None:
            self._evaluate(self.evaluations)
        if time.monotonic() - self.saved >= CHECKPOINT_SECONDS:
            self.save()
        if self.on_progress is not None:
            self.on_progress(self.state.step, self.state.recipe.steps, self._note(record))
        if self.evaluations is not None:
            self.evaluations.end_if_enough()

    def save(self) -> None:
        """Write a checkpoint and the history."""
        checkpoint.save(self.run / "checkpoint", self.state)
        self.write_history()
        self.saved = time.monotonic()

    def write_history(self) -> None:
        """Write the history as JSON lines."""
        lines = "".join(to_json(record) + "\n" for record in self.state.history)
        write_atomically(self.run / "history.jsonl", lines.encode())

    def grid(self) -> None:
        """Write a picture of samples."""
        picture = preview(self.state, GRID_IMAGES)
        write_atomically(self.run / "samples" / f"step-{self.state.step:06d}.png", picture)
        if self.events is not None:
            self.events.picture(self.state.step, "samples", picture)

    def _evaluate(self, evaluations: Evaluations) -> None:
        found = evaluations.after(self.state.step)
        if found is None:
            return
        if evaluations.best is found:
            write_atomically(self.run / "samples" / "best.png", preview(self.state, GRID_IMAGES))
        if self.events is not None and found.metrics is not None:
            self.events.scalars(self.state.step, "held-out", found.metrics)

    def _note(self, record: dict[str, float]) -> str:
        note = f"D(real) {record['d_real']:.2f}, D(fake) {record['d_fake']:.2f}"
        if "augment_p" in record:
            note += f", augmented {record['augment_p']:.0%}"
        best = None if self.evaluations is None else self.evaluations.best
        return note if best is None else f"{note}, best KID {kernel_distance(best):.3g} at step {best.step}"
