"""Who is learnt from, who is chosen with, who is tested on: by group, or not at all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from ganetics._check import InputError
from ganetics._random import numpy_generator
from ganetics.anomaly.settings import Parts

Scores = npt.NDArray[np.float64]
SHARES = {"fit": 0.5, "held_out": 0.2, "test": 0.3}
"""Of the normal images."""
DRAWS, NEAR = 100, 0.02
"""Orders of the groups that are tried, until the shares of images are that near to what they should be."""


def split_groups(groups: Sequence[str], *, test_only: Collection[str] = (), split: int = 0) -> Parts:
    """Return which groups are to be fitted on, held out and tested on: about 50, 20 and 30 % of the images.

    Args:
        groups: patient, sequence … of each normal image.
        test_only: groups that are tested on, whatever their number: those that have abnormal images.
        split: another number gives other parts. The training seed has no part in it.

    Raises:
        InputError: fewer than three groups, or fewer than two that can be fitted on or held out.
    """
    sizes = Counter(groups)
    if len(sizes) < len(SHARES):
        raise InputError(
            f"normal images must be of at least {len(SHARES)} groups (to fit, to choose, to test), got {len(sizes)}"
        )
    free = sorted(set(sizes) - set(test_only))
    if len(free) < 2:
        raise InputError(
            f"at least 2 groups of normal images must have no abnormal ones, got {len(free)} of {len(sizes)}"
        )
    random = numpy_generator(split, "detection split")
    kept = sorted(set(sizes) & set(test_only))
    nearest, best = math.inf, dict[str, list[str]]()
    for _ in range(DRAWS):
        # in random order: large ones first would be more even, and nearly the same parts for every number
        parts = _dealt([free[i] for i in random.permutation(len(free))], kept, sizes)
        away = max(abs(sum(sizes[group] for group in parts[name]) / sizes.total() - SHARES[name]) for name in SHARES)
        if away < nearest:
            nearest, best = away, parts
        if nearest <= NEAR:
            break
    return Parts(**{name: tuple(sorted(part)) for name, part in best.items()})


def _dealt(order: Sequence[str], kept: Sequence[str], sizes: Counter[str]) -> dict[str, list[str]]:
    """Return the parts when groups are dealt in this order, each to where most is missing; ``kept`` are of the test."""
    parts: dict[str, list[str]] = {"fit": [], "held_out": [], "test": list(kept)}
    given = Counter({name: sum(sizes[group] for group in part) for name, part in parts.items()})
    for left, group in zip(range(len(order), 0, -1), order, strict=True):
        empty = [name for name in SHARES if not parts[name]]
        open_to = empty if left <= len(empty) else list(SHARES)
        total = given.total() + sizes[group]
        name = max(open_to, key=lambda part: SHARES[part] * total - given[part])
        parts[name].append(group)
        given[name] += sizes[group]
    return parts


def places_of(groups: Sequence[str], part: Collection[str]) -> npt.NDArray[np.int64]:
    """Return the places of the images whose group is in a part."""
    chosen = set(part)
    return np.array([place for place, group in enumerate(groups) if group in chosen], dtype=np.int64)


def refuse_seen(groups: Sequence[str], seen: Collection[str], what: str) -> None:
    """Check that no image that is tested on is of a group that the detector has seen.

    Raises:
        InputError: one is; names the group.
    """
    leaked = [group for group in groups if group in seen]
    if leaked:
        raise InputError(
            f"{what}: group {leaked[0]!r} is among those that the run was fitted on or chosen with "
            f"({len(leaked)} of {len(groups)} images, {len(set(leaked))} groups): no group may be in both; "
            "--leave-out-seen tests without these images"
        )


def threshold_at(normal: Scores, specificity: float) -> float:
    """Return the threshold that normal images, as those held out, are at or below with this probability or more.

    The ⌈(n + 1) · specificity⌉-th smallest of n scores (split conformal prediction; Vovk et al. 2005), the largest
    where n is too small for that. The promise is for images that are exchangeable with the held-out ones: those of one
    patient are not independent, so with few groups it is rough.

    >>> threshold_at(np.arange(1.0, 20.0), 0.95)
    19.0
    """
    ordered = np.sort(normal)
    rank = math.ceil(round((len(ordered) + 1) * specificity, 9))
    return float(ordered[min(rank, len(ordered)) - 1])


def threshold_between(normal: Scores, abnormal: Scores) -> float:
    """Return the threshold with the largest sum of sensitivity and specificity (Youden 1950), the highest of equals.

    Scores above it are abnormal; it lies half way between two scores.

    >>> threshold_between(np.array([0.0, 1.0]), np.array([0.5, 2.0, 3.0]))
    1.5
    """
    scores = np.unique(np.concatenate([normal, abnormal]))
    places = np.concatenate([scores[:1] - 1.0, (scores[:-1] + scores[1:]) / 2, scores[-1:]])
    gains = [(abnormal > place).mean() - (normal > place).mean() for place in places]
    best = len(gains) - 1 - int(np.argmax(gains[::-1]))
    return float(places[best])
