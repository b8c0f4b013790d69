"""The hall of fame: who is best, made from the archive and from nothing else."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from ganetics.expressions.symbolic import latex, mathml
from ganetics.expressions.text import parse
from ganetics.expressions.tree import complexity
from ganetics.records import SearchConfig

Line = dict[str, Any]


def hall_of_fame(config: SearchConfig, lines: Iterable[Line]) -> list[Line]:
    """Return the finalists and their rivals, best first.

    A loss is ranked by the mean log Fréchet distance over the final seeds at its own best rate; a rate with a failed
    run is worse than any without, and of two such the one with fewer failures is better. ``worst_log_fid`` is the worst
    over all rates and seeds, None if a run failed. A rival that is not separable has its name for an expression, and
    None for what is made from one. Before the last round has begun the list is empty.
    """
    groups: dict[tuple[str, str | None], list[Line]] = defaultdict(list)
    trials: dict[str, Line] = {}
    for line in lines:
        if line["kind"] == "final":
            groups[line["expression"], line["name"]].append(line)
        else:
            trials.setdefault(line["expression"], line)
    entries = [_entry(config, runs, trials.get(text)) for (text, _), runs in groups.items()]
    return sorted(entries, key=_order)


def _entry(config: SearchConfig, runs: Sequence[Line], trial: Line | None) -> Line:
    first = runs[0]
    expression = None if first["expression"] == first["name"] else parse(first["expression"])
    scores = {rate: _score([r for r in runs if r["rate"] == rate]) for rate in sorted({r["rate"] for r in runs})}
    best_rate = min(scores, key=lambda rate: (scores[rate], rate))
    values = [_log_fid(run) for run in runs]
    mean = scores[best_rate][1]
    return {
        "expression": first["expression"],
        "name": first["name"],
        "origin": _origin(first, trial),
        "latex": None if expression is None else latex(expression),
        "mathml": None if expression is None else mathml(expression),
        "complexity": None if expression is None else complexity(expression),
        "objectives": {
            "log_fid": mean if math.isfinite(mean) else None,
            "worst_log_fid": max(values) if all(map(math.isfinite, values)) else None,
        },
        "best_rate": best_rate,
        "failures": sum(not math.isfinite(value) for value in values),
        "seeds": sorted({run["seed"] for run in runs}),
        "search_index": None if trial is None else trial["index"],
        "search_fid": _fid(trial) if trial is not None else None,
        "finals": [
            {
                "rate": run["rate"],
                "learning_rate": config.recipe.learning_rate * run["rate"],
                "seed": run["seed"],
                "fid": _fid(run),
                "failure": _failure(run),
                "preview": run["preview"],
            }
            for run in runs
        ],
    }


def _origin(run: Line, trial: Line | None) -> str:
    """Return "catalogue" for a rival, "given" for a loss that the search began with, "evolved" for what it found."""
    if run["name"] is not None:
        return "catalogue"
    return "given" if trial is not None and trial["origin"] == "guess" else "evolved"


def _order(entry: Line) -> tuple[float, float, str]:
    at_best = [run for run in entry["finals"] if run["rate"] == entry["best_rate"]]
    failed = sum(run["fid"] is None for run in at_best)
    mean = entry["objectives"]["log_fid"]
    return (failed, math.inf if mean is None else mean, entry["expression"])


def _score(runs: Sequence[Line]) -> tuple[int, float]:
    """Failures, then the mean log Fréchet distance of the runs that did not fail."""
    values = [value for run in runs if math.isfinite(value := _log_fid(run))]
    return (len(runs) - len(values), statistics.fmean(values) if values else math.inf)


def _fid(line: Line) -> float | None:
    metrics = line["outcome"]["metrics"]
    return None if metrics is None else float(metrics["fid"])


def _log_fid(line: Line) -> float:
    fid = _fid(line)
    return math.inf if fid is None else math.log(max(fid, 1e-12))


def _failure(line: Line) -> str | None:
    failure = line["outcome"]["failure"]
    return None if failure is None else str(failure["kind"])
