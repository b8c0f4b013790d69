"""Train a generator in a run folder that can be left and come back to.

A run folder holds ``config.json``, ``checkpoint/``, ``history.jsonl``, ``samples/`` (grids from the same latents as
training goes on) and, at the end, ``metrics.json``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics.catalogue import loss_named_or_parsed
from ganetics.data import resolved
from ganetics.execution.log import RunFolder, read_config_as
from ganetics.records import DataIdentity, ExtractorIdentity, Outcome, Recipe, Record, from_json, read_text, to_json
from ganetics.training import TrainingState, checkpoint, start
from ganetics.training.loop import RECORD_EVERY
from ganetics.trial import TrialData, advance, preview

CHECKPOINT_SECONDS = 15.0
GRIDS = 20
"""About so many grids of samples over a run."""
GRID_IMAGES = 64

Progress = Callable[[int, int, str], None]
"""Called with the step, the steps in all, and a note."""


class FitConfig(Record):
    """Everything that decides a run's result."""

    schema_version: Literal[1] = 1
    dataset: str
    """A named dataset, or the absolute path of a folder of images."""
    loss: str
    """Name in the catalogue, or the text of an expression."""
    recipe: Recipe
    seed: int
    data: DataIdentity
    extractor: ExtractorIdentity
    skipped: tuple[str, ...] = ()
    """Images of the folder that could not be read: path and reason."""


class FitResult(Record):
    """What a finished run came to."""

    schema_version: Literal[1] = 1
    outcome: Outcome
    n: int
    """Generated images that the metrics were made from."""
    n_real: int
    floor: float
    """Fréchet distance between two halves of the real images."""
    floor_n: int
    """Real images in each half."""
    extractor: ExtractorIdentity


def configuration(dataset: str, loss: str, recipe: Recipe, data: TrialData, *, seed: int) -> FitConfig:
    """Return the configuration of a run.

    Raises:
        InputError: the loss is neither a name of the catalogue nor an expression.
    """
    loss_named_or_parsed(loss)
    return FitConfig(
        dataset=resolved(dataset),
        loss=loss,
        recipe=recipe,
        seed=seed,
        data=data.train.identity,
        extractor=data.extractor.identity,
        skipped=data.skipped,
    )


def stored_configuration(run: Path) -> FitConfig:
    """Return the configuration in a run folder.

    Raises:
        InputError: there is none, or it is not one of a training run.
    """
    return read_config_as(FitConfig, run)


def fit(
    run: Path,
    config: FitConfig,
    data: TrialData,
    *,
    resume: bool = False,
    device: str = "cpu",
    on_progress: Progress | None = None,
) -> FitResult:
    """Train to the end of the recipe, saving on the way, and score.

    With ``resume`` a run goes on from its last checkpoint (some 15 seconds old); killed and resumed it ends with
    the same files as if it had never stopped, on the same machine. A finished run is returned as it is. Where training
    fails the last good checkpoint is kept, if there was one.

    Raises:
        InputError: the folder holds a run and ``resume`` is false; it holds another configuration (names the
            field); it holds none and ``resume`` is true; another process works in it.
        OSError: the disk is full or the folder not writable; the last checkpoint is intact.
    """
    with RunFolder(run) as folder:
        folder.begin(config.model_dump(mode="json"), resume=resume)
        finished = run / "metrics.json"
        if finished.exists():
            return from_json(FitResult, read_text(finished, "metrics"), where=str(finished))
        state = _state(run / "checkpoint", config, device)
        watcher = _Watcher(run, state, on_progress)
        outcome = advance(
            state,
            loss_named_or_parsed(config.loss),
            data,
            until=config.recipe.steps,
            on_record=watcher.after_record,
        )
        if outcome.failure is None:
            watcher.save()
            watcher.grid()
        else:
            watcher.write_history()
        result = FitResult(
            outcome=outcome,
            n=config.recipe.eval_samples,
            n_real=len(data.reference.features),
            floor=data.reference.floor,
            floor_n=data.reference.floor_count,
            extractor=data.extractor.identity,
        )
        write_atomically(finished, (to_json(result, indent=2) + "\n").encode())
        return result


def _state(folder: Path, config: FitConfig, device: str) -> TrainingState:
    if not checkpoint.exists(folder):
        return start(config.recipe, config.seed, device)
    state = checkpoint.load(folder, device=device)
    if (state.recipe, state.seed) != (config.recipe, config.seed):
        raise InputError(f"checkpoint {folder}: its recipe or seed is not that of the run's config.json")
    return state


class _Watcher:
    """Saves, draws and tells while a run goes on."""

    def __init__(self, run: Path, state: TrainingState, on_progress: Progress | None) -> None:
        self.run, self.state, self.on_progress = run, state, on_progress
        self.saved = time.monotonic()
        whole = -(-state.recipe.steps // GRIDS)
        self.grid_every = -(-whole // RECORD_EVERY) * RECORD_EVERY
        (run / "samples").mkdir(exist_ok=True)

    def after_record(self, record: dict[str, float]) -> None:
        if self.state.step % self.grid_every == 0:
            self.grid()
        if time.monotonic() - self.saved >= CHECKPOINT_SECONDS:
            self.save()
        if self.on_progress is not None:
            note = f"D(real) {record['d_real']:.2f}, D(fake) {record['d_fake']:.2f}"
            self.on_progress(self.state.step, self.state.recipe.steps, note)

    def save(self) -> None:
        checkpoint.save(self.run / "checkpoint", self.state)
        self.write_history()
        self.saved = time.monotonic()

    def write_history(self) -> None:
        lines = "".join(to_json(record) + "\n" for record in self.state.history)
        write_atomically(self.run / "history.jsonl", lines.encode())

    def grid(self) -> None:
        path = self.run / "samples" / f"step-{self.state.step:06d}.png"
        write_atomically(path, preview(self.state, GRID_IMAGES))


def summary(run: Path, config: FitConfig, result: FitResult) -> dict[str, Any]:
    """Return what the command prints as JSON."""
    outcome = result.outcome
    return {
        "run": str(run),
        "loss": config.loss,
        "recipe": config.recipe.name,
        "seed": config.seed,
        "step": outcome.step,
        "metrics": outcome.metrics,
        "failure": None if outcome.failure is None else outcome.failure.model_dump(mode="json"),
        "floor": result.floor,
        "floor_n": result.floor_n,
        "n": result.n,
        "n_real": result.n_real,
        "skipped": len(config.skipped),
        "extractor": result.extractor.name,
        "config_digest": config.digest(),
    }
