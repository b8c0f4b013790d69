"""A search as a run folder: trials to executors, results to the archive, and going on after any end."""

from __future__ import annotations

import hashlib
import math
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics.execution import Completed, Executor, RunFolder
from ganetics.execution.lines import check_lines
from ganetics.execution.process import uncollected
from ganetics.records import Outcome, Recipe, log_distance, write_json
from ganetics.search.config import SearchConfig
from ganetics.search.evolve import Search, finalists
from ganetics.search.fame import hall_of_fame
from ganetics.search.finals import PREVIEW, Final, final_line, plan, rivals
from ganetics.search.lines import LINES
from ganetics.search.pairs import trained_as
from ganetics.search.rungs import Candidate, Trial
from ganetics.search.toy import run_gated_job
from ganetics.trial import TrialData, TrialJob, TrialReply, data_digest, run_job, settled, time_limit

TIDY_EVERY = 50
"""Trials between two looks for states that nobody will go on from."""
PLACE = ("candidate", "rung", "rate", "seed", "expression")
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
    """Smallest Fréchet distance of a trial of the search that was trained for all steps."""
    failed: int
    """Trials and runs of the last round that failed."""
    rejected: int
    """Trees that the screen has rejected so far."""
    rungs: tuple[int, ...]
    """Candidates that have been trained on each rung."""
    front: int
    """Losses on the front."""
    elapsed: float
    """Seconds, over all the times that the search was gone on with."""


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


def restored(config: SearchConfig, lines: Sequence[Line], *, where: Path) -> Search:
    """Return the search in the state after these lines of its archive; nothing is drawn, screened or trained again.

    Only the last candidate is proposed anew, to see that this release goes on as the one that began.

    Raises:
        InputError: the lines are not of this configuration, or of another release; names ``where`` and the trial.
    """
    search = Search(config)
    last = max((line["index"] for line in lines if line.get("born")), default=-1)
    with uncollected():
        for line in lines:
            born = line.get("born")
            known = _candidate(len(search.candidates), born) if born and line["index"] != last else None
            trial = search.decide(known)
            expected = None if trial is None else _place(trial)
            found = (line["candidate"], line["rung"], line["rate"], line["seed"], born["expression"] if born else None)
            if expected != found:
                named, got = (place and dict(zip(PLACE, place, strict=True)) for place in (expected, found))
                raise InputError(f"{where}: trial {line['index']} must be {named!r} by this release, got {got!r}")
            search.commit(_log_fid(line))
    return search


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
        self.lines: list[Line] = []
        self.done_finals: list[Line] = []
        self.failed = self.rejected = 0
        self.on_rung: list[set[int]] = [set() for _ in config.rungs]
        for line in lines:
            self._count(line)
        self.elapsed = max((float(line.get("elapsed_seconds", 0.0)) for line in run.timings.replay()), default=0.0)
        self.start, self.cpu_start = time.monotonic() - self.elapsed, time.process_time()
        self.begun = time.monotonic()
        self.identities = (data_digest(config.data, config.reference), config.extractor.digest())
        self.shared = None if data is None else executor.share(data)
        self.states = _states_folder(run.path, config, executor)
        self.abandoned: list[Future[Completed]] = []

    def search_on(self) -> None:
        """Train until trials, minutes or patience are used up, or no other candidate can be found."""
        search = self.search
        if not self.done_finals:
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
        shutil.rmtree(self.states, ignore_errors=True)

    def finals(self) -> SearchResult:
        """Train the finalists and their rivals on fresh seeds; write the hall of fame."""
        _, known = rivals(self.config)
        finals = plan(self.config, [candidate.text for candidate in finalists(self.search, beside=known)])
        for final, line in zip(finals, self.done_finals, strict=False):
            expected = (final.name or final.expression, final.rate, final.seed)
            found = (line["name"] or line["expression"], line["rate"], line["seed"])
            if expected != found:
                raise InputError(
                    f"{self.run.archive.path}: final {final.index} must be {expected!r} by this release, got {found!r}"
                )
        rest = finals[len(self.done_finals) :]
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
            self._count(line)
            self._report("finals", len(self.done_finals), len(finals))
        fame = write_hall_of_fame(self.run.path, self.config, self.lines)
        wait(self.abandoned)  # the clock has ended the search while they ran: they may have left states since
        shutil.rmtree(self.states, ignore_errors=True)
        trials = [line for line in self.lines if line["kind"] == "trial"]
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
        last = self.config.rungs[-1].steps
        goes_on = trial.rate == 1.0 and self.config.rungs[0].steps < last
        return TrialJob(
            trained_as(trial.candidate.text, self.config.mode),
            recipe,
            self.config.dataset,
            self.data_dir,
            trial.seed,
            until=trial.steps,
            samples=self.config.rungs[trial.rung].samples,
            state=str(self.states / f"{trial.candidate.number}" / f"{trial.run[1]}") if goes_on else None,
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
            self._count(line)
            self.search.commit(_log_fid(line))
            if line["index"] % TIDY_EVERY == 0:
                self._tidy()
            self._report("search", len(self.search.results), self.config.trials)

    def _tidy(self) -> None:
        """Remove the states that nobody is expected to go on from; whoever does trains from the start."""
        with suppress(OSError):
            for folder in list(self.states.iterdir()):
                number = int(folder.name) if folder.name.isdecimal() else len(self.search.candidates)
                known = self.search.candidates[number : number + 1]
                if any(map(self.search.hopeless, known)):
                    shutil.rmtree(folder, ignore_errors=True)

    def _outcome(self, completed: Completed, seed: int, recipe: Recipe) -> tuple[Outcome, bytes | None]:
        reply = settled(completed, seed=seed, recipe=recipe, dataset=self.config.dataset, identities=self.identities)
        return reply.outcome, reply.preview

    def _write(self, done: Sequence[tuple[Line, Completed]]) -> None:
        if not done:
            return
        elapsed = time.monotonic() - self.start
        self.run.commit(done, elapsed=elapsed)
        self.elapsed = elapsed

    def _count(self, line: Line) -> None:
        self.lines.append(line)
        if line["kind"] == "final":
            self.done_finals.append(line)
        else:
            self.on_rung[line["rung"]].add(line["candidate"])
        self.failed += line["outcome"]["metrics"] is None
        self.rejected += sum(line.get("born", {}).get("rejected", {}).values())

    def _save_preview(self, final: Final, preview: bytes | None) -> None:
        if final.preview is not None and preview is not None:
            path = self.run.path / final.preview
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, preview)

    def _report(self, phase: str, done: int, total: int | None) -> None:
        best, search = self.search.best, self.search
        fid = None if best is None else math.exp(best)
        rungs = tuple(map(len, self.on_rung))
        self.on_progress(
            Progress(phase, done, total, fid, self.failed, self.rejected, rungs, len(search.front), self.elapsed)
        )

    def _is_over(self) -> bool:
        config, done = self.config, len(self.search.results)
        return done == config.trials or (
            config.minutes is not None and done > 0 and self.elapsed > 60.0 * config.minutes
        )


def trial_line(trial: Trial, outcome: Outcome) -> Line:
    """Return the archive's line of a trial; of a candidate's first, with how it came about."""
    line: Line = {
        "kind": "trial",
        "index": trial.index,
        "candidate": trial.candidate.number,
        "rung": trial.rung,
        "rate": trial.rate,
        "seed": trial.seed,
        "outcome": outcome.model_dump(mode="json"),
    }
    if trial.born:
        one = trial.candidate
        line["born"] = {
            "expression": one.text,
            "complexity": one.complexity,
            "signature": one.signature,
            "origin": one.origin,
            "parents": list(one.parents),
            "rejected": one.rejected,
        }
    return line


def write_hall_of_fame(folder: Path, config: SearchConfig, lines: Sequence[Line]) -> list[Line]:
    """Write ``hall_of_fame.json`` from the archive's lines, and return what is in it."""
    fame = hall_of_fame(config, lines)
    write_json(folder / "hall_of_fame.json", fame)
    return fame


def _candidate(number: int, born: Line) -> Candidate:
    return Candidate(
        number,
        born["expression"],
        born["complexity"],
        born["signature"],
        born["origin"],
        tuple(born["parents"]),
        born["rejected"],
    )


def _place(trial: Trial) -> tuple[Any, ...]:
    """Return what of a trial is held to the archive: :data:`PLACE`."""
    return (
        trial.candidate.number,
        trial.rung,
        trial.rate,
        trial.seed,
        trial.candidate.text if trial.born else None,
    )


def _log_fid(line: Line) -> float:
    metrics = line["outcome"]["metrics"]
    return math.inf if metrics is None else log_distance(metrics["fid"])


def _states_folder(run: Path, config: SearchConfig, executor: Executor) -> Path:
    """Where workers leave states: in the run's folder, or where workers are elsewhere in their temporary folder."""
    if executor.shares_files:
        return run.resolve() / "states"
    # another run in a folder of this name, whose states may still lie there, is another one
    name = hashlib.sha256(f"{run.resolve()} {config.digest()}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"ganetics-{name}"
