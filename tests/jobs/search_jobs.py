"""Trials for tests of the search: quick, and decided by the loss, the seed, the rate and how far they go alone."""

from __future__ import annotations

import hashlib
import math
import os
import signal
import time
from pathlib import Path

from ganetics._check import InputError
from ganetics.records import DataIdentity, ExtractorIdentity, Failure, FailureKind, Outcome
from ganetics.trial import TrialJob, TrialReply, data_digest

DATA, REFERENCE = (
    DataIdentity(name="fake", split=split, sha256="0" * 64, count=100, channels=1, height=8, width=8)
    for split in ("train", "validation")
)
EXTRACTOR = ExtractorIdentity(name="fake", version="1", weights_sha256="0" * 64, resize="none", dimension=4)


def number(job: TrialJob, purpose: str = "") -> float:
    """Return a number in [0, 1) that a job always has."""
    name = f"{purpose}/{job.loss}/{job.seed}/{job.recipe.learning_rate!r}/{job.until}/{job.samples}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def trial(job: TrialJob) -> TrialReply:
    """One in six diverges."""
    diverged = number(job, "diverged") < 1 / 6
    fid = {"fid": math.exp(6 * number(job))}
    further = {} if job.samples else {"kid": -number(job, "kid")}
    outcome = Outcome(
        step=3 if diverged else job.until or job.recipe.steps,
        seed=job.seed,
        metrics=None if diverged else fid | further,
        failure=Failure(kind=FailureKind.DIVERGED, message="not finite", step=3) if diverged else None,
        data=data_digest(DATA, REFERENCE),
        extractor=EXTRACTOR.digest(),
        recipe=job.recipe.digest(),
    )
    return TrialReply(outcome, f"PNG of {job.loss}".encode() if job.preview and not diverged else None)


def trial_in_its_time(job: TrialJob) -> TrialReply:
    """The same, some sooner than others."""
    time.sleep(0.03 * number(job, "time"))
    return trial(job)


def trial_with_state(job: TrialJob) -> TrialReply:
    """The same, and something is left for who goes on."""
    if job.state is not None:
        Path(job.state).mkdir(parents=True, exist_ok=True)
    return trial(job)


def late_trial_with_state(job: TrialJob) -> TrialReply:
    """The same, but guesses are there at once."""
    if job.loss != "p**3 + sqrt(3.985*y/p)":
        time.sleep(0.3)
    return trial_with_state(job)


FAULTS = {
    "raise": "(y - p)**2",
    "none": "abs(y - p)",
    "nan": "p*p - 1.5*y*p",
    "hang": "exp(p) - 3*y*p",
    "kill": "p**3 - 2*y*p",
    "memory": "p**3 - 3*y*p",
}


def faulty_trial(job: TrialJob) -> TrialReply | None:
    """The same, but for six losses."""
    if job.loss == FAULTS["raise"]:
        raise ZeroDivisionError("by zero")
    if job.loss == FAULTS["none"]:
        return None
    if job.loss == FAULTS["nan"]:
        Outcome(step=1, seed=job.seed, metrics={"fid": math.nan}, data="", extractor="", recipe="")
    if job.loss == FAULTS["hang"]:
        time.sleep(600)
    if job.loss == FAULTS["kill"]:
        os.kill(os.getpid(), signal.SIGKILL)
    if job.loss == FAULTS["memory"]:
        kept = []
        while True:
            kept.append(bytearray(32 << 20))
    return trial(job)


def trial_without_data(job: TrialJob) -> TrialReply:
    raise InputError(f"dataset {job.dataset}: no file at nowhere")


def trial_on_other_data(job: TrialJob) -> TrialReply:
    reply = trial(job)
    return TrialReply(reply.outcome.model_copy(update={"data": "other"}), None)
