"""A search as a run folder: trials to executors, results to the archive, and going on after any end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass

from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics.execution import Completed, Executor, RunFolder
from ganetics.execution.lines import check_lines
from ganetics.records import Outcome, Recipe
from ganetics.search.config import SearchConfig
from ganetics.search.evolve import finalists
from ganetics.search.fame import write_hall_of_fame
from ganetics.search.finals import PREVIEW, Final, plan, rivals
from ganetics.search.lines import LINES, Line, final_line, log_fid_of, trial_line
from ganetics.search.pairs import trained_as
from ganetics.search.progress import Progress, Tally
from ganetics.search.replay import hold_finals, restored
from ganetics.search.rungs import Trial
from ganetics.search.states import States
from ganetics.search.toy import run_gated_job
from ganetics.trial import TrialData, TrialJob, TrialReply, data_digest, run_job, settled, time_limit


@dataclass(frozen=True)
class SearchResult:
    """What a search came to."""

    trials: int
    candidates: int
    failed: int
    finished: int
    """Candidates that have finished the last rung."""
    hall_of_fame: list[Line]


def run_search(
    run: RunFolder,
    config: SearchConfig,
    executor: Executor,
    *,
    data: TrialData | None = None,
    data_dir: str | None = None,
    device: str = "cpu",
    on_progress: Callable[[Progress], None] | None = None,
    job: Callable[[TrialJob], TrialReply] = run_job,
) -> SearchResult:
    """Run a search, or go on with one, to its end. The folder must hold the configuration already.

    Every result is on the disk before it decides anything, in the order of the trials, so a search that was killed
    and one that was not have equal archives, whatever the number of workers. ``minutes`` are those of the search for
    candidates, over all the times it was gone on with; the last round comes after them, and takes as long as it takes.

    Args:
        run: the folder.
        config: the same as in the folder.
        executor: where trials run.
        data: what trials need, sent to the workers once; None: each worker reads the dataset itself.
        data_dir: where the data set's files lie on this machine; for workers that read it themselves.
        device: where trials run.
        on_progress: called after each result.
        job: what a trial runs; another one in tests.

    Raises:
        InputError: the configuration is wrong, the archive does not belong to it, or the data are missing or others;
            all finished work is kept.
        OSError: the disk is full or not writable; all finished work is kept.
    """
    driver = _Driver(run, config, executor, data, data_dir, on_progress or (lambda _: None), job, device)
    try:
        driver.search_on()
        return driver.finals()
    finally:
        driver.note_driver()


class _Driver:
    def __init__(
        self,
        run: RunFolder,
        config: SearchConfig,
        executor: Executor,
        data: TrialData | None,
        data_dir: str | None,
        on_progress: Callable[[Progress], None],
        job: Callable[[TrialJob], TrialReply],
        device: str,
    ) -> None:
        if config.trials is None and config.minutes is None and config.plateau is None:
            raise InputError("search: trials, minutes or plateau must be given, or it would not end")
        rivals(config)  # one that is not known is better refused now than after hours
        self.run, self.config, self.executor = run, config, executor
        self.data_dir, self.on_progress, self.job, self.device = data_dir, on_progress, job, device
        lines = run.archive.replay()
        check_lines(LINES, lines, where=run.archive.path)
        self.search = restored(config, [line for line in lines if line["kind"] == "trial"], where=run.archive.path)
        self.tally = Tally(config)
        for line in lines:
            self.tally.add(line)
        self.elapsed = max((float(line.get("elapsed_seconds", 0.0)) for line in run.timings.replay()), default=0.0)
        self.start, self.cpu_start = time.monotonic() - self.elapsed, time.process_time()
        self.begun = time.monotonic()
        self.identities = (data_digest(config.data, config.reference), config.extractor.digest())
        self.shared = None if data is None else executor.share(data)
        self.states = States(run.path, config, executor)
        self.abandoned: list[Future[Completed]] = []

    def search_on(self) -> None:
        """Train until trials, minutes or patience are used up, or no other candidate can be found."""
        search = self.search
        if not self.tally.finals:
            waiting: deque[tuple[Trial, Future[Completed]]] = deque()
            exhausted = False
            try:
                while not self._is_over():
                    while not exhausted and search.open < self.config.lag and len(search.trials) != self.config.trials:
                        trial = search.decide()
                        exhausted = trial is None
                        if trial is not None:
                            waiting.append((trial, self._submit(trial)))
                    if not waiting:
                        break
                    self._take(waiting)
            finally:
                self.abandoned = [future for _, future in waiting if not future.cancel()]
        search.settle()
        self.states.remove()

    def finals(self) -> SearchResult:
        """Train the finalists and their rivals on fresh seeds; write the hall of fame."""
        _, known = rivals(self.config)
        finals = plan(self.config, [candidate.text for candidate in finalists(self.search, beside=known)])
        hold_finals(finals, self.tally.finals, where=self.run.archive.path)
        rest = finals[len(self.tally.finals) :]
        recipe = self.config.recipe
        jobs = (
            TrialJob(
                final.loss,
                recipe.at_rate(final.rate),
                self.config.dataset,
                self.data_dir,
                final.seed,
                preview=PREVIEW if final.preview else 0,
                groups=self.config.groups,
                shared=self.shared,
                device=self.device,
            )
            for final in rest
        )
        completed = self.executor.map_in_order(self.job, jobs, seconds=time_limit(recipe))
        for final, reply in zip(rest, completed, strict=True):
            outcome, preview = self._outcome(reply, final.seed, recipe.at_rate(final.rate))
            self._save_preview(final, preview)
            line = final_line(final, outcome)
            self._write([(line, reply)])
            self.tally.add(line)
            self._report("finals", len(self.tally.finals), len(finals))
        fame = write_hall_of_fame(self.run.path, self.config, self.tally.lines)
        wait(self.abandoned)  # the clock has ended the search while they ran: they may have left states since
        self.states.remove()
        trials = self.tally.trials
        failed = sum(line["outcome"]["metrics"] is None for line in trials)
        candidates, finished = len({line["candidate"] for line in trials}), self.search.finished()[-1]
        return SearchResult(len(trials), candidates, failed, finished, fame)

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

    def _trial_job(self, trial: Trial) -> TrialJob:
        recipe = self.config.recipe.at_rate(trial.rate)
        return TrialJob(
            trained_as(trial.candidate.text, self.config.mode),
            recipe,
            self.config.dataset,
            self.data_dir,
            trial.seed,
            until=trial.steps,
            samples=self.config.rungs[trial.rung].samples,
            state=self.states.folder_of(trial),
            groups=self.config.groups,
            shared=self.shared,
            device=self.device,
        )

    def _submit(self, trial: Trial) -> Future[Completed]:
        job = self._trial_job(trial)
        gated = self.config.toy_gate and trial.born and trial.candidate.origin == "random" and self.job is run_job
        function = run_gated_job if gated else self.job
        return self.executor.submit(function, job, seconds=time_limit(job.recipe))

    def _take(self, waiting: deque[tuple[Trial, Future[Completed]]]) -> None:
        """Commit the oldest trial when it is done, and with it, for one wait for the disk, those next that are, too."""
        done: list[tuple[Line, Completed]] = []
        try:
            while waiting and (not done or (len(done) < self.executor.workers and waiting[0][1].done())):
                trial, completed = waiting[0][0], waiting[0][1].result()
                waiting.popleft()
                outcome, _ = self._outcome(completed, trial.seed, self.config.recipe.at_rate(trial.rate))
                done.append((trial_line(trial, outcome), completed))
        finally:
            self._write(done)
        for line, _ in done:
            self.tally.add(line)
            self.search.commit(log_fid_of(line))
            self.states.tidy(self.search, after=line["index"])
            self._report("search", len(self.search.results), self.config.trials)

    def _outcome(self, completed: Completed, seed: int, recipe: Recipe) -> tuple[Outcome, bytes | None]:
        reply = settled(completed, seed=seed, recipe=recipe, dataset=self.config.dataset, identities=self.identities)
        return reply.outcome, reply.preview

    def _write(self, done: Sequence[tuple[Line, Completed]]) -> None:
        if not done:
            return
        elapsed = time.monotonic() - self.start
        self.run.commit(done, elapsed=elapsed)
        self.elapsed = elapsed

    def _save_preview(self, final: Final, preview: bytes | None) -> None:
        if final.preview is not None and preview is not None:
            path = self.run.path / final.preview
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, preview)

    def _report(self, phase: str, done: int, total: int | None) -> None:
        self.on_progress(self.tally.progress(phase, done, total, self.search, self.elapsed))

    def _is_over(self) -> bool:
        config, done = self.config, len(self.search.results)
        return done == config.trials or (
            config.minutes is not None and done > 0 and self.elapsed > 60.0 * config.minutes
        )
