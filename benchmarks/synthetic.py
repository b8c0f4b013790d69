"""A search whose trials are not trained but looked up in a made-up world like the measured one.

For benchmarks/archive.py and benchmarks/scale.py.
"""

from __future__ import annotations

import json
import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from replay import CHEAP, scaled
from replay_pool import STEPS, read
from replay_racing import Cost
from scipy.spatial.distance import cdist

from ganetics._random import numpy_generator, seed_of
from ganetics.expressions.primitives import Array
from ganetics.expressions.text import parse, to_text
from ganetics.expressions.tree import complexity
from ganetics.records import DataIdentity, ExtractorIdentity, Outcome
from ganetics.search.config import SearchConfig
from ganetics.search.evolve import Search
from ganetics.search.ladder import ladder
from ganetics.search.rungs import Candidate, Trial
from ganetics.search.surrogate import shape
from ganetics.search.variation import random_expression
from ganetics.training import RECIPES
from ganetics.trial import TrialJob, TrialReply, data_digest

POOL = Path("results/curve-pool")
FLOOR = 3.0
"""No loss of the made-up world gets below: the best measured one is at 3.2 to 3.3."""
NUGGET = 0.1
"""Share of the measured differences that is noise."""
WAVES = 1000
OFF_RATE = 0.35
"""Standard deviation of what a rate other than 1 costs; it never gains, so that the best rate is known."""
GOOD = 4.0
"""Log Fréchet distance up to which the noise over seeds is looked at: that of the losses that matter."""


def synthetic_config(**changes: Any) -> SearchConfig:
    """Return the default search of the recipe "mnist", without its last round."""
    recipe = RECIPES["mnist"]
    images: dict[str, Any] = {
        "name": "made up",
        "sha256": "0" * 64,
        "count": 1,
        "channels": 1,
        "height": 28,
        "width": 28,
    }
    fields: dict[str, Any] = {
        "dataset": "made up",
        "data": DataIdentity(split="train", **images),
        "reference": DataIdentity(split="validation", **images),
        "extractor": ExtractorIdentity(
            name="made up", version="1", weights_sha256="0" * 64, resize="none", dimension=1
        ),
        "recipe": recipe,
        "rungs": ladder(recipe),
        "finalists": 0,
        "rivals": (),
    }
    return SearchConfig(**(fields | changes))


@dataclass(frozen=True)
class Measured:
    """What was measured of the losses of the curve pool."""

    shapes: Array
    """[losses, 93]."""
    levels: Array
    """[losses, steps]: logarithm of (log FID − floor), which is near to normal."""
    noise: Array
    """[steps]: standard deviation over seeds."""


def measured(folder: Path = POOL) -> Measured:
    """Read the losses that are expressions, and the noise of the good ones that have two seeds."""
    pool, twice = read(folder, 1), read(folder, 2)
    kept = [i for i, kind in enumerate(pool.kinds) if kind not in ("catalogue", "twin")]
    pairs = twice.curves[twice.curves[:, :, -1].mean(axis=1) < GOOD]
    return Measured(
        np.array([shape(parse(pool.losses[i])) for i in kept]),
        np.log(pool.curves[kept, 0] - FLOOR),
        np.sqrt(np.square(pairs[:, 0] - pairs[:, 1]).mean(axis=0) / 2),
    )


class Landscape:
    """A function of a loss's shape, drawn at random among those that agree with the pool.

    A Gaussian process with kernel exp(−distance / median distance), given the pool's curves: a draw from the prior,
    made of random waves (Rahimi and Recht 2007), corrected by kernel regression of what it misses (Matheron's rule,
    Wilson et al. 2020, arXiv 2002.09309). All steps at once, with the pool's covariance of steps.
    """

    def __init__(self, known: Measured, seed: int) -> None:
        self._known, self._seed = known, seed
        random = numpy_generator(seed, "landscape")
        count, size = known.shapes.shape
        distances = cdist(known.shapes, known.shapes)
        self._width = float(np.median(distances[distances > 0]))
        self._mean = known.levels.mean(axis=0)
        factor = np.linalg.cholesky(np.cov(known.levels.T) + 1e-9 * np.eye(len(STEPS)))
        cauchy = random.normal(size=(size, WAVES)) / np.abs(random.normal(size=WAVES))  # the kernel's spectrum
        self._frequencies, self._phases = cauchy / self._width, random.uniform(0.0, 2 * np.pi, WAVES)
        self._weights = random.normal(size=(WAVES, len(STEPS))) @ factor.T
        seen = known.levels - self._mean - math.sqrt(NUGGET) * random.normal(size=(count, len(STEPS))) @ factor.T
        kernel = np.exp(-distances / self._width) + NUGGET * np.eye(count)
        self._correction = np.linalg.solve(kernel, seen - self._prior(known.shapes))
        self._found: dict[str, Array] = {}

    def curve(self, candidate: Candidate) -> Array:
        """Return a loss's expected log FID at :data:`STEPS`, at its best rate, which is 1."""
        if candidate.signature not in self._found:
            point = shape(candidate.expression)[None]
            near = np.exp(-cdist(point, self._known.shapes) / self._width)
            level = self._mean + self._prior(point) + near @ self._correction
            self._found[candidate.signature] = FLOOR + np.exp(level[0])
        return self._found[candidate.signature]

    def quality(self, candidate: Candidate) -> float:
        """Return a loss's true quality: expected log FID after all steps at its best rate."""
        return float(self.curve(candidate)[-1])

    def log_fid(self, trial: Trial) -> float:
        """Return what a trial measures: noise of its own for each loss, rung's steps, rate and seed."""
        name = int(trial.candidate.signature, 16)
        place = STEPS.index(trial.steps)
        worse = 0.0
        if trial.rate != 1.0:
            worse = abs(numpy_generator(self._seed, f"rate {trial.rate}", name).normal(0.0, OFF_RATE))
        noise = numpy_generator(self._seed, f"noise {trial.rate}", name, trial.seed, place).normal()
        return float(self.curve(trial.candidate)[place] + worse + noise * self._known.noise[place])

    def _prior(self, points: Array) -> Array:
        waves = np.cos(points @ self._frequencies + self._phases)
        found: Array = math.sqrt(2.0 / WAVES) * waves @ self._weights
        return found


class Scores:
    """Log FIDs without a landscape: good losses tend to stay good from rung to rung, and that is all."""

    def __init__(self, trials: int) -> None:
        random = numpy_generator(0, "scores")
        self._qualities, self._noise = random.normal(4.0, 0.3, trials), random.normal(0.0, 0.15, trials)

    def log_fid(self, trial: Trial) -> float:
        return float(self._qualities[trial.candidate.number] + self._noise[trial.index])


def made_up(number: int) -> Candidate:
    """Return a candidate that is neither drawn nor screened: who is promoted when does not depend on the loss."""
    return Candidate(number, "p", 10, str(number), "random")


def drawn(search: Search) -> Candidate:
    """Return a candidate as a search of this many would record it, its loss drawn and not screened."""
    number = len(search.candidates)
    loss = random_expression(search.grammar, numpy_generator(0, "drawn", number))
    parents = (max(number - 7, 0), max(number - 3, 0))
    rejected = {"optimum": number % 67, "target": number % 41, "twin": number % 5, "variables": number % 97}
    signature = f"{seed_of(0, 'signature', number):016x}"
    return Candidate(number, to_text(loss), complexity(loss), signature, "crossover", parents, rejected)


def outcome(trial: Trial, config: SearchConfig, log_fid: float) -> Outcome:
    """Return an outcome as a worker would reply it."""
    metrics = {"fid": math.exp(log_fid)}
    if config.rungs[trial.rung].samples is None:
        others = np.abs(numpy_generator(trial.seed, "metrics", trial.index).normal(size=4)).tolist()
        metrics |= dict(zip(("kid", "d_real", "d_fake", "diversity"), others, strict=True))
    data, extractor, recipe = (f"{seed_of(0, role):016x}" for role in ("data", "extractor", "recipe"))
    return Outcome(step=trial.steps, seed=trial.seed, metrics=metrics, data=data, extractor=extractor, recipe=recipe)


def fake_job(job: TrialJob) -> TrialReply:
    """Stand for a trial: all losses do equally well."""
    config = synthetic_config()
    return TrialReply(
        Outcome(
            step=job.until or job.recipe.steps,
            seed=job.seed,
            metrics={"fid": 30.0},
            data=data_digest(config.data, config.reference),
            extractor=config.extractor.digest(),
            recipe=job.recipe.digest(),
        ),
        None,
    )


def costs(folder: Path = POOL) -> Cost:
    """Return the core seconds of a start, a step and a scoring, at the pool's own speed."""
    return scaled(Cost(**json.loads((folder / "cost.json").read_text(encoding="utf-8"))), read(folder, 1))


def core_seconds(trial: Trial, config: SearchConfig, cost: Cost) -> float:
    """Return what a trial costs a worker: a run of a rung before, at rate 1, is gone on with."""
    plan = config.rungs[trial.rung]
    before = [rung.steps for rung in config.rungs[: trial.rung] if trial.run[1] < rung.seeds and trial.rate == 1.0]
    score = cost.score if plan.samples is None else cost.score * CHEAP * plan.samples / 1000
    return cost.start + (trial.steps - max(before, default=0)) * cost.step + score


def searched(config: SearchConfig, landscape: Landscape, trials: int) -> Search:
    """Run a search of so many trials as its driver does: as many open as may be, results in their order."""
    search, waiting = Search(config), deque[Trial]()
    while len(search.results) < trials:
        while search.open < config.lag and len(search.trials) < trials:
            if (trial := search.decide()) is None:
                raise SystemExit("no other loss can be found")
            waiting.append(trial)
        search.commit(landscape.log_fid(waiting.popleft()))
    search.settle()
    return search
