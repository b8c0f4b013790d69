"""What climbs a search's rungs: candidates, their training runs, and who of a rung goes on.

Rungs are those of successive halving, asynchronous as in Li et al. 2020 (ASHA, arXiv 1810.05934), but in a fixed order.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heappop, heappush

from ganetics.expressions.primitives import Array
from ganetics.expressions.text import parse
from ganetics.expressions.tree import Expression
from ganetics.search.objectives import FAILED

Run = tuple[float, int]
"""Factor of the learning rate, number of the seed."""
Scored = tuple[int, int | None]
"""As :attr:`ganetics.search.config.Rung.scored`."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A loss, and how it came about."""

    number: int
    text: str
    complexity: int
    signature: str
    origin: str
    """"guess", "random", "crossover" or the name of a mutation."""
    parents: tuple[int, ...] = ()
    """Numbers of candidates."""
    rejected: dict[str, int] = field(default_factory=dict)
    """What the screen rejected on the way to it, by reason."""

    @cached_property
    def expression(self) -> Expression:
        """The loss."""
        return parse(self.text)


@dataclass(frozen=True, eq=False)
class Trial:
    """A training run to be made."""

    index: int
    candidate: Candidate
    born: bool
    """Whether it is the candidate's first."""
    rung: int
    steps: int
    """Updates over all rungs: a run of the rung before is gone on with."""
    run: Run
    seed: int
    """The seed that the run's number stands for."""

    @property
    def rate(self) -> float:
        """Factor of the recipe's learning rate."""
        return self.run[0]


@dataclass
class Climb:
    """A candidate on its way up."""

    candidate: Candidate
    rung: int = 0
    """Where it is, or is on the way to."""
    shape: Array | None = None
    """Of the loss, for guesses at others; made when first needed."""
    values: dict[Scored, dict[Run, float]] = field(default_factory=dict)
    """Log Fréchet distances by how they were scored, and by run."""


class Level:
    """Those that finished a rung."""

    def __init__(self) -> None:
        self.finished: list[tuple[float, int]] = []
        """Score and number, best first."""
        self._waiting: list[tuple[float, int]] = []
        self._gone = 0

    def add(self, score: float, number: int) -> None:
        insort(self.finished, (score, number))
        if score < FAILED:
            heappush(self._waiting, (score, number))

    def promoted(self, share: float) -> int | None:
        """Return the number of who goes on, and let it go; None: nobody yet.

        The best who waits goes on if it is within the best share, and no more than that share have gone on before: in a
        search that gets better nearly everybody is among the best for a while.
        """
        room = int(share * len(self.finished) + 1e-9)
        if not self._waiting or self._gone >= room or bisect_left(self.finished, self._waiting[0]) >= room:
            return None
        self._gone += 1
        return heappop(self._waiting)[1]
