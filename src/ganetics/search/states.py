"""Where trials leave the state that the next rung's trial goes on from: a cache, nothing depends on it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from ganetics.execution import Executor
from ganetics.search.config import SearchConfig
from ganetics.search.evolve import Search
from ganetics.search.rungs import Trial

TIDY_EVERY = 50
"""Trials between two looks for states that nobody will go on from."""


class States:
    """The states of a search: a folder for each candidate, in it one for each seed."""

    def __init__(self, run: Path, config: SearchConfig, executor: Executor) -> None:
        self._rungs = config.rungs
        self._folder = _folder(run, config, executor)

    def folder_of(self, trial: Trial) -> str | None:
        """Return where a trial finds its state and leaves it; None if no other trains on from it."""
        if trial.rate != 1.0 or self._rungs[0].steps >= self._rungs[-1].steps:
            return None
        return str(self._folder / f"{trial.candidate.number}" / f"{trial.run[1]}")

    def tidy(self, search: Search, *, after: int) -> None:
        """Remove what nobody is expected to go on from, now and then; whoever does trains from the start."""
        if after % TIDY_EVERY:
            return
        with suppress(OSError):
            for folder in list(self._folder.iterdir()):
                number = int(folder.name) if folder.name.isdecimal() else len(search.candidates)
                known = search.candidates[number : number + 1]
                if any(map(search.hopeless, known)):
                    shutil.rmtree(folder, ignore_errors=True)

    def remove(self) -> None:
        """Remove all."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _folder(run: Path, config: SearchConfig, executor: Executor) -> Path:
    """Where workers leave states: in the run's folder, or where workers are elsewhere in their temporary folder."""
    if executor.shares_files:
        return run.resolve() / "states"
    # another run in a folder of this name, whose states may still lie there, is another one
    name = hashlib.sha256(f"{run.resolve()} {config.digest()}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"ganetics-{name}"
