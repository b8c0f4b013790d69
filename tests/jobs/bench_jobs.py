"""Trials for tests of the benchmark: quick, decided by the job alone, each loss with a learning rate that suits it."""

from __future__ import annotations

import hashlib
import math
import sys
import time
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics._random import seed_of
from ganetics.benchmark.config import BenchConfig, Contender
from ganetics.benchmark.run import run_bench
from ganetics.execution import Executor, PoolExecutor, RunFolder
from ganetics.records import DataIdentity, ExtractorIdentity, Failure, FailureKind, Outcome, Penalty, Recipe
from ganetics.trial import TrialJob, TrialReply, data_digest

TRAIN, REFERENCE, TEST = (
    DataIdentity(name="fake", split=split, sha256=f"{number}" * 64, count=100, channels=1, height=8, width=8)
    for number, split in enumerate(("train", "validation", "test"))
)
EXTRACTOR = ExtractorIdentity(name="fake", version="1", weights_sha256="0" * 64, resize="none", dimension=4)
RECIPE = Recipe(name="tiny", image_size=8, channels=1, steps=40, learning_rate=1e-3, extractor="fake", seconds=30)
TUNING = frozenset(seed_of(5, "benchmark/tuning", number) for number in range(2))
"""Training seeds of :func:`config` that choose, on validation images."""
BEST = {"hinge": 1.0, "wasserstein": 30.0, "(y - p)**2": 0.001, "ganetic": 3.0}
"""Factor of the learning rate that suits a loss."""


def config(**changes: Any) -> BenchConfig:
    """Return a benchmark of four contenders, with all phases."""
    settings = {
        "dataset": "fake",
        "data": TRAIN,
        "reference": REFERENCE,
        "test": TEST,
        "extractor": EXTRACTOR,
        "recipe": RECIPE,
        "contenders": (
            Contender(label="hinge", loss="hinge"),
            Contender(label="ganetic", loss="ganetic"),
            Contender(label="wasserstein+r1:2", loss="wasserstein", penalties=(Penalty(kind="r1", weight=2.0),)),
            Contender(label="squares & co", loss="(y - p)**2"),
        ),
        "baseline": "ganetic",
        "rates": (0.3, 1.0, 3.0),
        "widen": 2,
        "tuning_seeds": 2,
        "common_seeds": 2,
        "final_seeds": 3,
        "batch_sizes": (16, 128),
        "batch_seeds": 1,
        "score_at": (10, 20),
        "split": "test",
        "seed": 5,
    }
    return BenchConfig.model_validate({**settings, **changes})


def number(job: TrialJob, purpose: str = "") -> float:
    """Return a number in [0, 1) that a job always has."""
    name = f"{purpose}/{job.loss}/{job.seed}/{job.recipe.digest()}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def fid(job: TrialJob, step: int) -> float:
    distance = math.log10(job.recipe.learning_rate / RECIPE.learning_rate / BEST[job.loss])
    return 100.0 * math.exp(distance**2 + 0.1 * number(job)) / step


def trial(job: TrialJob) -> TrialReply:
    """At rates far too high all diverge; of the common and batch runs one in four."""
    distance = math.log10(job.recipe.learning_rate / RECIPE.learning_rate / BEST[job.loss])
    by_chance = job.seed not in TUNING and job.preview == 0 and number(job, "diverged") < 1 / 4
    diverged = distance > 2 or by_chance
    names = ("kid", "precision", "recall", "density", "coverage", "diversity", "d_real", "d_fake")
    curve = [outcome(job, step, {"fid": fid(job, step)}) for step in job.score_at]
    if diverged:
        return TrialReply(outcome(job, 25, None), None, tuple(curve))
    metrics = {"fid": fid(job, job.recipe.steps), **{name: number(job, name) for name in names}}
    preview = f"PNG of {job.loss}, {job.seed}".encode() if job.preview else None
    return TrialReply(outcome(job, job.recipe.steps, metrics), preview, tuple(curve))


def outcome(job: TrialJob, step: int, metrics: dict[str, float] | None) -> Outcome:
    scored = REFERENCE if job.seed in TUNING else TEST
    return Outcome(
        step=step,
        seed=job.seed,
        metrics=metrics,
        failure=None if metrics else Failure(kind=FailureKind.DIVERGED, message="not finite", step=step),
        data=data_digest(TRAIN, scored),
        extractor=EXTRACTOR.digest(),
        recipe=job.recipe.digest(),
    )


def trial_in_its_time(job: TrialJob) -> TrialReply:
    """The same, some sooner than others."""
    time.sleep(0.03 * number(job, "time"))
    return trial(job)


def slow_trial(job: TrialJob) -> TrialReply:
    """The same, to be killed meanwhile."""
    time.sleep(0.05 + 0.1 * number(job, "time"))
    return trial(job)


def faulty_trial(job: TrialJob) -> TrialReply | None:
    """The same, but the final runs of one loss raise and those of another say nothing."""
    if job.preview and job.loss == "hinge":
        raise ZeroDivisionError("by zero")
    if job.preview and job.loss == "wasserstein":
        return None
    return trial(job)


def trial_without_data(job: TrialJob) -> TrialReply:
    raise InputError(f"dataset {job.dataset}: no file at nowhere")


def trial_on_other_data(job: TrialJob) -> TrialReply:
    reply = trial(job)
    return TrialReply(reply.outcome.model_copy(update={"data": "other"}), None)


def bench(folder: Path, executor: Executor, settings: BenchConfig, **options: Any) -> Any:
    """Begin the benchmark in a folder, or go on with it."""
    with RunFolder(folder) as run:
        run.begin(settings.model_dump(mode="json"), resume=(folder / "config.json").exists())
        return run_bench(run, settings, executor, **{"data": {}, "job": trial, **options})


if __name__ == "__main__":
    import bench_jobs  # a job is a function of a module that workers can import

    with PoolExecutor(int(sys.argv[2])) as pool:
        bench(Path(sys.argv[1]), pool, config(), job=bench_jobs.slow_trial)
