"""What a benchmark's runs took: of the machine that they were made on, and so apart from its tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

Line = Mapping[str, Any]
TIMED = ("index", "cpu_seconds", "wall_seconds")
"""What a line of ``timings.jsonl`` has that is of a run."""


@dataclass(frozen=True)
class Times:
    """What the runs of a loss took in one phase, training and scores: medians, in seconds.

    Attributes:
        dataset: of all runs.
        recipe: its name.
        steps: of a run.
        phase: which runs.
        loss: its label.
        runs: those that ended and whose times are known; one that failed is stopped early and is not counted.
        cpu_seconds: on all cores together.
        wall_seconds: longer where other runs were at work beside it.
    """

    dataset: str
    recipe: str
    steps: int
    phase: str
    loss: str
    runs: int
    cpu_seconds: float
    wall_seconds: float


def times(lines: Iterable[Line], timings: Iterable[Line]) -> tuple[Times, ...]:
    """Return what runs took, by phase and loss, in the order of the archive.

    Args:
        lines: of an archive.
        timings: lines of ``timings.jsonl``; some may be missing, and those that lack a number are passed over.
    """
    costs = {cost["index"]: cost for cost in timings if numeric(cost, *TIMED)}  # of a run made twice the last counts
    timed: dict[tuple[str, str], list[tuple[Line, Line]]] = defaultdict(list)
    for line in lines:
        cost = costs.get(line["index"])
        if line["fid"] is not None and cost is not None:
            timed[line["phase"], line["loss"]].append((line, cost))
    found = []
    for (phase, loss), own in timed.items():
        cpu, wall = (round(median(cost[name] for _, cost in own), 3) for name in ("cpu_seconds", "wall_seconds"))
        first = own[0][0]
        found.append(Times(first["dataset"], first["recipe"], first["steps"], phase, loss, len(own), cpu, wall))
    return tuple(found)


def numeric(line: Line, *names: str) -> bool:
    """Tell whether a line has a number under each of these names: no timing is worth a table that is not made."""
    return all(isinstance(line.get(name), int | float) for name in names)
