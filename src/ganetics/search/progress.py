"""How far a search is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ganetics.search.config import SearchConfig
from ganetics.search.evolve import Search
from ganetics.search.lines import Line


@dataclass(frozen=True)
class Progress:
    """How far a search is."""

    phase: str
    """"search" or "finals"."""
    done: int
    total: int | None
    """None if the search ends by the clock."""
    best_fid: float | None
    """Smallest Fréchet distance of a trial of the search that was trained for all steps."""
    failed: int
    """Trials and runs of the last round that failed."""
    rejected: int
    """Trees that the screen has rejected so far."""
    rungs: tuple[int, ...]
    """Candidates that have been trained on each rung."""
    front: int
    """Losses on the front."""
    elapsed: float
    """Seconds, over all the times that the search was gone on with."""


class Tally:
    """What an archive holds so far."""

    def __init__(self, config: SearchConfig) -> None:
        self.lines: list[Line] = []
        self.trials: list[Line] = []
        self.finals: list[Line] = []
        self._on_rung: list[set[int]] = [set() for _ in config.rungs]
        self._failed = self._rejected = 0

    def add(self, line: Line) -> None:
        """Count a line."""
        self.lines.append(line)
        if line["kind"] == "final":
            self.finals.append(line)
        else:
            self.trials.append(line)
            self._on_rung[line["rung"]].add(line["candidate"])
        self._failed += line["outcome"]["metrics"] is None
        self._rejected += sum(line.get("born", {}).get("rejected", {}).values())

    def progress(self, phase: str, done: int, total: int | None, search: Search, elapsed: float) -> Progress:
        """Return how far the search is."""
        return Progress(
            phase,
            done,
            total,
            None if search.best is None else math.exp(search.best),
            self._failed,
            self._rejected,
            tuple(map(len, self._on_rung)),
            len(search.front),
            elapsed,
        )
