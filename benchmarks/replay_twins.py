"""What the twin hash saves and the screen costs. For benchmarks/replay.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from replay_pool import FAILED, Pool

from ganetics.expressions.text import parse
from ganetics.expressions.tree import Tied, Tree, variables
from ganetics.search.screen import screen, signature_of
from ganetics.search.variation import MUTATIONS, Grammar, crossover, ramped


def twins(pool: Pool, random: np.random.Generator, *, passed: int = 1000) -> dict[str, Any]:
    """Return how often the screen lets a twin pass, and how equal results of twins are."""
    end = pool.curves[:, :, -1].mean(axis=1)
    grown = [i for i, kind in enumerate(pool.kinds) if kind == "survivor" and end[i] < FAILED]
    trees = [tree.tree for i in grown if isinstance(tree := parse(pool.losses[i]), Tied)]
    fitness = end[grown]
    grammar = Grammar()

    def parent() -> Tree:
        drawn = random.integers(len(trees), size=4)
        return trees[int(drawn[fitness[drawn].argmin()])]

    def child() -> Tree:
        if random.random() < 0.5:
            return crossover(parent(), parent(), grammar, random)
        return MUTATIONS[str(random.choice(list(MUTATIONS)))](parent(), grammar, random)

    by_signature = {signature_of(parse(pool.losses[i])): i for i in grown}
    found = {
        i: by_signature.get(signature_of(parse(pool.losses[i]))) for i in map(int, np.flatnonzero(pool.kinds == "twin"))
    }
    pairs = [pool.curves[np.array([i, j]), :, -1] for i, j in found.items() if j is not None]
    return {
        "random_trees": _stream(lambda: ramped(grammar, random), [], passed),
        "children": _stream(child, trees, passed),
        "absolute difference of twins, same seed": [np.abs(a - b).round(4).tolist() for a, b in pairs],
        "absolute difference of seeds, same loss": [np.abs(np.diff(pair)).round(4).tolist() for pair in pairs],
    }


def _stream(draw: Callable[[], Tree], known: list[Tree], passed: int) -> dict[str, Any]:
    """Draw until ``passed`` trees got through the screen; count those that train as an earlier one, and of one text."""
    texts, seen = set(known), {signature_of(Tied(tree)) for tree in known}
    counts: Counter[str] = Counter()
    while counts["passed"] < passed:
        tree = draw()
        counts["drawn"] += 1
        if variables(tree) != {"y", "p"}:
            counts["variables"] += 1
            continue
        verdict = screen(Tied(tree))
        counts[verdict.reason or "passed"] += 1
        if verdict.reason is None:
            counts["twin"] += verdict.signature in seen
            counts["same_text"] += tree in texts
            seen.add(verdict.signature)
            texts.add(tree)
    shares = {name: round(counts[name] / passed, 3) for name in ("twin", "same_text")}
    return {"counts": dict(sorted(counts.items())), "share_of_passed": shares}


def screened(pool: Pool) -> dict[str, Any]:
    """Return how the rejected would have done: better than non-saturating, among the best tenth of the survivors."""
    end = pool.curves[:, :, -1].mean(axis=1)
    bar = float(end[pool.losses.index("non-saturating")])
    survivors = end[pool.kinds == "survivor"]
    tenth = float(np.quantile(survivors, 0.1))
    return {"non_saturating": round(bar, 3), "best_tenth_of_survivors": round(tenth, 3)} | {
        str(kind): {
            "n": int((pool.kinds == kind).sum()),
            "better_than_non_saturating": int((end[pool.kinds == kind] < bar).sum()),
            "in_best_tenth": int((end[pool.kinds == kind] <= tenth).sum()),
            "moved": int((end[pool.kinds == kind] < 4.3).sum()),
            "best": round(float(end[pool.kinds == kind].min()), 3),
        }
        for kind in sorted(set(pool.kinds) - {"catalogue"})
    }
