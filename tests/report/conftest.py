"""Run folders of searches and benchmarks whose trials are made up: no training, and every format as it really is."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganetics.benchmark.protocol import bound
from ganetics.benchmark.run import run_bench
from ganetics.execution import InProcessExecutor, RunFolder
from ganetics.records import DataIdentity, ExtractorIdentity, Failure, FailureKind, Outcome, to_json
from ganetics.search import run_search
from ganetics.search.config import Rung, SearchConfig
from ganetics.training import RECIPES
from ganetics.trial import TrialJob, TrialReply, data_digest

Line = dict[str, Any]


def identity(split: str, count: int) -> DataIdentity:
    return DataIdentity(name="digits", split=split, sha256=split, count=count, channels=1, height=8, width=8)


TRIALS = 80
CONFIG = SearchConfig(
    dataset="digits",
    data=identity("train", 1197),
    reference=identity("validation", 300),
    extractor=ExtractorIdentity(
        name="digits-classifier", version="1", weights_sha256="0" * 64, resize="none", dimension=64
    ),
    recipe=RECIPES["digits"],
    seed=5,
    trials=TRIALS,
    lag=3,
    rungs=(
        Rung(steps=75, seeds=1, samples=500),
        Rung(steps=300, seeds=1, samples=500),
        Rung(steps=300, seeds=2),
        Rung(steps=300, seeds=2, rates=(0.3, 1.0, 3.0)),
    ),
    promote=0.5,
    population=6,
    guesses=("ganetic",),
    finalists=2,
    final_seeds=4,
    rivals=("least-squares", "non-saturating"),
)


def chance(*name: object) -> float:
    """Return a number from 0 to 1 that depends on these things alone."""
    return int.from_bytes(hashlib.sha256(repr(name).encode()).digest()[:4]) / 2**32


def made_up(job: TrialJob) -> TrialReply:
    """Answer as a trial does: a distance that depends on loss, steps, rate and seed; some diverge.

    Least squares is worse than the non-saturating loss, which is simpler, and diverges at the highest rate.
    """
    steps = job.until or job.recipe.steps
    name = (job.loss, job.recipe.learning_rate, job.seed)
    worse = 3.0 if job.loss == "least-squares" else 1.0
    fast = worse > 1.0 and job.recipe.learning_rate > 2 * CONFIG.recipe.learning_rate
    failed = fast or chance("fails", job.loss, job.recipe.learning_rate) < 0.15
    luck = 1.2 ** chance(*name, steps, job.samples)
    fid = 20.0 * worse * (job.recipe.steps / steps) ** 0.5 * 4.0 ** chance(job.loss) * luck
    outcome = Outcome(
        step=60 if failed else steps,
        seed=job.seed,
        metrics=None if failed else {"fid": fid},
        failure=Failure(kind=FailureKind.DIVERGED, message="loss is nan", step=60) if failed else None,
        data=data_digest(CONFIG.data, CONFIG.reference),
        extractor=CONFIG.extractor.digest(),
        recipe=job.recipe.digest(),
    )
    return TrialReply(outcome, picture(int(255 * chance(*name))) if job.preview and not failed else None)


def picture(gray: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16), gray, dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def searched(folder: Path, config: SearchConfig) -> Path:
    """Make a run of made-up trials."""
    with RunFolder(folder) as run, InProcessExecutor() as executor:
        run.begin(config.model_dump(mode="json"), resume=False)
        run.note_environment({"cpu": "a processor", "torch": "2.13.0"})
        run_search(run, config, executor, job=made_up)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searched(tmp_path_factory.mktemp("search") / "run", CONFIG)


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished run, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture(autouse=True, scope="module")
def few_resamples() -> Iterator[None]:
    """Bootstraps of a benchmark take seconds, and no test here is about how wide they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganetics.benchmark.statistics.RESAMPLES", 99)
        yield


@pytest.fixture(scope="session")
def fakes(jobs: ModuleType) -> ModuleType:
    """Return the module of jobs that stand for a benchmark's trials."""
    return importlib.import_module("bench_jobs")


@pytest.fixture(scope="session")
def benchmarked(fakes: ModuleType) -> Callable[..., Path]:
    """Return what makes a benchmark of made-up trials in a folder: one final run fails, one collapses."""

    def trial(job: TrialJob) -> TrialReply:
        reply: TrialReply = fakes.trial(job)
        reply.preview = reply.preview and picture(int(255 * chance(job.loss, job.seed)))
        first = job.seed == fakes.seed_of(5, "benchmark/final", 0)
        if first and job.loss == "wasserstein":
            return TrialReply(fakes.outcome(job, 25, None), None, reply.curve)
        if first and job.loss == "hinge":
            metrics = {**reply.outcome.metrics, "coverage": 0.01}
            reply.outcome = reply.outcome.model_copy(update={"metrics": metrics})
        return reply

    def make(folder: Path, **changes: Any) -> Path:
        config = bound(folder, fakes.config(**{"final_seeds": 5, **changes}), confirmatory=False, depart=True)
        with RunFolder(folder) as run, InProcessExecutor() as executor:
            run.begin(config.model_dump(mode="json"), resume=False)
            run.note_environment({"cpu": "a processor", "torch": "2.13.0"})
            floors = {"validation": {"floor": 3.5, "floor_n": 50}, "test": {"floor": 2.25, "floor_n": 25}}
            (folder / "reference.json").write_text(json.dumps(floors))
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("ganetics.benchmark.statistics.RESAMPLES", 99)
                run_bench(run, config, executor, data={}, job=trial)
        return folder

    return make


@pytest.fixture(scope="session")
def bench_finished(benchmarked: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished benchmark. No test may change it."""
    return benchmarked(tmp_path_factory.mktemp("bench") / "run")


@pytest.fixture
def bench(bench_finished: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished benchmark, to be changed."""
    return Path(shutil.copytree(bench_finished, tmp_path / "bench"))


Change = Callable[[list[Line]], Sequence[Line]]


def archive_of(run: Path) -> list[Line]:
    return [json.loads(line) for line in (run / "archive.jsonl").read_text().splitlines()]


def change_archive(run: Path, change: Change, *, ended: bool = True) -> None:
    """Change a run's archive; ``ended``: the search has come to its end."""
    lines = change(archive_of(run))
    (run / "archive.jsonl").write_text("".join(to_json(line) + "\n" for line in lines))
    if not ended:
        (run / "hall_of_fame.json").unlink()


def fail(line: Line) -> Line:
    failure = {"kind": "diverged", "message": "loss is nan", "step": 60}
    preview = {"preview": None} if line["kind"] == "final" else {}
    return {**line, "outcome": {**line["outcome"], "metrics": None, "failure": failure}, **preview}


def score(line: Line, fid: float) -> Line:
    return {**line, "outcome": {**line["outcome"], "metrics": {"fid": fid}, "failure": None}}
