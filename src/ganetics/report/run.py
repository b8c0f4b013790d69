"""A search's folder as a report sees it: read only, so that a search may be at work in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ganetics._check import InputError
from ganetics.execution.log import Log, read_config_as
from ganetics.expressions.text import parse
from ganetics.expressions.tree import Expression
from ganetics.records import SearchConfig
from ganetics.report.statistics import Estimate, estimate
from ganetics.search.fame import hall_of_fame

Line = dict[str, Any]
ORIGINS: Mapping[str, str] = {
    "guess": "given as a guess",
    "random": "random tree",
    "subtree": "subtree mutation",
    "point": "point mutation",
    "constant": "constant mutation",
}
"""What the archive's names of origins mean, where they do not say it themselves."""


@dataclass(frozen=True)
class Trial:
    """A candidate that was trained."""

    index: int
    generation: int
    text: str
    origin: str
    parents: tuple[int, ...]
    rejected: dict[str, int]
    fid: float | None
    failure: str | None

    @property
    def history(self) -> str:
        """How it came about, in words."""
        parents = " and ".join(str(parent) for parent in self.parents)
        of = f" of trial{'s' if len(self.parents) > 1 else ''} {parents}" if parents else ""
        return f"{ORIGINS.get(self.origin, self.origin)}{of}, generation {self.generation}"


@dataclass(frozen=True)
class Final:
    """A training run of the last round."""

    rate: float
    learning_rate: float
    seed: int
    fid: float | None
    failure: str | None
    preview: str | None


@dataclass(frozen=True)
class Contender:
    """A loss of the last round: one that the search found, or a rival."""

    label: str
    badge: Literal["evolved", "given", "catalogue"]
    text: str
    complexity: int | None
    history: str | None
    """How it came about; None for a rival."""
    search_index: int | None
    """Its trial in the search."""
    search_fid: float | None
    best_rate: float
    finals: tuple[Final, ...]

    @property
    def rival(self) -> bool:
        """Whether it comes from the catalogue."""
        return self.badge == "catalogue"

    @property
    def expression(self) -> Expression | None:
        """The loss as an expression; None if it cannot be one."""
        return parse(self.text) if self.complexity is not None else None

    @property
    def at_best(self) -> list[Final]:
        """Its runs at its own best rate."""
        return [run for run in self.finals if run.rate == self.best_rate]

    @cached_property
    def estimate(self) -> Estimate | None:
        """Its Fréchet distance at its own best rate; None if all runs failed."""
        return estimate([run.fid for run in self.at_best if run.fid is not None])

    @property
    def failures(self) -> int:
        """Failed runs, over all rates."""
        return sum(run.fid is None for run in self.finals)

    @property
    def worst(self) -> float | None:
        """The largest Fréchet distance over all rates and seeds; None if a run failed."""
        return None if self.failures else max(run.fid for run in self.finals if run.fid is not None)


@dataclass(frozen=True)
class SearchRun:
    """What a search has recorded."""

    path: Path
    config: SearchConfig
    trials: tuple[Trial, ...]
    contenders: tuple[Contender, ...]
    """Best first; none before the last round."""
    timings: tuple[Line, ...]
    environment: dict[str, str]
    reference: Line
    """``reference.json``: ``floor`` and ``floor_n``; empty where there is none."""
    finished: bool

    @property
    def finals(self) -> int:
        """Runs of the last round."""
        return sum(len(contender.finals) for contender in self.contenders)

    @property
    def best_trial(self) -> Trial | None:
        """The candidate of the smallest Fréchet distance; None if there is none that did not fail."""
        alive = [trial for trial in self.trials if trial.fid is not None]
        return min(alive, key=lambda trial: (trial.fid, trial.index), default=None)


def read_search(folder: Path) -> SearchRun:
    """Read a search's folder.

    Raises:
        InputError: there is no search in it, or a file is damaged; names the file.
    """
    config = read_config_as(SearchConfig, folder)
    archive = Log(folder / "archive.jsonl")
    lines = archive.read()
    try:
        trials = tuple(_trial(line) for line in lines if line["kind"] == "trial")
        fame = hall_of_fame(config, lines)
        contenders = tuple(_contender(entry, trials) for entry in fame)
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"{archive.path}: must hold trials and finals, got a line that lacks {error}") from None
    return SearchRun(
        path=folder,
        config=config,
        trials=trials,
        contenders=contenders,
        timings=tuple(Log(folder / "timings.jsonl", skip_damaged=True).read()),
        environment={name: str(value) for name, value in _optional(folder / "environment.json").items()},
        reference=_optional(folder / "reference.json"),
        finished=(folder / "hall_of_fame.json").exists(),
    )


def _trial(line: Line) -> Trial:
    metrics, failure = line["outcome"]["metrics"], line["outcome"]["failure"]
    return Trial(
        index=line["index"],
        generation=line["generation"],
        text=line["expression"],
        origin=line["origin"],
        parents=tuple(line["parents"]),
        rejected=line["rejected"],
        fid=None if metrics is None else metrics["fid"],
        failure=None if failure is None else failure["kind"],
    )


def _contender(entry: Line, trials: Sequence[Trial]) -> Contender:
    index = entry["search_index"]
    trial = None if index is None or entry["name"] is not None else trials[index]
    return Contender(
        label=entry["name"] or f"trial {index}",
        badge=entry["origin"],
        text=entry["expression"],
        complexity=entry["complexity"],
        history=None if trial is None else trial.history,
        search_index=index,
        search_fid=entry["search_fid"],
        best_rate=entry["best_rate"],
        finals=tuple(Final(**run) for run in entry["finals"]),
    )


def _optional(path: Path) -> Line:
    """Return a JSON object from a file that need not be there."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: must be JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: must be a JSON object, got {type(found).__name__}")
    return found
