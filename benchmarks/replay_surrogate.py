"""Can log FID be predicted from a loss's slopes alone? For benchmarks/replay.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from replay_pool import FAILED, STEPS, Pool
from replay_racing import PLAIN, Cost, Ladder, savings, trajectory, world
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr

from ganetics.execution.log import Log
from ganetics.expressions.numeric import term_gradients
from ganetics.expressions.primitives import Array
from ganetics.expressions.text import parse
from ganetics.expressions.tree import Expression
from ganetics.search.screen import LOGITS

COMPRESSION = 300.0
"""Slopes, of 1 for each player's largest, count linearly up to 1/300 and by their logarithm above."""
RIDGE = 0.1
CEILING = 5.0
"""Log FIDs above are taken for this: a wrecked generator is as useless as a worse wrecked one."""
SIZES = (20, 50, 100)
CHOICES = (8, 16)


def features(losses: Sequence[Expression]) -> Array:
    """Return ``[n, 93]``: slopes of the real, fake and generator term, scaled for each player and compressed."""
    rows = []
    for loss in losses:
        slopes = term_gradients(loss, LOGITS)
        players = (np.concatenate([slopes.real, slopes.fake]), slopes.generator)
        rows.append(np.concatenate([part / max(float(np.abs(part).max()), 1e-300) for part in players]))
    return np.asarray(np.arcsinh(COMPRESSION * np.stack(rows)) / np.arcsinh(COMPRESSION), dtype=np.float64)


@dataclass(frozen=True)
class Ridge:
    """Kernel ridge regression, which is a Gaussian process's mean: Laplacian kernel, width the median distance."""

    points: Array
    weights: Array
    width: float
    mean: float

    @classmethod
    def fit(cls, x: Array, y: Array) -> Ridge:
        distances = cdist(x, x)
        width = float(np.median(distances[distances > 0])) if (distances > 0).any() else 1.0
        kernel = np.exp(-distances / width) + RIDGE * np.eye(len(x))
        return cls(x, np.linalg.solve(kernel, y - y.mean()), width, float(y.mean()))

    def predict(self, x: Array) -> Array:
        return np.asarray(np.exp(-cdist(x, self.points) / self.width) @ self.weights + self.mean, dtype=np.float64)


def leave_out(x: Array, seen: Array, y: Array, size: int, random: np.random.Generator) -> dict[str, float]:
    """Train on what was ``seen`` of ``size`` losses drawn at random, judge by ``y`` of the rest."""
    order = random.permutation(len(y))
    train, test = order[:size], order[size:]
    guess, truth = Ridge.fit(x[train], seen[train]).predict(x[test]), y[test]
    better = truth <= np.median(truth)
    bar = np.quantile(y, 0.25)
    found = {
        "r2": 1 - float(((truth - guess) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()),
        "spearman": float(spearmanr(guess, truth).statistic),
        "spearman_better_half": float(spearmanr(guess[better], truth[better]).statistic),
        "any": float(truth.mean()),
        "good_any": float((truth <= bar).mean()),
    }
    for choice in CHOICES:
        drawn = random.integers(len(test), size=(400, choice))
        chosen = truth[drawn[np.arange(400), guess[drawn].argmin(axis=1)]]
        found |= {
            f"chosen_of_{choice}": float(chosen.mean()),
            f"best_of_{choice}": float(truth[drawn].min(axis=1).mean()),
            f"good_chosen_of_{choice}": float((chosen <= bar).mean()),
        }
    return found


def on_pool(x: Array, seen: Array, y: Array, random: np.random.Generator, *, splits: int = 200) -> dict[str, Any]:
    """Return means and 90 % ranges over random splits, for training sets of rising size."""
    seen, y = np.minimum(seen, CEILING), np.minimum(y, CEILING)
    found: dict[str, Any] = {"n": len(y)}
    for size in [size for size in SIZES if size <= len(y) - 15]:
        runs = [leave_out(x, seen, y, size, random) for _ in range(splits)]
        columns = {name: np.array([run[name] for run in runs]) for name in runs[0]}
        found[str(size)] = {
            name: [round(float(v), 3) for v in (np.nanmean(c), *np.nanquantile(c, [0.05, 0.95]))]
            for name, c in columns.items()
        }
    return found


def on_search(x: Array, y: Array, generations: Array) -> dict[str, Any]:
    """Predict each generation of a finished search from all those before it, as the search itself would have to."""
    y = np.minimum(y, CEILING)
    rows = []
    for generation in np.unique(generations)[1:]:
        now, before = generations == generation, generations < generation
        guess = Ridge.fit(x[before], y[before]).predict(x[now])
        half = guess <= np.median(guess)
        rows.append([spearmanr(guess, y[now]).statistic, y[now].mean(), y[now][half].mean(), y[now].min(),
                     y[now][half].min()])  # fmt: skip
    names = ("spearman", "mean", "mean_of_better_guessed", "best", "best_of_better_guessed")
    table = np.round(np.array(rows, dtype=np.float64), 3)
    return {"trained_before": [int((generations < g).sum()) for g in np.unique(generations)[1:]]} | {
        name: table[:, column].tolist() for column, name in enumerate(names)
    }


def preselected(
    pool: Pool,
    raced: Sequence[Ladder],
    cost: Cost,
    random: np.random.Generator,
    *,
    targets: Sequence[int],
    models: int = 10,
) -> dict[str, Any]:
    """Return what ladders save whose candidates are the best predicted of eight.

    The surrogates see the other half of the survivors at 150 steps, one seed: what a search knows of most of its own.
    """
    survivor = np.flatnonzero(pool.kinds == "survivor")
    curves = pool.curves[survivor]
    x = features([parse(pool.losses[i]) for i in survivor])
    first = np.minimum(curves[:, 0, STEPS.index(150)], CEILING)
    guesses = np.empty((models, len(x)))
    for guess in guesses:
        halves = np.array_split(random.permutation(len(x)), 2)
        for train, test in (halves, halves[::-1]):
            guess[test] = Ridge.fit(x[train], first[train]).predict(x[test])
    plain = trajectory(PLAIN, world(curves, STEPS, random, streams=60), cost)
    drawn = world(curves, STEPS, random, streams=60, guesses=guesses)
    found: dict[str, Any] = {"trained_on": len(x) // 2}
    for one in (PLAIN, *raced):
        saves = savings(trajectory(one, drawn, cost), plain, cost, targets)
        found[one.name] = [None if math.isnan(v) else round(v, 2) for v in saves]
    return found


def surrogate(pool: Pool, search: Path, random: np.random.Generator) -> dict[str, Any]:
    """Return how well slopes predict log FID: on the pool, and on the children of a finished search."""
    survivor = np.flatnonzero(pool.kinds == "survivor")
    x, curves = features([parse(pool.losses[i]) for i in survivor]), pool.curves[survivor]
    end = curves[:, :, -1].mean(axis=1)
    found = {
        "trained on the mean at 600 steps": on_pool(x, end, end, random),
        "trained on one seed at 150 steps": on_pool(x, curves[:, 0, STEPS.index(150)], end, random),
    }
    trials = [line for line in Log(search / "archive.jsonl").read() if line["kind"] == "trial"]
    if trials:
        metrics = [line["outcome"]["metrics"] for line in trials]
        y = np.array([math.log(m["fid"]) if m else FAILED for m in metrics])
        generations = np.array([line["generation"] for line in trials])
        found["search, from all generations before"] = on_search(
            features([parse(line["expression"]) for line in trials]), y, generations
        )
    return found
