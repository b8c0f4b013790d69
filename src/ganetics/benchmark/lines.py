"""What a line of a benchmark's archive must hold for plan, tables and page to be made of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter

from ganetics.execution.lines import Line

Point = Annotated[list[float], Field(min_length=2, max_length=2)]
"""Step and Fréchet distance."""


class Best(Line):
    """The best checkpoint that was scored."""

    step: int
    fid: float


class Failed(Line):
    """How a run failed."""

    kind: str
    step: int | None


class RunLine(Line):
    """A run: of what :func:`ganetics.benchmark.run.run_line` writes all that is read again."""

    index: int
    phase: str
    dataset: str
    loss: str
    expression: str | None
    rate: float
    lr: float
    batch_size: int
    seed: int
    recipe: str
    steps: int
    split: str
    extractor: str
    extractor_digest: str
    n: int
    fid: float | None
    kid: float | None
    precision: float | None
    recall: float | None
    density: float | None
    coverage: float | None
    collapsed: bool
    curve: list[Point]
    best: Best | None
    failure: Failed | None


RUNS: TypeAdapter[list[RunLine]] = TypeAdapter(list[RunLine])
"""All lines of an archive."""
