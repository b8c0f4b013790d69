"""The hall of fame: who is best, made from the archive and from nothing else."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ganetics.expressions.symbolic import latex, mathml
from ganetics.expressions.text import parse
from ganetics.records import log_distance, write_json
from ganetics.search.config import SearchConfig
from ganetics.search.lines import Line, fid_of, log_fid_of
from ganetics.search.objectives import FAILED, Objectives, nondominated, objectives
from ganetics.search.pairs import PAIRS, nodes

NO_TREE = 10_000
"""Nodes that a loss counts as which is no expression."""


def hall_of_fame(config: SearchConfig, lines: Iterable[Line]) -> list[Line]:
    """Return the finalists and their rivals, best first.

    A loss is ranked by the mean log Fréchet distance over the final seeds at its own best rate; a rate with a failed
    run is worse than any without, and of two such the one with fewer failures is better. ``worst_log_fid`` is the worst
    over all rates and seeds, None if a run failed. ``front``: not all runs failed, and no other is as good in the
    search's three objectives. ``paired``, in pairs mode alone: pairs are taken of the expression, and no formula of one
    logit says it. A rival that is not separable has its name for an expression, and None for what is made from one.
    Before the last round has begun the list is empty.
    """
    groups: dict[tuple[str, str | None], list[Line]] = defaultdict(list)
    births: dict[str, Line] = {}
    trials: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        if line["kind"] == "final":
            groups[line["expression"], line["name"]].append(line)
            continue
        trials[line["candidate"]].append(line)
        if "born" in line:
            births[line["born"]["expression"]] = line
    found = []
    for (text, _), runs in groups.items():
        # in pairs mode a separable rival may have the text of what a candidate takes pairs of
        birth = births.get(text) if config.mode != PAIRS or "paired" in runs[0] else None
        found.append(_entry(config, runs, birth, [] if birth is None else trials[birth["candidate"]]))
    points = [_point(entry) for entry in found]
    for entry, point, front in zip(found, points, nondominated(points), strict=True):
        entry["front"] = front and point.quality < FAILED
    return sorted(found, key=_order)


def write_hall_of_fame(folder: Path, config: SearchConfig, lines: Sequence[Line]) -> list[Line]:
    """Write ``hall_of_fame.json`` from the archive's lines, and return what is in it."""
    fame = hall_of_fame(config, lines)
    write_json(folder / "hall_of_fame.json", fame)
    return fame


def _entry(config: SearchConfig, runs: Sequence[Line], birth: Line | None, trials: Sequence[Line]) -> Line:
    first = runs[0]
    paired = first.get("paired", False)
    expression = None if first["expression"] == first["name"] else parse(first["expression"])
    scores = {rate: _score([r for r in runs if r["rate"] == rate]) for rate in sorted({r["rate"] for r in runs})}
    best_rate = min(scores, key=lambda rate: (scores[rate], rate))
    values = [log_fid_of(run) for run in runs]
    mean = scores[best_rate][1]
    return {
        "expression": first["expression"],
        **({"paired": True} if paired else {}),
        "name": first["name"],
        "origin": _origin(first, birth),
        "latex": None if expression is None or paired else latex(expression),
        "mathml": None if expression is None or paired else mathml(expression),
        "complexity": None if expression is None else nodes(expression, PAIRS if paired else ""),
        "objectives": {
            "log_fid": mean if math.isfinite(mean) else None,
            "worst_log_fid": max(values) if all(map(math.isfinite, values)) else None,
        },
        "best_rate": best_rate,
        "failures": sum(not math.isfinite(value) for value in values),
        "seeds": sorted({run["seed"] for run in runs}),
        "candidate": None if birth is None else birth["candidate"],
        "search_fid": _search_fid(config, trials),
        "finals": [
            {
                "rate": run["rate"],
                "learning_rate": config.recipe.learning_rate * run["rate"],
                "seed": run["seed"],
                "fid": fid_of(run),
                "failure": _failure(run),
                "preview": run["preview"],
            }
            for run in runs
        ],
    }


def _point(entry: Line) -> Objectives:
    values = {
        (run["rate"], run["seed"]): FAILED if run["fid"] is None else log_distance(run["fid"])
        for run in entry["finals"]
    }
    return objectives(values, NO_TREE if entry["complexity"] is None else entry["complexity"])


def finished_rung(config: SearchConfig, trials: Sequence[Line]) -> int | None:
    """Return the highest rung of which a candidate has all runs; one scored the same way in a lower rung counts."""
    for number in range(len(config.rungs) - 1, -1, -1):
        plan = config.rungs[number]
        rates = Counter(line["rate"] for line in trials if config.rungs[line["rung"]].scored == plan.scored)
        if all(rates[rate] >= plan.seeds for rate in plan.rates):
            return number
    return None


def _search_fid(config: SearchConfig, trials: Sequence[Line]) -> float | None:
    """What the search saw at the recipe's own rate in the highest rung that the loss finished: a geometric mean."""
    rung = finished_rung(config, trials)
    if rung is None:
        return None
    scored = config.rungs[rung].scored
    values = [
        log_fid_of(line) for line in trials if line["rate"] == 1.0 and config.rungs[line["rung"]].scored == scored
    ]
    return math.exp(statistics.fmean(values)) if all(map(math.isfinite, values)) else None


def _origin(run: Line, birth: Line | None) -> str:
    """Return "catalogue" for a rival, "given" for a loss that the search began with, "evolved" for what it found."""
    if run["name"] is not None:
        return "catalogue"
    return "given" if birth is not None and birth["born"]["origin"] == "guess" else "evolved"


def _order(entry: Line) -> tuple[float, float, str]:
    at_best = [run for run in entry["finals"] if run["rate"] == entry["best_rate"]]
    failed = sum(run["fid"] is None for run in at_best)
    mean = entry["objectives"]["log_fid"]
    return (failed, math.inf if mean is None else mean, entry["expression"])


def _score(runs: Sequence[Line]) -> tuple[int, float]:
    """Failures, then the mean log Fréchet distance of the runs that did not fail."""
    values = [value for run in runs if math.isfinite(value := log_fid_of(run))]
    return (len(runs) - len(values), statistics.fmean(values) if values else math.inf)


def _failure(line: Line) -> str | None:
    failure = line["outcome"]["failure"]
    return None if failure is None else str(failure["kind"])
