"""The benchmark's main table from the raw lines of an archive, on its own: NumPy alone, nothing of the package.

    python tests/reference/bench_table.py results/bench-mnist/archive.jsonl [--phase final] [--reference ganetic]

Prints one JSON object: of each loss the figures of its runs, and of each but the reference its comparison with it.
Written from the definitions, apart from the package's own code, so that the two can be held to each other: Student's
distribution is integrated, the signed-rank distribution counted, intervals of means of ranks drawn again. A failed run
(``fid`` null) is infinite where runs are ranked and left out of means.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

INFINITE = float("inf")
DRAWS = 20_000
FEWEST = 5
"""Seeds below which no interval is drawn."""


def student_tail(t: float, df: int) -> float:
    """P(|T| > t): Simpson's rule over the angle, as the density is a power of a cosine there."""
    angles = np.linspace(0.0, math.atan(abs(t) / math.sqrt(df)), 20_001)
    weights = np.ones(angles.size)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    inside = float((weights * np.cos(angles) ** (df - 1)).sum()) * angles[1] / 3
    half = math.sqrt(math.pi) / 2 * math.exp(math.lgamma(df / 2) - math.lgamma((df + 1) / 2))
    return max(1 - inside / half, 0.0)


def student_quantile(df: int) -> float:
    """The t with P(|T| > t) = 0.05, by bisection."""
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if student_tail(middle, df) > 0.05 else (low, middle)
    return low


def geometric(values: list[float]) -> list[float | None]:
    """Geometric mean, and the ends of the t interval of the mean logarithm."""
    if not values:
        return [None, None, None]
    logs = np.log(values)
    mean = float(logs.mean())
    if len(values) == 1:
        return [math.exp(mean), None, None]
    half = student_quantile(len(values) - 1) * math.sqrt(
        float(((logs - mean) ** 2).sum()) / (len(values) - 1) / len(values)
    )
    return [math.exp(mean), math.exp(mean - half), math.exp(mean + half)]


def middle_half(values: np.ndarray) -> np.ndarray:
    """Mean along the last axis without the lowest and the highest quarter."""
    cut = values.shape[-1] // 4
    return np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut].mean(axis=-1)


def drawn_interval(values: list[float], random: np.random.Generator) -> list[float]:
    if len(values) < FEWEST:
        return []
    means = np.sort(middle_half(random.choice(values, (DRAWS, len(values)))))
    return [float(means[round(DRAWS * 0.025)]), float(means[round(DRAWS * 0.975)])]


def wilson(count: int, n: int) -> list[float]:
    """Where (share - x)² = z² x (1 - x) / n."""
    z2 = 1.959963984540054**2
    low, high = np.sort(np.roots([1 + z2 / n, -2 * count / n - z2 / n, (count / n) ** 2]).real)
    return [float(low), float(high)]


def paired_t(differences: list[float]) -> float | None:
    n = len(differences)
    if n < 2:
        return None
    mean = sum(differences) / n
    variance = sum((one - mean) ** 2 for one in differences) / (n - 1)
    if variance == 0:
        return 1.0 if mean == 0 else 0.0
    return student_tail(mean / math.sqrt(variance / n), n - 1)


def signed_rank(differences: list[float]) -> float | None:
    """Both tails of the sums of positive ranks, counted; equal sizes share their mean rank, zeros are left out."""
    if len(differences) < 2:
        return None
    sizes = [abs(one) for one in differences if one != 0]
    ranks = [sum(other < one for other in sizes) + (sizes.count(one) + 1) / 2 for one in sizes]
    ways: Counter[float] = Counter({0.0: 1})
    for rank in ranks:
        ways = ways + Counter({total + rank: count for total, count in ways.items()})
    seen = sum(rank for rank, one in zip(ranks, [d for d in differences if d != 0], strict=True) if one > 0)
    centre = sum(ranks) / 2
    extreme = sum(count for total, count in ways.items() if abs(total - centre) >= abs(seen - centre) - 1e-9)
    return extreme / 2 ** len(ranks)


def holm(p_values: dict[str, float | None]) -> dict[str, float | None]:
    """Largest of (number not smaller in order) x p up to each; what was not tested counts."""
    known = sorted((p, loss) for loss, p in p_values.items() if p is not None)
    steps = [(len(p_values) - i) * p for i, (p, _) in enumerate(known)]
    found: dict[str, float | None] = dict.fromkeys(p_values)
    return found | {loss: min(1.0, max(steps[: i + 1])) for i, (_, loss) in enumerate(known)}


def comparison(own: dict[int, float], other: dict[int, float]) -> dict[str, Any]:
    shared = [seed for seed in own if seed in other]
    differences, ratios = [], []
    for seed in shared:
        a, b = own[seed], other[seed]
        if a < INFINITE and b < INFINITE:
            differences.append(math.log(a) - math.log(b))
            ratios.append(a / b)
        else:
            differences.append(0.0 if a == b else INFINITE if a == INFINITE else -INFINITE)
    failed = len(ratios) < len(shared)
    pairs = [(a, b) for a in own.values() for b in other.values()]
    return {
        "seeds": len(shared),
        "ratio": geometric(ratios),
        "p": signed_rank(differences) if failed else paired_t(differences),
        "p_rank": signed_rank(differences),
        "improvement": sum(1.0 if a < b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs),
        "paired_improvement": sum(1.0 if d < 0 else 0.5 if d == 0 else 0.0 for d in differences) / max(len(shared), 1),
    }


def bench_table(archive: Path, phase: str = "final", reference: str = "ganetic") -> dict[str, Any]:
    lines = [json.loads(line) for line in archive.read_text(encoding="utf-8").splitlines() if line.strip()]
    lines = [line for line in lines if line["phase"] == phase]
    runs_of = Counter((line["dataset"], line["loss"], line["seed"]) for line in lines)
    if len({line["dataset"] for line in lines}) != 1 or max(runs_of.values()) > 1:
        raise SystemExit(f"{archive}, {phase}: must be of one dataset, with each loss and seed once")
    random = np.random.default_rng(2024)
    fids: dict[str, dict[int, float]] = {}
    collapsed: dict[str, list[bool]] = {}
    for line in lines:
        fids.setdefault(line["loss"], {})[line["seed"]] = INFINITE if line["fid"] is None else line["fid"]
        collapsed.setdefault(line["loss"], []).append(line["collapsed"])
    table: dict[str, Any] = {}
    for loss, runs in fids.items():
        values = list(runs.values())
        ended = [value for value in values if value < INFINITE]
        mean = sum(ended) / len(ended) if ended else None
        squares = sum((value - mean) ** 2 for value in ended) if mean is not None else 0.0
        table[loss] = {
            "n": len(values),
            "failed": len(values) - len(ended),
            "best": min(values),
            "worst": max(values),
            "mean": mean,
            "sd": math.sqrt(squares / (len(ended) - 1)) if len(ended) > 1 else None,
            "median": (sorted(values)[len(values) // 2] + sorted(values)[(len(values) - 1) // 2]) / 2,
            "iqm": float(middle_half(np.array(values))),
            "iqm_interval": drawn_interval(values, random),
            "geometric": geometric(ended),
            "collapsed": sum(collapsed[loss]),
            "collapsed_interval": wilson(sum(collapsed[loss]), len(values)),
        }
        if loss != reference and reference in fids:
            table[loss]["comparison"] = comparison(runs, fids[reference])
    corrected = holm({loss: row["comparison"]["p"] for loss, row in table.items() if "comparison" in row})
    for loss, p in corrected.items():
        table[loss]["comparison"]["p_holm"] = p
    return table


def finite(value: Any) -> Any:
    """For JSON: what is infinite is null."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--phase", default="final")
    parser.add_argument("--reference", default="ganetic")
    given = parser.parse_args()
    print(json.dumps(finite(bench_table(given.archive, given.phase, given.reference)), indent=1, allow_nan=False))
