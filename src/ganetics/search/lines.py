"""Lines of a search's archive: how they are written, and what they must hold for the search to go on from them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from ganetics.execution import lines as read
from ganetics.records import Outcome, log_distance

if TYPE_CHECKING:  # a report reads lines without PyTorch
    from ganetics.search.finals import Final
    from ganetics.search.rungs import Trial

Line = dict[str, Any]
"""As JSON has it."""


class Failed(read.Line):
    """How a trial failed."""

    kind: str


class Metrics(read.Line):
    """What is read of a trial's metrics."""

    fid: float


class Came(read.Line):
    """What is read of an outcome."""

    metrics: Metrics | None
    failure: Failed | None


class Born(read.Line):
    """How a candidate came about."""

    expression: str
    complexity: int
    signature: str
    origin: str
    parents: list[int]
    rejected: dict[str, int]


class TrialLine(read.Line):
    """A trial, as :func:`trial_line` writes it."""

    kind: Literal["trial"]
    index: int
    candidate: int
    rung: int
    rate: float
    seed: int
    outcome: Came
    born: Born | None = None


class FinalLine(read.Line):
    """A run of the last round, as :func:`final_line` writes it."""

    kind: Literal["final"]
    index: int
    expression: str
    name: str | None
    rate: float
    seed: int
    outcome: Came
    preview: str | None
    paired: bool = False


LINES: TypeAdapter[list[TrialLine | FinalLine]] = TypeAdapter(
    list[Annotated[TrialLine | FinalLine, Field(discriminator="kind")]]
)
"""All lines of an archive."""


def trial_line(trial: Trial, outcome: Outcome) -> Line:
    """Return the archive's line of a trial; of a candidate's first, with how it came about."""
    line: Line = {
        "kind": "trial",
        "index": trial.index,
        "candidate": trial.candidate.number,
        "rung": trial.rung,
        "rate": trial.rate,
        "seed": trial.seed,
        "outcome": outcome.model_dump(mode="json"),
    }
    if trial.born:
        one = trial.candidate
        line["born"] = {
            "expression": one.text,
            "complexity": one.complexity,
            "signature": one.signature,
            "origin": one.origin,
            "parents": list(one.parents),
            "rejected": one.rejected,
        }
    return line


def final_line(final: Final, outcome: Outcome) -> Line:
    """Return the archive's line of a run of the last round; a rival without an expression is there by its name."""
    return {
        "kind": "final",
        "index": final.index,
        "expression": final.expression,
        **({"paired": True} if final.paired else {}),
        "name": final.name,
        "rate": final.rate,
        "seed": final.seed,
        "outcome": outcome.model_dump(mode="json"),
        "preview": final.preview if outcome.metrics is not None else None,
    }


def fid_of(line: Line) -> float | None:
    """Return the Fréchet distance that a line says, or None for a failure."""
    metrics = line["outcome"]["metrics"]
    return None if metrics is None else float(metrics["fid"])


def log_fid_of(line: Line) -> float:
    """Return its logarithm, infinite for a failure."""
    fid = fid_of(line)
    return math.inf if fid is None else log_distance(fid)
