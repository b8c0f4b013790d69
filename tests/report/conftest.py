"""Run folders of real searches whose trials are made up: no training, and every format as it really is."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganetics.execution import InProcessExecutor, RunFolder
from ganetics.records import DataIdentity, ExtractorIdentity, Failure, FailureKind, Outcome, SearchConfig, to_json
from ganetics.search import run_search
from ganetics.training import RECIPES
from ganetics.trial import TrialJob, TrialReply, data_digest

Line = dict[str, Any]


def identity(split: str, count: int) -> DataIdentity:
    return DataIdentity(name="digits", split=split, sha256=split, count=count, channels=1, height=8, width=8)


CONFIG = SearchConfig(
    dataset="digits",
    data=identity("train", 1197),
    reference=identity("validation", 300),
    extractor=ExtractorIdentity(
        name="digits-classifier", version="1", weights_sha256="0" * 64, resize="none", dimension=64
    ),
    recipe=RECIPES["digits"],
    seed=3,
    trials=14,
    population=6,
    guesses=("ganetic",),
    finalists=2,
    final_seeds=4,
    rivals=("least-squares", "non-saturating"),
)


def made_up(job: TrialJob) -> TrialReply:
    """Answer as a trial does: a distance that depends on loss, rate and seed; some diverge."""
    key = f"{job.loss} {job.recipe.learning_rate} {job.seed}".encode()
    chance = int.from_bytes(hashlib.sha256(key).digest()[:4]) / 2**32
    failed = chance < 0.15
    outcome = Outcome(
        step=60 if failed else job.recipe.steps,
        seed=job.seed,
        metrics=None if failed else {"fid": 20.0 * 2.0**chance},
        failure=Failure(kind=FailureKind.DIVERGED, message="loss is nan", step=60) if failed else None,
        data=data_digest(CONFIG.data, CONFIG.reference),
        extractor=CONFIG.extractor.digest(),
        recipe=job.recipe.digest(),
    )
    return TrialReply(outcome, picture(int(255 * chance)) if job.preview and not failed else None)


def picture(gray: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16), gray, dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search") / "run"
    with RunFolder(folder) as run, InProcessExecutor() as executor:
        run.begin(CONFIG.model_dump(mode="json"), resume=False)
        run.note_environment({"cpu": "a processor", "torch": "2.13.0"})
        run_search(run, CONFIG, executor, job=made_up)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished run, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


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
    return {
        **line,
        "outcome": {**line["outcome"], "metrics": None, "failure": failure},
        "fitness": None,
        "preview": None,
    }


def score(line: Line, fid: float) -> Line:
    return {**line, "outcome": {**line["outcome"], "metrics": {"fid": fid}, "failure": None}}
