"""Ladders of rungs, raced on learning curves that are there already. For benchmarks/replay.py."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from replay_pool import STEPS, good

from ganetics.expressions.primitives import Array

SIZES = (2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Candidates that enter a race; powers of two, so that one long stream is also many short ones."""
SEEDS = 3
ETAS = (2, 3, 4, 6, 8)


@dataclass(frozen=True)
class Cost:
    """Core seconds."""

    start: float
    step: float
    score: float
    early: float = 1.0
    """What a scoring below the last step costs, of one there."""


@dataclass(frozen=True)
class Rung:
    steps: int
    seeds: int


@dataclass(frozen=True)
class Ladder:
    rungs: tuple[Rung, ...]
    eta: int = 2
    noise: float = 0.0
    """Promotes beside the best 1/eta those within so many standard errors of the best; 0: no one."""

    @property
    def name(self) -> str:
        rungs = " → ".join(f"{rung.steps}×{rung.seeds}" for rung in self.rungs)
        return f"{rungs}  1/{self.eta}" + (f" or {self.noise:g} SE" if self.noise else "")


PLAIN = Ladder((Rung(600, 1),))


def climb(cost: Cost, below: Rung | None, rung: Rung) -> float:
    """Return what one candidate costs at a rung; what was trained below is continued, not trained again."""
    below = below or Rung(0, 0)
    new = rung.seeds - below.seeds
    scored = rung.seeds if rung.steps > below.steps else new
    score = cost.score * (cost.early if rung.steps < STEPS[-1] else 1.0)
    return cost.start * new + cost.step * (rung.seeds * rung.steps - below.seeds * below.steps) + score * scored


@dataclass(frozen=True)
class World:
    """Streams of candidates drawn from a pool: ``scores`` [streams, candidates, seeds, steps], ``truth`` [streams,
    candidates]: what a candidate's mean would be over all seeds at the last step."""

    scores: Array
    truth: Array
    steps: tuple[int, ...]
    noise: Array
    """Standard deviation over seeds, for each step, among the good."""

    def cut(self, size: int) -> World:
        """Return the same candidates as more and shorter streams."""
        return replace(
            self, scores=self.scores.reshape(-1, size, *self.scores.shape[2:]), truth=self.truth.reshape(-1, size)
        )


def world(
    curves: Array, steps: tuple[int, ...], random: np.random.Generator, *, streams: int, guesses: Array | None = None
) -> World:
    """Draw streams from curves ``[losses, seeds, steps]`` by a smoothed bootstrap.

    A fresh seed of a loss is one of its seeds drawn at random, and a residual of one of the good losses: as much as the
    mean over few seeds hides of the variance. So a fresh seed's expectation is the loss's mean, which is the truth, and
    no score is part of the truth that it is judged by.

    Args:
        curves: log FID.
        steps: of the last axis.
        random: draws everything.
        streams: how many streams of 512 candidates.
        guesses: ``[models, losses]`` predicted log FID; each candidate is then the best predicted of eight.
    """
    count, seeds, _ = curves.shape
    shape = (streams, SIZES[-1])
    drawn = random.integers(count, size=shape)
    if guesses is not None:
        eight = random.integers(count, size=(*shape, 8))
        model = random.integers(len(guesses), size=(*shape, 1))
        drawn = np.take_along_axis(eight, guesses[model, eight].argmin(axis=2)[..., None], axis=2)[..., 0]
    donors = curves[good(curves)]
    residuals = (donors - donors.mean(axis=1, keepdims=True)).reshape(-1, len(steps)) / np.sqrt(max(1, seeds - 1))
    own = curves[drawn[..., None], random.integers(seeds, size=(*shape, SEEDS))]
    scores = own + residuals[random.integers(len(residuals), size=(*shape, SEEDS))]
    noise = np.sqrt(donors.var(axis=1, ddof=1).mean(axis=0)) if seeds > 1 else np.zeros(len(steps))
    return World(scores, curves[:, :, -1].mean(axis=1)[drawn], steps, noise)


def race(ladder: Ladder, field: World, cost: Cost) -> tuple[Array, Array]:
    """Return the truth of the selected and the core seconds, for each stream."""
    alive = np.ones(field.truth.shape, dtype=bool)
    spent = np.zeros(len(alive))
    below: Rung | None = None
    for rung in ladder.rungs:
        spent += alive.sum(axis=1) * climb(cost, below, rung)
        step = field.steps.index(rung.steps)
        mean = np.where(alive, field.scores[:, :, : rung.seeds, step].mean(axis=2), np.inf)
        if rung != ladder.rungs[-1]:
            rank = mean.argsort(axis=1).argsort(axis=1)
            near = mean.min(axis=1, keepdims=True) + ladder.noise * field.noise[step] * np.sqrt(2 / rung.seeds)
            kept = -(-alive.sum(axis=1, keepdims=True) // ladder.eta)
            alive &= (rank < kept) | ((mean <= near) if ladder.noise else False)
        below = rung
    return field.truth[np.arange(len(alive)), mean.argmin(axis=1)], spent


def asynchronous(ladder: Ladder, field: World, cost: Cost, *, lag: int = 8) -> tuple[Array, Array]:
    """Return the same for promotion on the way: whoever is among the best 1/eta so far, seen ``lag`` trials late."""
    quality, spent = [], []
    for scores, truth in zip(field.scores, field.truth, strict=True):
        values = [scores[:, : r.seeds, field.steps.index(r.steps)].mean(axis=1) for r in ladder.rungs]
        trials = _commits(ladder, values, len(truth), lag)
        price = [climb(cost, b, r) for b, r in zip((None, *ladder.rungs), ladder.rungs, strict=False)]
        spent.append(sum(price[rung] for rung, _ in trials))
        top = [(values[rung][n], n) for rung, n in trials if rung == max(r for r, _ in trials)]
        quality.append(truth[min(top)[1]])
    return np.array(quality), np.array(spent)


def _commits(ladder: Ladder, values: Sequence[Array], count: int, lag: int) -> list[tuple[int, int]]:
    """Return the trials (rung, candidate) in order until ``count`` candidates entered and nobody is left to promote."""
    trials: list[tuple[int, int]] = []
    waiting: list[list[tuple[float, int]]] = [[] for _ in values]
    promoted: list[set[int]] = [set() for _ in values]
    entered = idle = 0
    while entered < count or idle <= lag:
        if len(trials) >= lag and (seen := trials[len(trials) - lag]) != (-1, -1):
            waiting[seen[0]].append((float(values[seen[0]][seen[1]]), seen[1]))
        for rung in reversed(range(len(values) - 1)):
            best = sorted(waiting[rung])[: len(waiting[rung]) // ladder.eta]
            fresh = [n for _, n in best if n not in promoted[rung]]
            if fresh:
                promoted[rung].add(fresh[0])
                trials.append((rung + 1, fresh[0]))
                idle = 0
                break
        else:
            trials.append((0, entered) if entered < count else (-1, -1))
            idle += entered >= count
            entered += entered < count
    return [trial for trial in trials if trial != (-1, -1)]


def ladders() -> list[Ladder]:
    """Return what is compared: all chains of steps, patterns of seeds, eta, two rules of promotion."""
    found = []
    chains = [c for n in range(5) for c in itertools.combinations((75, 150, 300, 450), n)]
    for chain, tail in itertools.product(chains, ((1,), (2,), (3,), (1, 3))):
        rungs = (*(Rung(steps, 1) for steps in chain), *(Rung(600, seeds) for seeds in tail))
        found.append(rungs)
        if len(chain) >= 2 and tail == (3,):
            found.append((*rungs[:-2], Rung(chain[-1], 2), rungs[-1]))
    shapes = itertools.product(found, ETAS, (0.0, 1.0))
    return [Ladder(rungs, eta, noise) for rungs, eta, noise in shapes if len(rungs) > 1]


@dataclass(frozen=True)
class Trajectory:
    """Expected log FID of the selected and core seconds, by the number of candidates that enter (:data:`SIZES`)."""

    quality: Array
    seconds: Array

    def seconds_for(self, quality: float) -> float:
        """Return what a quality costs, between sizes on the logarithm; NaN if not reached."""
        best = np.minimum.accumulate(self.quality)
        if quality < best[-1]:
            return float("nan")
        return float(np.exp(np.interp(-quality, -best, np.log(self.seconds))))

    def quality_for(self, size: float) -> float:
        return float(np.interp(np.log(size), np.log(SIZES), self.quality))


def trajectory(ladder: Ladder, field: World, cost: Cost) -> Trajectory:
    runs = [race(ladder, field.cut(size), cost) for size in SIZES]
    return Trajectory(np.array([q.mean() for q, _ in runs]), np.array([s.mean() for _, s in runs]))


def savings(found: Trajectory, plain: Trajectory, cost: Cost, targets: Sequence[int]) -> list[float]:
    """Return how many times less the ladder costs than the plain way, at its quality with so many candidates."""
    price = climb(cost, None, PLAIN.rungs[0])
    return [target * price / found.seconds_for(plain.quality_for(target)) for target in targets]


def racing(
    curves: Array,
    cost: Cost,
    random: np.random.Generator,
    *,
    targets: Sequence[int],
    named: Sequence[Ladder],
    replicates: int,
) -> tuple[dict[str, Any], Ladder]:
    """Return what the best ladders save, how sure that is, and the best one of up to four rungs by the plain rule.

    ``targets``: candidates of the plain way whose quality is to be reached for less.
    """
    short, compared = _shortlist(world(curves, STEPS, random, streams=60), cost, targets)
    short = list(dict.fromkeys([*short, *named]))
    field = world(curves, STEPS, random, streams=120)  # fresh: the best of many were lucky where they were chosen
    plain = trajectory(PLAIN, field, cost)
    rows = [_row(ladder, field, plain, cost, targets) for ladder in short]
    spread = np.empty((len(short), replicates))
    for column in range(replicates):
        again = world(curves[random.integers(len(curves), size=len(curves))], STEPS, random, streams=20)
        base = trajectory(PLAIN, again, cost)
        spread[:, column] = [overall(savings(trajectory(x, again, cost), base, cost, targets)) for x in short]
    wins = np.bincount(spread.argmax(axis=0), minlength=len(short)) / replicates
    for row, values, won in zip(rows, spread, wins, strict=True):
        row["saves_overall"] += [round(float(v), 2) for v in np.quantile(values, [0.05, 0.95])]
        row["best_of_these_in_share_of_pools"] = round(float(won), 2)
    found = {
        "ladders_compared": compared,
        "plain_candidates": list(targets),
        "plain_log_fid": [round(plain.quality_for(target), 4) for target in targets],
        "plain_core_seconds": [round(target * climb(cost, None, PLAIN.rungs[0]), 1) for target in targets],
        "best": rows,
    }
    return found, short[0]


def _shortlist(field: World, cost: Cost, targets: Sequence[int]) -> tuple[list[Ladder], int]:
    """Return the best ladder by the plain rule, then others of interest, and how many were compared."""
    plain = trajectory(PLAIN, field, cost)
    saved = {one: overall(savings(trajectory(one, field, cost), plain, cost, targets)) for one in ladders()}
    order = sorted(saved, key=lambda ladder: -saved[ladder])
    simple = [one for one in order if not one.noise and len(one.rungs) <= 4]
    rungs = [next(one for one in simple if len(one.rungs) == n) for n in (2, 3, 4)]
    etas = [next(one for one in simple if one.eta == eta) for eta in ETAS]
    seeds = [next(one for one in simple if one.rungs[-1].seeds == n) for n in (1, 2, 3)]
    return [simple[0], *order[:3], *rungs, *etas, *seeds], len(saved)


def overall(values: Sequence[float]) -> float:
    """Return the geometric mean; a target that is not reached counts as no saving."""
    return float(np.exp(np.mean(np.log(np.nan_to_num(values, nan=1.0)))))


def _row(ladder: Ladder, field: World, plain: Trajectory, cost: Cost, targets: Sequence[int]) -> dict[str, Any]:
    reached = trajectory(ladder, field, cost)
    saves = savings(reached, plain, cost, targets)
    few = replace(field, scores=field.scores[:30], truth=field.truth[:30]).cut(128)
    (quality, seconds), (late_quality, late_seconds) = race(ladder, few, cost), asynchronous(ladder, few, cost)
    return {
        "ladder": ladder.name,
        "saves": [None if math.isnan(v) else round(v, 2) for v in saves],
        "saves_overall": [round(overall(saves), 2)],
        "log_fid_of_as_many": [round(reached.quality_for(target), 4) for target in targets],
        "asynchronous": {
            "log_fid_more": round(float(late_quality.mean() - quality.mean()), 4),
            "times_the_seconds": round(float(late_seconds.mean() / seconds.mean()), 3),
        },
    }
