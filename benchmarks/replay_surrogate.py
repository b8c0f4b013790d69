"""How well the search's guess orders losses that it has not seen, by their slopes alone. For benchmarks/replay.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from replay_pool import STEPS, Pool
from replay_racing import PLAIN, Cost, Ladder, savings, trajectory, world
from scipy.stats import spearmanr

from ganetics.expressions.primitives import Array
from ganetics.expressions.text import parse
from ganetics.search.surrogate import predictions, shape

CEILING = 5.0
"""Log FIDs above are taken for this: a wrecked generator is as useless as a worse wrecked one."""
SIZES = (20, 50, 100)
CHOICES = (8, 16)


def leave_out(x: Array, seen: Array, y: Array, size: int, random: np.random.Generator) -> dict[str, float]:
    """Train on what was ``seen`` of ``size`` losses drawn at random, judge by ``y`` of the rest."""
    order = random.permutation(len(y))
    train, test = order[:size], order[size:]
    guess, truth = predictions(x[test], x[train], seen[train].tolist()), y[test]
    better = truth <= np.median(truth)
    bar = np.quantile(y, 0.25)
    found = {
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
    x = np.stack([shape(parse(pool.losses[i])) for i in survivor])
    first = np.minimum(curves[:, 0, STEPS.index(150)], CEILING)
    guesses = np.empty((models, len(x)))
    for guess in guesses:
        halves = np.array_split(random.permutation(len(x)), 2)
        for train, test in (halves, halves[::-1]):
            guess[test] = predictions(x[test], x[train], first[train].tolist())
    plain = trajectory(PLAIN, world(curves, STEPS, random, streams=60), cost)
    drawn = world(curves, STEPS, random, streams=60, guesses=guesses)
    found: dict[str, Any] = {"trained_on": len(x) // 2}
    for one in (PLAIN, *raced):
        saves = savings(trajectory(one, drawn, cost), plain, cost, targets)
        found[one.name] = [None if math.isnan(v) else round(v, 2) for v in saves]
    return found


def surrogate(pool: Pool, random: np.random.Generator) -> dict[str, Any]:
    """Return how well the guess orders the pool's losses."""
    survivor = np.flatnonzero(pool.kinds == "survivor")
    x, curves = np.stack([shape(parse(pool.losses[i])) for i in survivor]), pool.curves[survivor]
    end = curves[:, :, -1].mean(axis=1)
    return {
        "trained on the mean at 600 steps": on_pool(x, end, end, random),
        "trained on one seed at 150 steps": on_pool(x, curves[:, 0, STEPS.index(150)], end, random),
    }
