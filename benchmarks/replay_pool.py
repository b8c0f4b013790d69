"""The curve pool as arrays, and what its curves say of noise and ranks. For benchmarks/replay.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from ganetics.execution.log import Log
from ganetics.expressions.primitives import Array

FAILED = 15.0
STEPS = (75, 150, 300, 450, 600)


@dataclass(frozen=True)
class Pool:
    losses: list[str]
    kinds: Array
    curves: Array
    """[losses, seeds, steps], log FID."""
    cpu_seconds: float
    """Mean of a run."""

    def of(self, *kinds: str) -> Array:
        found: Array = self.curves[np.isin(self.kinds, kinds)]
        return found


def read(folder: Path, seeds: int | None = None) -> Pool:
    """Read the losses that have so many seeds; default: as many as all have."""
    lines = Log(folder / "archive.jsonl").read()
    curves: dict[tuple[str, str], list[list[float]]] = {}
    for line in lines:
        curves.setdefault((line["loss"], line["kind"]), []).append(curve(line))
    count = seeds or min(len(found) for found in curves.values())
    kept = {key: found[:count] for key, found in curves.items() if len(found) >= count}
    if not kept:
        raise SystemExit(f"{folder}: no loss has {count} seeds yet")
    times = [line["cpu_seconds"] for line in Log(folder / "timings.jsonl", skip_damaged=True).read()]
    return Pool(
        [loss for loss, _ in kept],
        np.array([kind for _, kind in kept]),
        np.array(list(kept.values())),
        float(np.mean(times)),
    )


def curve(line: dict[str, Any]) -> list[float]:
    known = {int(step): math.log(fid) for step, fid in line["curve"]}
    return [known.get(step, FAILED) for step in STEPS]


def good(curves: Array, share: float = 0.25) -> npt.NDArray[np.intp]:
    """Return the indices of the best share of losses by their mean at the last step."""
    order: npt.NDArray[np.intp] = curves[:, :, -1].mean(axis=1).argsort()
    return order[: max(2, round(share * len(order)))]


def interval(
    statistic: Callable[[npt.NDArray[np.intp]], float], count: int, random: np.random.Generator, repeats: int = 300
) -> Any:
    """Return a statistic of indices with its 90 % range by bootstrap."""
    values = [statistic(random.integers(count, size=count)) for _ in range(repeats)]
    low, high = np.nanquantile(values, [0.05, 0.95])
    return [round(float(v), 3) for v in (statistic(np.arange(count)), low, high)]


def correlations(curves: Array, random: np.random.Generator) -> dict[str, Any]:
    """Return rank correlations of log FID at each step with that at the last, [value, low, high]."""
    count, seeds, _ = curves.shape
    end = curves[:, :, -1]
    pairs = [(a, b) for a in range(seeds) for b in range(seeds) if a != b]
    rest = [end[:, [b for b in range(seeds) if b != a]].mean(axis=1) if seeds > 1 else end[:, a] for a in range(seeds)]
    found: dict[str, Any] = {"n": count}
    for t, step in enumerate(STEPS):
        x = curves[:, :, t]
        ways: dict[str, list[tuple[Array, Array]]] = {
            "same seed": [(x[:, a], end[:, a]) for a in range(seeds) if step < STEPS[-1]],
            "other seed": [(x[:, a], end[:, b]) for a, b in pairs],
            "mean of the other seeds": [(x[:, a], rest[a]) for a in range(seeds) if seeds > 1],
        }
        for way, columns in ways.items():
            if columns:
                found.setdefault("spearman", {}).setdefault(way, {})[str(step)] = interval(
                    lambda i, c=columns: float(np.mean([spearmanr(u[i], v[i]).statistic for u, v in c])),  # type: ignore[misc]
                    count,
                    random,
                )
    return found


def noise(curves: Array, random: np.random.Generator) -> dict[str, Any]:
    """Return noise over seeds against the spread of losses, for each step."""
    count, seeds, _ = curves.shape
    found: dict[str, Any] = {"n": count, "seeds": seeds}
    for t, step in enumerate(STEPS):
        x = curves[:, :, t]
        within = x.var(axis=1, ddof=1)
        residual = x - x.mean(axis=1, keepdims=True) - (x.mean(axis=0) - x.mean())
        seed_effect = x.mean(axis=0).var(ddof=1) - residual.var() * seeds / (seeds - 1) / count
        between = max(0.0, float(x.mean(axis=1).var(ddof=1) - within.mean() / seeds))
        found[str(step)] = {
            "sd_over_seeds": interval(lambda i, w=within: float(np.sqrt(w[i].mean())), count, random),  # type: ignore[misc]
            "median_sd_over_seeds": round(float(np.median(np.sqrt(within))), 3),
            "sd_between_losses": round(math.sqrt(between), 3),
            "reliability_of_one_seed": round(between / (between + float(within.mean())), 3),
            "reliability_of_three_seeds": round(between / (between + float(within.mean()) / 3), 3),
            "share_of_noise_common_to_all_losses": round(max(0.0, float(seed_effect / within.mean())), 3),
        }
    return found
