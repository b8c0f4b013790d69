"""What stands beside the figures: where they come from, what they cost, and how to make them again."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import PurePath
from typing import Any

from ganetics.records import OF_THE_MACHINE
from ganetics.report.charts import number
from ganetics.report.search_run import Line, SearchRun
from ganetics.report.words import Rows, counted, duration, extractor, identity, left_out, measured, rows_of
from ganetics.search.config import Rung, SearchConfig
from ganetics.search.ladder import ladder, rungs_text

REASONS: Mapping[str, str] = {
    "variables": "y or p is not in it",
    "optimum": "its best discriminator does not rise with the share of real images",
    "target": "real and generated images have the same slope",
    "generator": "its generator is not pushed up where most images are generated",
    "steep": "slope above 10,000",
    "not finite": "not finite",
    "too large": "too large",
    "twin": "trains as one before it",
    "choice": "less promising than another draw",
}
"""What the reasons mean for which trees were not trained."""
NOT_SEARCH = {"dataset", "data", "reference", "extractor", "recipe", "skipped", "rungs", "schema_version"}
COMMAND = ("population", "finalists", "final_seeds")
"""Settings that the command has options for, beside those that every search names."""
NOTED = 0.9
"""Share of the wall time above which no session is taken to have been killed."""
OTHER = (
    "promote", "tournament", "crossover", "immigrants", "choices", "max_depth", "max_size", "parsimony", "final_rates",
)  # fmt: skip
"""Settings that it has none for."""


@dataclass(frozen=True)
class Level:
    """What happened on one rung, or in the last round."""

    name: str
    plan: str
    """Steps, seeds, rates and images."""
    cost: int
    """Updates of the generator that a loss needs beyond those of the rung below."""
    losses: int
    """Losses trained there."""
    failed: int
    """Of these, those with a failed run there."""
    runs: int
    cpu_seconds: float | None
    """Of its runs; None: not recorded."""


def provenance(config: SearchConfig) -> str:
    """Return data, split, n and extractor in one line, to stand under each figure that was measured."""
    return measured(config.recipe, config.data, config.reference, config.extractor)


def floor(run: SearchRun) -> tuple[float, int] | None:
    """Return the Fréchet distance of two halves of the real images and the images in each; None where not recorded."""
    found = run.reference.get("floor"), run.reference.get("floor_n")
    return (float(found[0]), int(found[1])) if found[0] is not None and found[1] is not None else None


def standing(run: SearchRun) -> str | None:
    """Return how far a search is; None if it has ended."""
    if run.finished:
        return None
    config, elapsed = run.config, run.elapsed
    trials = f"{len(run.trials):,} of {config.trials:,} trials" if config.trials else counted(len(run.trials), "trial")
    parts = [trials, counted(len(run.candidates), "candidate"), f"{len(run.front)} on the front"]
    if run.finals:
        parts.append(f"last round: {counted(run.finals, 'run')}")
    if elapsed is not None:
        limit = f" of {config.minutes:g} min" if config.minutes and not run.finals else ""
        parts.append(f"{duration(elapsed)}{limit} so far")
    return ", ".join(parts)


def levels(run: SearchRun) -> list[Level]:
    """Return the rungs from the lowest, and the last round if it has begun."""
    config, rung_of = run.config, {trial.index: trial.rung for trial in run.trials}
    cpu: dict[int, float] = defaultdict(float)
    top = len(config.rungs)
    for line in run.timings:
        where = top if line["kind"] == "final" else rung_of.get(line.get("index", -1))
        if where is not None:
            cpu[where] += line["cpu_seconds"]
    found = []
    for place, (rung, cost) in enumerate(zip(config.rungs, climbing(config.rungs), strict=True)):
        trials = [trial for trial in run.trials if trial.rung == place]
        losses, failed = ({t.candidate for t in part} for part in (trials, [t for t in trials if t.fid is None]))
        counts = len(losses), len(failed), len(trials)
        found.append(Level(f"rung {place + 1}", _plan(rung), cost, *counts, cpu.get(place)))
    if run.contenders:
        last = Rung(steps=config.recipe.steps, seeds=config.final_seeds, rates=config.final_rates)
        counts = len(run.contenders), sum(one.failures > 0 for one in run.contenders), run.finals
        found.append(Level("last round", _plan(last, "fresh seed"), climbing([last])[0], *counts, cpu.get(top)))
    return found


def climbing(rungs: Sequence[Rung]) -> list[int]:
    """Return for each rung the updates of the generator that it takes beyond those below: the search's own sums.

    At the recipe's own rate a run of fewer than all steps is gone on with; at others it is begun.

    >>> climbing([Rung(steps=150), Rung(steps=300, seeds=2), Rung(steps=300, seeds=2, rates=(0.3, 1.0))])
    [150, 450, 600]
    """
    made: set[tuple[object, ...]] = set()
    kept: dict[int, int] = {}
    costs = []
    for rung in rungs:
        missing = [run for run in product(rung.rates, range(rung.seeds)) if (rung.scored, run) not in made]
        costs.append(sum(rung.steps - (kept.get(seed, 0) if rate == 1.0 else 0) for rate, seed in missing))
        made.update((rung.scored, run) for run in missing)
        if rung.steps < rungs[-1].steps:
            kept.update((seed, rung.steps) for rate, seed in missing if rate == 1.0)
    return costs


def totals(run: SearchRun) -> list[tuple[str, Rows]]:
    """Return in groups how much was trained, what was rejected untrained, and what it all cost."""
    failed = Counter(trial.failure for trial in run.trials if trial.fid is None)
    lost = Counter(final.failure for contender in run.contenders for final in contender.finals if final.fid is None)
    machine = {kind: count for kind, count in (failed + lost).items() if kind in OF_THE_MACHINE}
    rejected: Counter[str] = Counter()
    for candidate in run.candidates:
        rejected.update(candidate.rejected)
    trained = [
        ("losses (candidates)", _counted(Counter(candidate.origin for candidate in run.candidates))),
        ("training runs (trials)", f"{len(run.trials):,}"),
        ("of these failed", _counted(failed)),
        ("finished the last rung", f"{len(run.complete):,}, {len(run.front):,} of them on the front"),
        ("last round, runs", f"{run.finals:,}"),
        ("of these failed", _counted(lost)),
        *(
            [("repetition", f"not promised to give the same: {_counted(Counter(machine))}, perhaps by the machine")]
            if machine
            else []
        ),
    ]
    reasons = [(REASONS.get(name, name), f"{count:,}") for name, count in rejected.most_common()]
    return [
        ("Trained", trained),
        ("Cost", _cost(run)),
        ("Rejected untrained", [("trees", f"{rejected.total():,}"), *reasons]),
    ]


def _cost(run: SearchRun) -> Rows:
    jobs = [line for line in run.timings if line["kind"] != "driver"]
    drivers = [line for line in run.timings if line["kind"] == "driver"]
    if not jobs:
        return [("time", "none recorded")]
    trained = sum(line["cpu_seconds"] for line in jobs)
    last = sum(line["cpu_seconds"] for line in jobs if line["kind"] == "final")
    rows = [
        ("training, CPU time", duration(trained)),
        ("of it the last round", duration(last)),
        ("a run, wall time", f"{number(sum(line['wall_seconds'] for line in jobs) / len(jobs))} s (mean)"),
        ("memory of a worker", f"{max(line['peak_mib'] for line in jobs):,.0f} MiB at most"),
        ("runs begun again", f"{sum(line['attempts'] > 1 for line in jobs)} (a worker was lost or stopped)"),
        ("wall time to the last result", "not recorded" if run.elapsed is None else duration(run.elapsed)),
    ]
    if not drivers:
        return [*rows, ("the search itself", "not recorded yet: noted when a session ends")]
    # a session that was killed notes nothing: what the others noted is held to their share of the time
    wall = sum(line["wall_seconds"] for line in drivers)
    share = 1.0 if run.elapsed is None else min(1.0, wall / max(run.elapsed, 1e-9))
    own, workers = sum(_own_cpu(line, trained) for line in drivers), sorted({line["workers"] for line in drivers})
    percent = 100 * own / max(own + share * trained, 1e-9)
    noted = "" if share > NOTED else f" in the {duration(wall)} of sessions that were not killed"
    return [
        *rows,
        ("the search itself", f"{duration(own)} of CPU{noted}, {percent:.2g} % of all"),
        ("workers", " and ".join(map(str, workers))),
    ]


def _own_cpu(driver: Line, trained: float) -> float:
    # the one worker of an in-process search is the driver itself: what it trained is no work of the search
    inside = driver["workers"] == 1 and driver["cpu_seconds"] >= trained
    return float(driver["cpu_seconds"] - trained if inside else driver["cpu_seconds"])


def configuration(run: SearchRun) -> list[tuple[str, Rows]]:
    """Return the run's settings in groups: data, recipe, search, environment."""
    config = run.config
    search = config.model_dump(mode="json", exclude=NOT_SEARCH)
    real = floor(run)
    data = [
        ("dataset", PurePath(config.dataset).name),
        ("trained on", identity(config.data)),
        ("compared with", identity(config.reference)),
        ("extractor", extractor(config.extractor)),
        ("real against real", "not recorded" if real is None else f"{number(real[0])} at {real[1]:,} images a side"),
        ("images left out", left_out(config.skipped)),
    ]
    return [
        ("Data", data),
        ("Recipe", rows_of(config.recipe.model_dump(mode="json", exclude={"schema_version"}))),
        ("Search", [*rows_of(search), ("rungs", rungs_text(config.rungs)), ("digest", config.digest())]),
        ("Environment", rows_of(run.environment) or [("", "not recorded")]),
    ]


def command(run: SearchRun) -> str:
    """Return the command that makes this search again; one that ended by the clock by the number of its trials.

    Of images of one's own the last part of their path is named alone: a page is there to be published.
    """
    config, recipe = run.config, run.config.recipe
    words = ["ganetics", "search", "RUN", "--dataset", PurePath(config.dataset).name]
    if config.groups is not None:
        words += ["--groups", config.groups]
    if config.accept_audit:
        words += ["--accept-audit"]
    if config.mode != _default("mode"):
        words += ["--mode", config.mode]
    if config.trials is not None or config.minutes is not None:
        words += ["--trials", str(config.trials or len(run.trials))]
    if config.plateau is not None:
        words += ["--plateau", str(config.plateau)]
    words += ["--seed", str(config.seed), "--recipe", recipe.name, "--steps", str(recipe.steps)]
    words += [word for penalty in recipe.penalties for word in ("--penalty", penalty.text)]
    if config.rungs != ladder(recipe):
        words += ["--rungs", rungs_text(config.rungs)]
    if config.lag != _default("lag"):
        words += ["--lag", str(config.lag)]
    for name in COMMAND:
        words += [f"--{name.replace('_', '-')}", str(getattr(config, name))]
    for guess in config.guesses:
        words += ["--guess", guess]
    if config.toy_gate:
        words += ["--toy-gate"]
    if config.rivals != _default("rivals"):
        words += [word for rival in config.rivals for word in ("--rival", rival)]
    return shlex.join(words)


def beyond_command(config: SearchConfig) -> list[str]:
    """Return the settings that differ from what the command would choose, and have no option."""
    none = [] if config.rivals else ["rivals"]
    return [*(name for name in OTHER if getattr(config, name) != _default(name)), *none]


def _default(name: str) -> Any:
    return SearchConfig.model_fields[name].default


def _plan(rung: Rung, seed: str = "seed") -> str:
    """Return a rung in words."""
    rates = "" if rung.rates == (1.0,) else f" × rates {', '.join(f'{rate:g}' for rate in rung.rates)}"
    images = "" if rung.samples is None else f", scored on {rung.samples:,} images"
    return f"{rung.steps:,} steps × {counted(rung.seeds, seed)}{rates}{images}"


def _counted(counts: Counter[Any]) -> str:
    """Return a total and its parts, largest first."""
    parts = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
    return f"{counts.total():,}" + (f" ({parts})" if parts else "")
