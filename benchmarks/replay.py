"""What racing, twin hash, screen and a surrogate would save: by replay of the curve pool, without training.

    python benchmarks/replay.py [--pool results/curve-pool] [--data-dir DIR]

Reads the pool that ``benchmarks/curve_pool.py`` filled, all seeds that every loss has, and writes ``summary.json``
beside it. With ``--data-dir`` it first measures what a step and a scoring cost (half a minute) and keeps that in
``cost.json``. All qualities are log Fréchet distances; a failed run counts 15. Three figures in brackets are a value
and its 90 % range by bootstrap over losses, resampled pools or splits; ``saves`` is how many times fewer core seconds a
ladder needs than the plain way (full training of each, one seed) for the expected quality that that reaches with 30, 60
and 120 candidates.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from replay_pool import STEPS, Pool, correlations, good, noise, read
from replay_racing import Cost, Ladder, Rung, racing
from replay_surrogate import preselected, surrogate
from replay_twins import screened, twins

from ganetics._random import numpy_generator
from ganetics.records import to_json, write_json

NAMED = (
    Ladder((Rung(150, 1), Rung(300, 2), Rung(600, 3)), 3),
    Ladder((Rung(75, 1), Rung(300, 1), Rung(600, 3)), 4),
    Ladder((Rung(75, 1), Rung(150, 1), Rung(600, 2)), 3),
    Ladder((Rung(75, 1), Rung(300, 1), Rung(600, 2)), 4),
)
"""Ladders looked at whatever the others give; the last is the one in use, up to where its rates begin."""
TARGETS = (30, 60, 120)
"""Candidates of the plain way, full training of each with one seed."""
CHEAP = 0.2
"""A scoring of 1,000 images without kernel distance, of one of 5,000 with it: measured 0.16 s and 0.8 s."""


def measure_cost(data_dir: str) -> Cost:
    """Measure a start, a step and a scoring in this process, one thread."""
    from ganetics.catalogue import loss_named_or_parsed
    from ganetics.execution.process import prepare
    from ganetics.training import RECIPES, start, train
    from ganetics.trial import load_trial_data, score

    prepare()
    recipe, loss = RECIPES["mnist"], loss_named_or_parsed("least-squares")
    data = load_trial_data("mnist", data_dir, recipe)
    times: dict[str, list[float]] = {"start": [], "step": [], "score": []}

    def timed(name: str, action: Callable[[], object], per: int = 1) -> None:
        begin = time.process_time()
        action()
        times[name].append((time.process_time() - begin) / per)

    for seed in range(4):  # the first of each pays for what is made once, which the median leaves out
        timed("start", lambda seed=seed: start(recipe, seed))  # type: ignore[misc]
        state = start(recipe, seed)
        for until in (100, 200):
            timed("step", lambda u=until, s=state: train(s, loss, data.train.images, until=u), 100)  # type: ignore[misc]
            timed("score", lambda s=state: score(s, data))  # type: ignore[misc]
    return Cost(**{name: float(np.median(values)) for name, values in times.items()})


def scaled(cost: Cost, pool: Pool) -> Cost:
    """Return the cost at the pool's own speed: a run there was a start, 600 steps and five scorings."""
    factor = pool.cpu_seconds / (cost.start + STEPS[-1] * cost.step + len(STEPS) * cost.score)
    return Cost(cost.start * factor, cost.step * factor, cost.score * factor)


def catalogue(pool: Pool) -> dict[str, Any]:
    """Return the catalogue's losses: log FID, and how many survivors are better."""
    end = pool.curves[:, :, -1].mean(axis=1)
    survivors = end[pool.kinds == "survivor"]
    found = {pool.losses[i]: float(end[i]) for i in np.flatnonzero(pool.kinds == "catalogue")}
    return {name: [round(value, 3), int((survivors < value).sum())] for name, value in found.items()}


def summary(pool: Pool, cost: Cost, *, replicates: int) -> dict[str, Any]:
    survivors, seeds = pool.of("survivor"), pool.curves.shape[1]
    found: dict[str, Any] = {
        "command": "python benchmarks/replay.py",
        "pool": {"losses": dict(Counter(pool.kinds.tolist())), "seeds": seeds},
        "core_seconds": {name: round(value, 4) for name, value in asdict(cost).items()},
        "catalogue": catalogue(pool),
        "screen": screened(pool),
        "twins": twins(pool, numpy_generator(0, "twins")),
        "surrogate": surrogate(pool, numpy_generator(0, "surrogate")),
        "correlation": {},
        "noise": {},
    }
    for name, share in (("survivors", 1.0), ("better half", 0.5), ("best quarter", 0.25)):
        curves = survivors[good(survivors, share)]
        found["correlation"][name] = correlations(curves, numpy_generator(0, "correlation"))
        if seeds > 1:
            found["noise"][name] = noise(curves, numpy_generator(0, "noise"))
    if seeds == 1:
        found["pool"]["note"] = "one seed: races run without noise, and ladders of one seed look better than they are"
    found["racing"] = {
        name: raced(pool, price, replicates=replicates)
        for name, price in (("as now", cost), ("cheap early scores", replace(cost, early=CHEAP)))
    }
    return found


def raced(pool: Pool, cost: Cost, *, replicates: int) -> dict[str, Any]:
    """Return the races of random survivors, and of the better half: a search's children are better than random."""
    random, survivors = numpy_generator(0, "racing"), pool.of("survivor")
    half = survivors[good(survivors, 0.5)]
    everyone, best = racing(survivors, cost, random, targets=TARGETS, named=NAMED, replicates=replicates)
    half_targets = [target // 2 for target in TARGETS]
    better, best_half = racing(half, cost, random, targets=half_targets, named=[*NAMED, best], replicates=replicates)
    chosen = preselected(pool, list(dict.fromkeys([best, best_half])), cost, random, targets=TARGETS)
    return {"survivors": everyone, "better half": better, "survivors, the best predicted of 8": chosen}


def table(title: str, rows: dict[str, Any]) -> str:
    """Return rows of figures under a title, a line a row."""
    width = max(len(str(name)) for name in rows)
    lines = [
        f"  {name!s:<{width}}  {value if isinstance(value, str) else to_json(value)}" for name, value in rows.items()
    ]
    return "\n".join([title, *lines, ""])


def readable(found: dict[str, Any]) -> str:
    parts = [table("pool", {name: found[name] for name in ("pool", "core_seconds")})]
    parts.append(table("catalogue: log FID, survivors that are better", found["catalogue"]))
    parts.append(table("screen: what the rejected would have done", found["screen"]))
    parts.append(table("twins", found["twins"]))
    for group, ways in found["correlation"].items():
        for way, steps in ways["spearman"].items():
            parts.append(table(f"Spearman with log FID at 600 steps, {way}, {group} (n {ways['n']})", steps))
    for group, steps in found["noise"].items():
        parts.append(table(f"noise, {group}", steps))
    for price, streams in found["racing"].items():
        for stream, result in streams.items():
            rows = {row["ladder"]: {k: v for k, v in row.items() if k != "ladder"} for row in result.get("best", [])}
            facts = {k: v for k, v in result.items() if k != "best"}
            parts.append(table(f"racing, times less than plain, {price}, {stream}", rows | facts))
    for name, rows in found["surrogate"].items():
        parts.append(table(f"surrogate, {name}", rows))
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, default=Path("results/curve-pool"))
    parser.add_argument("--data-dir")
    parser.add_argument("--seeds", type=int, help="only the losses that have so many; default: as many as all have")
    parser.add_argument("--replicates", type=int, default=40)
    given = parser.parse_args()
    costs = given.pool / "cost.json"
    if given.data_dir:
        measured = asdict(measure_cost(given.data_dir))
        write_json(costs, measured)
    pool = read(given.pool, given.seeds)
    cost = scaled(Cost(**json.loads(costs.read_text(encoding="utf-8"))), pool)
    found = summary(pool, cost, replicates=given.replicates)
    write_json(given.pool / "summary.json", found)
    print(readable(found))


if __name__ == "__main__":
    main()
