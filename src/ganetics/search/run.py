"""A search as a run folder: candidates to executors, results to the archive, and going on after any end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics.execution import Completed, Executor, RunFolder, write_atomically
from ganetics.expressions.text import to_text
from ganetics.records import Failure, FailureKind, Outcome, Recipe, SearchConfig, to_json
from ganetics.search.evolve import Search, candidates, trial_line
from ganetics.search.fame import hall_of_fame
from ganetics.search.finals import PREVIEW, Final, final_line, plan
from ganetics.trial import TrialJob, TrialReply, run_job

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
    failed: int
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

    Every result is on the disk before the next is taken, in the order of the candidates, so a search that was killed and one
    that was not have equal archives, whatever the number of workers.

    Args:
        run: the folder.
        config: the same as in the folder.
        executor: where trials run.
        data_dir: where the data set's files lie on this machine.
        on_progress: called after each result.
        job: what a trial runs; another one in tests.

    Raises:
        InputError: the archive does not belong to this configuration.
        OSError: the disk is full or not writable; all finished work is kept.
    """
    driver = _Driver(run, config, executor, data_dir, on_progress or (lambda _: None), job)
    try:
        driver.search()
        driver.finals()
    finally:
        driver.note_driver()
    return driver.result()


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
        self.run, self.config, self.executor = run, config, executor
        self.data_dir, self.on_progress, self.job = data_dir, on_progress, job
        lines = run.archive.replay()
        run.timings.replay()
        self.trials: list[Line] = [line for line in lines if line["kind"] == "trial"]
        self.done_finals: list[Line] = [line for line in lines if line["kind"] == "final"]
        self.start, self.cpu_start = time.monotonic(), time.process_time()

    def search(self) -> None:
        """Train candidates until the trials or the minutes are used up."""
        config = self.config
        limit = len(self.trials) if self.done_finals else config.trials  # the last round has begun: no more candidates
        search = Search(config)
        for generation in candidates(search, limit):
            known = [c for c in generation if c.index < len(self.trials)]
            for candidate in known:
                line = self.trials[candidate.index]
                if line["expression"] != to_text(candidate.expression):
                    raise InputError(
                        f"{self.run.archive.path}: trial {candidate.index} must be "
                        f"{to_text(candidate.expression)!r} by this release, got {line['expression']!r}"
                    )
                search.add(candidate, Outcome.model_validate(line["outcome"]))
            rest = generation[len(known) :]
            jobs = [self._job(to_text(c.expression), config.recipe, c.seed) for c in rest]
            for candidate, completed in zip(rest, self._map(jobs), strict=False):
                outcome, _ = self._reply(completed, candidate.seed, config.recipe)
                fitness = search.add(candidate, outcome)
                line = trial_line(candidate, outcome, fitness)
                self._commit(line, completed)
                self.trials.append(line)
                self._report("search", len(self.trials), limit)
                if self._time_is_up():
                    return
            if self._time_is_up():
                return

    def finals(self) -> None:
        """Train the finalists and their rivals on fresh seeds."""
        finals = plan(self.config, self.trials)
        rest = finals[len(self.done_finals) :]
        recipe = self.config.recipe
        jobs = [self._job(f.loss, recipe.at_rate(f.rate), f.seed, PREVIEW if f.preview else 0) for f in rest]
        for final, completed in zip(rest, self._map(jobs), strict=True):
            outcome, preview = self._reply(completed, final.seed, recipe.at_rate(final.rate))
            self._save_preview(final, preview)
            line = final_line(final, outcome)
            self._commit(line, completed)
            self.done_finals.append(line)
            self._report("finals", len(self.done_finals), len(finals))
        write_hall_of_fame(self.run.path, self.config, self.trials + self.done_finals)

    def result(self) -> SearchResult:
        lines = self.trials + self.done_finals
        return SearchResult(len(self.trials), self._failed(self.trials), hall_of_fame(self.config, lines))

    def note_driver(self) -> None:
        """Add what this process itself has used: screening, variation, the log."""
        self.run.timings.append(
            {
                "kind": "driver",
                "cpu_seconds": time.process_time() - self.cpu_start,
                "wall_seconds": time.monotonic() - self.start,
                "workers": self.executor.workers,
            }
        )

    def _job(self, loss: str, recipe: Recipe, seed: int, preview: int = 0) -> TrialJob:
        return TrialJob(loss, recipe, self.config.dataset, self.data_dir, seed, preview)

    def _map(self, jobs: Sequence[TrialJob]) -> Iterator[Completed]:
        return self.executor.map_in_order(self.job, jobs, seconds=TIMEOUT * self.config.recipe.seconds)

    def _reply(self, completed: Completed, seed: int, recipe: Recipe) -> tuple[Outcome, bytes | None]:
        if completed.failure is None and isinstance(completed.value, TrialReply):
            return completed.value.outcome, completed.value.preview
        failure = completed.failure
        kind = FailureKind.CRASHED if failure is None else FailureKind(failure.kind)
        message = "the job gave no reply" if failure is None else failure.message
        outcome = Outcome(
            step=0,
            seed=seed,
            metrics=None,
            failure=Failure(kind=kind, message=message),
            data=self.config.data.digest(),
            extractor=self.config.extractor.digest(),
            recipe=recipe.digest(),
        )
        return outcome, None

    def _commit(self, line: Line, completed: Completed) -> None:
        self.run.timings.append(
            {
                "kind": line["kind"],
                "index": line["index"],
                "wall_seconds": round(completed.wall_seconds, 3),
                "cpu_seconds": round(completed.cpu_seconds, 3),
                "peak_mib": round(completed.peak_mib, 1),
                "attempts": completed.attempts,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        self.run.archive.append(line)

    def _save_preview(self, final: Final, preview: bytes | None) -> None:
        if final.preview is not None and preview is not None:
            path = self.run.path / final.preview
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, preview)

    def _report(self, phase: str, done: int, total: int | None) -> None:
        fids = [line["outcome"]["metrics"]["fid"] for line in self.trials if line["outcome"]["metrics"]]
        self.on_progress(
            Progress(
                phase=phase,
                done=done,
                total=total,
                best_fid=min(fids, default=None),
                failed=self._failed(self.trials + self.done_finals),
                rejected=sum(sum(line["rejected"].values()) for line in self.trials),
            )
        )

    def _failed(self, lines: Sequence[Line]) -> int:
        return sum(line["outcome"]["metrics"] is None for line in lines)

    def _time_is_up(self) -> bool:
        minutes = self.config.minutes
        return minutes is not None and time.monotonic() - self.start > 60.0 * minutes


def write_hall_of_fame(folder: Path, config: SearchConfig, lines: Sequence[Line]) -> None:
    """Write ``hall_of_fame.json`` from the archive's lines."""
    text = to_json(hall_of_fame(config, lines), indent=1) + "\n"
    write_atomically(folder / "hall_of_fame.json", text.encode())
