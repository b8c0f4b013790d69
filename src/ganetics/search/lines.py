"""What a line of a search's archive must hold for the search to go on from it, and for a page to be made of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from ganetics.execution.lines import Line


class Failed(Line):
    """How a trial failed."""

    kind: str


class Metrics(Line):
    """What is read of a trial's metrics."""

    fid: float


class Came(Line):
    """What is read of an outcome."""

    metrics: Metrics | None
    failure: Failed | None


class Born(Line):
    """How a candidate came about."""

    expression: str
    complexity: int
    signature: str
    origin: str
    parents: list[int]
    rejected: dict[str, int]


class TrialLine(Line):
    """A trial, as :func:`ganetics.search.run.trial_line` writes it."""

    kind: Literal["trial"]
    index: int
    candidate: int
    rung: int
    rate: float
    seed: int
    outcome: Came
    born: Born | None = None


class FinalLine(Line):
    """A run of the last round, as :func:`ganetics.search.finals.final_line` writes it."""

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
