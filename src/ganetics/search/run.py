"""A search as a run folder: candidates to executors, results to the archive, and going on after any end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics.execution import Completed, Executor, RunFolder
from ganetics.expressions.text import to_text
from ganetics.records import Failure, FailureKind, Outcome, Recipe, SearchConfig, to_json
from ganetics.search.evolve import Search, candidates, trial_line
from ganetics.search.fame import hall_of_fame
from ganetics.search.finals import PREVIEW, Final, final_line, plan
from ganetics.trial import TrialJob, TrialReply, data_digest, run_job

TIMEOUT = 20.0
"""Times the expected time of a trial: then something hangs."""
Line = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far a search is."""

    phase: str
    """"search" or "finals"."""
    done: int
    total: int | None
    """None if the search ends by the clock."""
    best_fid: float | None
    """Smallest Fréchet distance of a trial of the search."""
    failed: int
    """Trials and runs of the last round that failed."""
    rejected: int
    """Trees that the screen has rejected so far."""


@dataclass(frozen=True)
class SearchResult:
    """What a search came to."""

    trials: int
    failed: int
    hall_of_fame: list[Line]


def run_search(
    run: RunFolder,
    config: SearchConfig,
    executor: Executor,
    *,
    data_dir: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    job: Callable[[TrialJob], TrialReply] = run_job,
) -> SearchResult:
    """Run a search, or go on with one, to its end. The folder must hold the configuration already.

    Every result is on the disk before the next is taken, in the order of the candidates, so a search that was killed
    and one that was not have equal archives, whatever the number of workers. ``minutes`` are those of the search for
    candidates, over all the times it was gone on with; the last round comes after them, and takes as long as it takes.

    Args:
        run: the folder.
        config: the same as in the folder.
        executor: where trials run.
        data_dir: where the data set's files lie on this machine.
        on_progress: called after each result.
        job: what a trial runs; another one in tests.

    Raises:
        InputError: the configuration is wrong, the archive does not belong to it, or the data are missing or others;
            all finished work is kept.
        OSError: the disk is full or not writable; all finished work is kept.
    """
    driver = _Driver(run, config, executor, data_dir, on_progress or (lambda _: None), job)
    try:
        driver.search()
        return driver.finals()
    finally:
        driver.note_driver()


class _Driver:
    def __init__(
        self,
        run: RunFolder,
        config: SearchConfig,
        executor: Executor,
        data_dir: str | None,
        on_progress: Callable[[Progress], None],
        job: Callable[[TrialJob], TrialReply],
    ) -> None:
        if config.trials is None and config.minutes is None:
            raise InputError("search: trials or minutes must be given, or it would not end")
        plan(config, [])  # a rival that is not known is better refused now than after hours
        self.run, self.config, self.executor = run, config, executor
        self.data_dir, self.on_progress, self.job = data_dir, on_progress, job
        self.trials: list[Line] = []
        self.done_finals: list[Line] = []
        self.best_fid: float | None = None
        self.failed = self.rejected = 0
        for line in run.archive.replay():
            self._count(line)
        self.elapsed = max((float(line.get("elapsed_seconds", 0.0)) for line in run.timings.replay()), default=0.0)
        self.start, self.cpu_start = time.monotonic() - self.elapsed, time.process_time()
        self.begun = time.monotonic()
        self.identities = (data_digest(config.data, config.reference), config.extractor.digest())

    def search(self) -> None:
        """Train candidates until the trials or the minutes are used up, or no other candidate can be found."""
        config = self.config
        if self.done_finals or self._time_is_up():
            return
        search = Search(config)
        for generation in candidates(search, config.trials):
            known = [c for c in generation if c.index < len(self.trials)]
            for candidate in known:
                line = self.trials[candidate.index]
                self._check_same("trial", candidate.index, to_text(candidate.expression), line["expression"])
                search.add(candidate, Outcome.model_validate(line["outcome"]))
            rest = generation[len(known) :]
            jobs = [self._job(to_text(c.expression), config.recipe, c.seed) for c in rest]
            for candidate, completed in zip(rest, self._map(jobs), strict=True):
                outcome, _ = self._reply(completed, candidate.seed, config.recipe)
                fitness = search.add(candidate, outcome)
                self._commit(trial_line(candidate, outcome, fitness), completed)
                self._report("search", len(self.trials), config.trials)
                if self._time_is_up():
                    return

    def finals(self) -> SearchResult:
        """Train the finalists and their rivals on fresh seeds; write the hall of fame."""
        finals = plan(self.config, self.trials)
        for final, line in zip(finals, self.done_finals, strict=False):
            known = (line["name"] or line["expression"], line["rate"], line["seed"])
            self._check_same("final", final.index, (final.loss, final.rate, final.seed), known)
        rest = finals[len(self.done_finals) :]
        recipe = self.config.recipe
        jobs = [self._job(f.loss, recipe.at_rate(f.rate), f.seed, PREVIEW if f.preview else 0) for f in rest]
        for final, completed in zip(rest, self._map(jobs), strict=True):
            outcome, preview = self._reply(completed, final.seed, recipe.at_rate(final.rate))
            self._save_preview(final, preview)
            self._commit(final_line(final, outcome), completed)
            self._report("finals", len(self.done_finals), len(finals))
        fame = write_hall_of_fame(self.run.path, self.config, self.trials + self.done_finals)
        failed = sum(line["outcome"]["metrics"] is None for line in self.trials)
        return SearchResult(len(self.trials), failed, fame)

    def note_driver(self) -> None:
        """Add what this process itself has used: screening, variation, the log; and jobs, if they ran in it."""
        with suppress(OSError):  # the disk may be what the search has ended of; this line is not worth hiding that
            self.run.timings.append(
                {
                    "kind": "driver",
                    "cpu_seconds": time.process_time() - self.cpu_start,
                    "wall_seconds": time.monotonic() - self.begun,
                    "workers": self.executor.workers,
                }
            )

    def _job(self, loss: str, recipe: Recipe, seed: int, preview: int = 0) -> TrialJob:
        return TrialJob(loss, recipe, self.config.dataset, self.data_dir, seed, preview)

    def _map(self, jobs: Sequence[TrialJob]) -> Iterator[Completed]:
        return self.executor.map_in_order(self.job, jobs, seconds=TIMEOUT * self.config.recipe.seconds)

    def _reply(self, completed: Completed, seed: int, recipe: Recipe) -> tuple[Outcome, bytes | None]:
        """Return a trial's outcome, also of one that did not come to give it itself, and its preview.

        Raises:
            InputError: the data are missing or others than the configuration says: no trial's result.
        """
        reply, failure = completed.value, completed.failure
        if isinstance(reply, TrialReply):
            if (reply.outcome.data, reply.outcome.extractor) != self.identities:
                raise InputError(
                    f"dataset {self.config.dataset}: must be the images that the run began with, got others"
                )
            return reply.outcome, reply.preview
        if failure is not None and failure.kind == "wrong input":
            raise InputError(failure.message)
        kind = FailureKind.CRASHED if failure is None else FailureKind(failure.kind)
        message = "the job gave no reply" if failure is None else failure.message
        data, extractor = self.identities
        outcome = Outcome(
            step=0,
            seed=seed,
            metrics=None,
            failure=Failure(kind=kind, message=message),
            data=data,
            extractor=extractor,
            recipe=recipe.digest(),
        )
        return outcome, None

    def _commit(self, line: Line, completed: Completed) -> None:
        elapsed = time.monotonic() - self.start
        self.run.timings.append(
            {
                "kind": line["kind"],
                "index": line["index"],
                "wall_seconds": round(completed.wall_seconds, 3),
                "cpu_seconds": round(completed.cpu_seconds, 3),
                "peak_mib": round(completed.peak_mib, 1),
                "attempts": completed.attempts,
                "elapsed_seconds": round(elapsed, 3),
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        self.run.archive.append(line)
        self.elapsed = elapsed
        self._count(line)

    def _count(self, line: Line) -> None:
        (self.trials if line["kind"] == "trial" else self.done_finals).append(line)
        metrics = line["outcome"]["metrics"]
        if metrics is None:
            self.failed += 1
        elif line["kind"] == "trial":
            self.best_fid = min(metrics["fid"], math.inf if self.best_fid is None else self.best_fid)
        self.rejected += sum(line.get("rejected", {}).values())

    def _check_same(self, kind: str, index: int, expected: object, found: object) -> None:
        if expected != found:
            raise InputError(
                f"{self.run.archive.path}: {kind} {index} must be {expected!r} by this release, got {found!r}"
            )

    def _save_preview(self, final: Final, preview: bytes | None) -> None:
        if final.preview is not None and preview is not None:
            path = self.run.path / final.preview
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, preview)

    def _report(self, phase: str, done: int, total: int | None) -> None:
        self.on_progress(Progress(phase, done, total, self.best_fid, self.failed, self.rejected))

    def _time_is_up(self) -> bool:
        minutes = self.config.minutes
        return minutes is not None and bool(self.trials) and self.elapsed > 60.0 * minutes


def write_hall_of_fame(folder: Path, config: SearchConfig, lines: Sequence[Line]) -> list[Line]:
    """Write ``hall_of_fame.json`` from the archive's lines, and return what is in it."""
    fame = hall_of_fame(config, lines)
    write_atomically(folder / "hall_of_fame.json", (to_json(fame, indent=1) + "\n").encode())
    return fame
