"""A search's folder as a report sees it: read only, so that a search may be at work in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ganetics._check import InputError
from ganetics.benchmark.estimate import Estimate, estimate
from ganetics.execution.lines import check_lines
from ganetics.execution.log import Log, read_config_as
from ganetics.expressions.text import parse
from ganetics.expressions.tree import Expression
from ganetics.records import log_distance, optional_object
from ganetics.search.config import SearchConfig
from ganetics.search.fame import finished_rung, hall_of_fame
from ganetics.search.lines import LINES
from ganetics.search.objectives import FAILED, nondominated, objectives
from ganetics.search.pairs import PAIRS, trained_as

Line = dict[str, Any]
ORIGINS: Mapping[str, str] = {
    "guess": "given as a guess",
    "random": "random tree",
    "subtree": "subtree mutation",
    "point": "point mutation",
    "constant": "constant mutation",
    "copy": "one term made from another",
}
"""What the archive's names of origins mean, where they do not say it themselves."""


@dataclass(frozen=True)
class Trial:
    """A training run of the search."""

    index: int
    candidate: int
    """Number of the loss."""
    rung: int
    steps: int
    """Updates of the generator, over all rungs."""
    rate: float
    """Factor of the recipe's learning rate."""
    seed: int
    fid: float | None
    failure: str | None


@dataclass(frozen=True)
class Candidate:
    """A loss of the search, and how far it came."""

    number: int
    text: str
    complexity: int
    origin: str
    parents: tuple[int, ...]
    """Numbers of candidates."""
    rejected: dict[str, int]
    """What the screen rejected on the way to it, by reason."""
    trials: tuple[Trial, ...]
    """Its runs, in order."""
    rung: int | None
    """The highest rung that it finished; None: not even the first."""
    compared: tuple[Trial, ...]
    """Its runs that were scored as that rung's are, at the recipe's own rate: what it was measured by."""

    @property
    def label(self) -> str:
        """What it is called."""
        return f"candidate {self.number}"

    @property
    def history(self) -> str:
        """How it came about, in words."""
        parents = " and ".join(str(parent) for parent in self.parents)
        of = f" of candidate{'s' if len(self.parents) > 1 else ''} {parents}" if parents else ""
        return f"{ORIGINS.get(self.origin, self.origin)}{of}, in trial {self.trials[0].index}"

    @cached_property
    def fid(self) -> float | None:
        """Geometric mean of the Fréchet distances of :attr:`compared`; None if there are none, or one failed."""
        fids = [trial.fid for trial in self.compared if trial.fid is not None]
        found = estimate(fids) if len(fids) == len(self.compared) else None
        return None if found is None else found.mean

    @property
    def failure(self) -> str | None:
        """How the first of its runs that failed did; None if none failed."""
        return next((trial.failure for trial in self.trials if trial.fid is None), None)


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
    candidate: int | None
    """Its number in the search; None for a rival that the search was not given."""
    search_fid: float | None
    """What the search saw: :attr:`Candidate.fid`."""
    front: bool
    """Whether no other of the last round is as good in quality, robustness and complexity."""
    best_rate: float
    finals: tuple[Final, ...]
    paired: bool = False
    """Whether pairs are taken of it."""

    @property
    def written(self) -> str:
        """The loss as a command takes it."""
        return trained_as(self.text, PAIRS if self.paired else "")

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
    candidates: tuple[Candidate, ...]
    """By number."""
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
    def best(self) -> Candidate | None:
        """The best candidate so far: of those that finished the highest rung the one of the smallest distance."""
        alive = [one for one in self.candidates if one.rung is not None and one.fid is not None]
        return min(alive, key=lambda one: (-(one.rung or 0), one.fid, one.number), default=None)

    @property
    def complete(self) -> list[Candidate]:
        """Those that finished the last rung."""
        return [one for one in self.candidates if one.rung == len(self.config.rungs) - 1]

    @cached_property
    def front(self) -> list[Candidate]:
        """Those of them that no other dominates in quality, robustness and complexity."""
        complete, last = self.complete, len(self.config.rungs) - 1
        points = [objectives(_log_fids(self.config, one, last), one.complexity) for one in complete]
        return [one for one, kept in zip(complete, nondominated(points), strict=True) if kept]

    @property
    def elapsed(self) -> float | None:
        """Seconds, over all the times that the search was gone on with; None: not recorded."""
        return max((float(line["elapsed_seconds"]) for line in self.timings if "elapsed_seconds" in line), default=None)


def read_search(folder: Path) -> SearchRun:
    """Read a search's folder.

    Raises:
        InputError: there is no search in it, or a file is damaged; names the file.
    """
    config = read_config_as(SearchConfig, folder)
    archive = Log(folder / "archive.jsonl")
    lines = archive.read()
    check_lines(LINES, lines, where=archive.path)
    try:
        trials = tuple(_trial(config, line) for line in lines if line["kind"] == "trial")
        candidates = _candidates(config, lines, trials)
        contenders = tuple(_contender(entry, candidates) for entry in hall_of_fame(config, lines))
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"{archive.path}: must hold trials and finals, got a line that lacks {error}") from None
    return SearchRun(
        path=folder,
        config=config,
        trials=trials,
        candidates=candidates,
        contenders=contenders,
        timings=tuple(Log(folder / "timings.jsonl", skip_damaged=True).read()),
        environment={name: str(value) for name, value in optional_object(folder / "environment.json").items()},
        reference=optional_object(folder / "reference.json"),
        finished=(folder / "hall_of_fame.json").exists(),
    )


def _trial(config: SearchConfig, line: Line) -> Trial:
    metrics, failure = line["outcome"]["metrics"], line["outcome"]["failure"]
    return Trial(
        index=line["index"],
        candidate=line["candidate"],
        rung=line["rung"],
        steps=config.rungs[line["rung"]].steps,
        rate=line["rate"],
        seed=line["seed"],
        fid=None if metrics is None else metrics["fid"],
        failure=None if failure is None else failure["kind"],
    )


def _candidates(config: SearchConfig, lines: Sequence[Line], trials: Sequence[Trial]) -> tuple[Candidate, ...]:
    runs: dict[int, list[tuple[Line, Trial]]] = defaultdict(list)
    for line, trial in zip((line for line in lines if line["kind"] == "trial"), trials, strict=True):
        runs[trial.candidate].append((line, trial))
    return tuple(_candidate(config, number, runs[number]) for number in range(len(runs)))


def _candidate(config: SearchConfig, number: int, runs: Sequence[tuple[Line, Trial]]) -> Candidate:
    born, trials = runs[0][0]["born"], tuple(trial for _, trial in runs)
    rung = finished_rung(config, [line for line, _ in runs])
    return Candidate(
        number=number,
        text=born["expression"],
        complexity=born["complexity"],
        origin=born["origin"],
        parents=tuple(born["parents"]),
        rejected=born["rejected"],
        trials=trials,
        rung=rung,
        compared=tuple(trial for trial in _comparable(config, trials, rung) if trial.rate == 1.0),
    )


def _comparable(config: SearchConfig, trials: Sequence[Trial], rung: int | None) -> list[Trial]:
    """Return the trials that were scored as this rung's are."""
    scored = None if rung is None else config.rungs[rung].scored
    return [trial for trial in trials if config.rungs[trial.rung].scored == scored]


def _log_fids(config: SearchConfig, candidate: Candidate, rung: int) -> dict[tuple[float, int], float]:
    runs = _comparable(config, candidate.trials, rung)
    return {(run.rate, run.seed): FAILED if run.fid is None else log_distance(run.fid) for run in runs}


def _contender(entry: Line, candidates: Sequence[Candidate]) -> Contender:
    number, name = entry["candidate"], entry["name"]
    found = None if number is None or name is not None else candidates[number]
    return Contender(
        label=name or ("not of the search" if found is None else found.label),
        badge=entry["origin"],
        text=entry["expression"],
        complexity=entry["complexity"],
        history=None if found is None else found.history,
        candidate=number,
        search_fid=entry["search_fid"],
        front=entry["front"],
        best_rate=entry["best_rate"],
        finals=tuple(Final(**run) for run in entry["finals"]),
        paired=entry.get("paired", False),
    )
