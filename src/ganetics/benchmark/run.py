"""A benchmark as a run folder: trials to executors, results to the archive, and going on after any end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import gt, lt
from typing import Any

from ganetics._files import write_atomically
from ganetics.benchmark.collapse import collapsed
from ganetics.benchmark.config import BenchConfig
from ganetics.benchmark.plan import Plan, Run, plan, recipe_of, split
from ganetics.benchmark.results import Results, preview_name, write_results
from ganetics.catalogue import CATALOGUE, expression_of, loss_named_or_parsed
from ganetics.execution import Completed, Executor, RunFolder
from ganetics.expressions.text import to_text
from ganetics.trial import TrialData, TrialJob, TrialReply, data_digest, run_job, settled, time_limit

NEIGHBOURS = 5
"""k of precision, recall, density and coverage (the value of Naeem et al., arXiv 2002.09797)."""
PREVIEW = 64
"""Images in a preview."""
WATCHED = ("common", "final")
"""Phases whose runs are scored on the way, too."""
METRICS = ("fid", "kid", "precision", "recall", "density", "coverage", "diversity", "d_real", "d_fake")
Line = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far a benchmark is."""

    phase: str
    done: int
    total: int
    """Of all phases, as far as they are decided: further rates may come on top."""
    failed: int
    elapsed: float
    """Seconds, over all the times that the benchmark was gone on with."""


def run_bench(
    run: RunFolder,
    config: BenchConfig,
    executor: Executor,
    *,
    data: Mapping[str, TrialData],
    device: str = "cpu",
    on_progress: Callable[[Progress], None] | None = None,
    job: Callable[[TrialJob], TrialReply] = run_job,
) -> Results:
    """Run a benchmark, or go on with one, to its end, and write its tables. The folder must hold the configuration.

    Every result is on the disk before it decides anything, in the order of the plan, so a benchmark that was killed and
    one that was not have equal archives, whatever the number of workers. Of each contender's final runs the best and
    the worst so far have left a grid of images: :func:`preview_name`.

    Args:
        run: the folder.
        config: the same as in the folder.
        executor: where trials run.
        data: split → what trials need that are scored on it, sent to the workers once.
        device: where they train.
        on_progress: called after each result.
        job: what a trial runs; another one in tests.

    Raises:
        InputError: a loss is not known, the archive does not belong to the configuration, or the images are others; all
            finished work is kept.
        OSError: the disk is full or not writable; all finished work is kept.
    """
    for contender in config.contenders:
        loss_named_or_parsed(contender.loss)  # one that is not known is better refused now than after hours
    driver = _Driver(run, config, executor, data, on_progress or (lambda _: None), job, device)
    while rest := driver.decided():
        driver.carry_out(rest)
    return write_results(run.path, config, driver.lines)


class _Driver:
    def __init__(
        self,
        run: RunFolder,
        config: BenchConfig,
        executor: Executor,
        data: Mapping[str, TrialData],
        on_progress: Callable[[Progress], None],
        job: Callable[[TrialJob], TrialReply],
        device: str,
    ) -> None:
        self.run, self.config, self.executor, self.device = run, config, executor, device
        self.on_progress, self.job = on_progress, job
        self.lines: list[Line] = run.archive.replay()
        self.elapsed = max((float(line.get("elapsed_seconds", 0.0)) for line in run.timings.replay()), default=0.0)
        self.start = time.monotonic() - self.elapsed
        self.shared = {name: executor.share(one) for name, one in data.items()}
        images = {"validation": config.reference, "test": config.test}
        self.identities = {
            name: (data_digest(config.data, one), config.extractor.digest()) for name, one in images.items() if one
        }

    def decided(self) -> Sequence[Run]:
        """Return the runs that are decided and not made; empty at the end."""
        return self._plan().runs[len(self.lines) :]

    def carry_out(self, rest: Sequence[Run]) -> None:
        total = self._plan().total
        scores = len(self.config.score_at) + 1
        longest = max(time_limit(recipe_of(self.config, run), scores=scores) for run in rest)
        jobs = map(self._job, rest)
        completed = self.executor.map_in_order(self.job, jobs, seconds=longest)
        for run, one in zip(rest, completed, strict=True):
            self._take(run, one)
            failed = sum(line["failure"] is not None for line in self.lines)
            self.on_progress(Progress(run.phase, len(self.lines), total, failed, self.elapsed))

    def _plan(self) -> Plan:
        return plan(self.config, self.lines, where=self.run.archive.path)

    def _job(self, run: Run) -> TrialJob:
        return TrialJob(
            run.contender.loss,
            recipe_of(self.config, run),
            self.config.dataset,
            None,
            run.seed,
            preview=PREVIEW if run.phase == "final" else 0,
            score_at=self.config.score_at if run.phase in WATCHED else (),
            neighbours=NEIGHBOURS,
            shared=self.shared[split(self.config, run.phase)] if self.shared else None,
            device=self.device,
        )

    def _take(self, run: Run, completed: Completed) -> None:
        reply = settled(
            completed,
            seed=run.seed,
            recipe=recipe_of(self.config, run),
            dataset=self.config.dataset,
            identities=self.identities[split(self.config, run.phase)],
        )
        line = run_line(self.config, run, reply)
        if reply.preview is not None:
            self._keep(line, reply.preview)
        elapsed = time.monotonic() - self.start
        self.run.commit([(line, completed)], elapsed=elapsed)
        self.elapsed = elapsed
        self.lines.append(line)

    def _keep(self, line: Line, preview: bytes) -> None:
        """Write the preview of a final run that is its contender's best or worst so far."""
        others = [
            other["fid"]
            for other in self.lines
            if (other["phase"], other["loss"]) == (line["phase"], line["loss"]) and other["fid"] is not None
        ]
        for which, beats in (("best", lt), ("worst", gt)):
            if all(beats(line["fid"], other) for other in others):
                path = self.run.path / preview_name(self.config, line["loss"], which)
                path.parent.mkdir(exist_ok=True)
                write_atomically(path, preview)


def run_line(config: BenchConfig, run: Run, reply: TrialReply) -> Line:
    """Return the archive's line of a run: what was run and what it came to; free of times and places."""
    outcome, recipe, loss = reply.outcome, recipe_of(config, run), run.contender.loss
    curve = [[one.step, one.metrics["fid"]] for one in (*reply.curve, outcome) if one.metrics]
    best = min(curve, key=lambda point: point[1], default=None)
    expression, failure, metrics = expression_of(loss), outcome.failure, outcome.metrics
    return {
        "kind": "run",
        "index": run.index,
        "phase": run.phase,
        "dataset": config.dataset,
        "loss": run.contender.label,
        "name": loss if loss in CATALOGUE else None,
        "expression": None if expression is None else to_text(expression),
        "penalties": [penalty.model_dump(mode="json") for penalty in run.contender.penalties],
        "rate": run.rate,
        "lr": recipe.learning_rate,
        "batch_size": run.batch_size,
        "seed": run.seed,
        "recipe": recipe.name,
        "recipe_digest": outcome.recipe,
        "steps": recipe.steps,
        "split": split(config, run.phase),
        "data_digest": outcome.data,
        "extractor": config.extractor.name,
        "extractor_digest": outcome.extractor,
        "n": recipe.eval_samples,
        **{name: None if metrics is None else metrics[name] for name in METRICS},
        "collapsed": collapsed(metrics),
        "curve": curve,
        "best": None if best is None else {"step": best[0], "fid": best[1]},
        "failure": None if failure is None else {"kind": failure.kind.value, "step": failure.step},
    }
