"""What stands beside the figures: where they come from, what they cost, and how to make them again."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ganetics.records import DataIdentity, ExtractorIdentity, SearchConfig
from ganetics.report.charts import number
from ganetics.report.run import Line, SearchRun
from ganetics.report.verdict import counted

Rows = list[tuple[str, str]]
REASONS: Mapping[str, str] = {
    "variables": "y or p is not in it",
    "optimum": "its best discriminator does not rise with the share of real images",
    "target": "real and generated images have the same slope",
    "steep": "slope above 10,000",
    "not finite": "not finite",
    "too large": "too large",
    "twin": "trains as one before it",
}
"""What the screen's reasons mean."""
NOT_SEARCH = {"dataset", "data", "reference", "extractor", "recipe", "skipped", "schema_version"}
COMMAND = ("population", "finalists", "final_seeds")
"""Settings that the command has options for, beside those that every search names."""
OTHER = ("elites", "tournament", "crossover", "max_depth", "max_size", "parsimony", "final_rates", "rivals")
"""Settings that it has none for."""


def provenance(config: SearchConfig) -> str:
    """Return data, split, n and extractor in one line, to stand under each figure that was measured."""
    recipe, data, reference, extractor = config.recipe, config.data, config.reference, config.extractor
    trained = min(recipe.train_size or data.count, data.count)
    compared = min(recipe.eval_samples, reference.count)
    return (
        f"{data.name}: trained on {trained:,} images ({data.split}); {recipe.eval_samples:,} generated against "
        f"{compared:,} real images ({reference.split}); FID on {extractor.dimension} features of {extractor.name} "
        f"{extractor.version}, resize: {extractor.resize}; {recipe.steps:,} steps, recipe {recipe.name}"
    )


def floor(run: SearchRun) -> tuple[float, int] | None:
    """Return the Fréchet distance of two halves of the real images and the images in each; None where not recorded."""
    found = run.reference.get("floor"), run.reference.get("floor_n")
    return (float(found[0]), int(found[1])) if found[0] is not None and found[1] is not None else None


def totals(run: SearchRun) -> list[tuple[str, Rows]]:
    """Return in groups how much was trained, what was rejected untrained, and what it all cost."""
    failed = Counter(trial.failure for trial in run.trials if trial.fid is None)
    lost = Counter(final.failure for contender in run.contenders for final in contender.finals if final.fid is None)
    rejected: Counter[str] = Counter()
    for trial in run.trials:
        rejected.update(trial.rejected)
    generations = run.trials[-1].generation + 1 if run.trials else 0
    trained = [
        ("losses trained", f"{len(run.trials):,}"),
        ("of these failed", _counted(failed)),
        ("generations", f"{generations}"),
        ("last round, runs", f"{run.finals:,}"),
        ("of these failed", _counted(lost)),
    ]
    reasons = [(REASONS.get(name, name), f"{count:,}") for name, count in rejected.most_common()]
    return [
        ("Trained", trained),
        ("Cost", _cost(run.timings)),
        ("Rejected by the screen, untrained", [("trees", f"{rejected.total():,}"), *reasons]),
    ]


def _cost(timings: Sequence[Line]) -> Rows:
    jobs = [line for line in timings if line["kind"] != "driver"]
    drivers = [line for line in timings if line["kind"] == "driver"]
    if not jobs:
        return [("time", "none recorded")]
    trained = sum(line["cpu_seconds"] for line in jobs)
    rows = [
        ("training, CPU time", duration(trained)),
        ("a run, wall time", f"{number(sum(line['wall_seconds'] for line in jobs) / len(jobs))} s (mean)"),
        ("memory of a worker", f"{max(line['peak_mib'] for line in jobs):,.0f} MiB at most"),
        ("runs begun again", f"{sum(line['attempts'] > 1 for line in jobs)} (a worker was lost or stopped)"),
    ]
    if not drivers:
        return [*rows, ("the search itself", "not recorded yet: noted when a session ends")]
    own = sum(_own_cpu(line, trained) for line in drivers)
    workers = sorted({line["workers"] for line in drivers})
    wall, sessions = sum(line["wall_seconds"] for line in drivers), counted(len(drivers), "session")
    return [
        *rows,
        ("the search itself", f"{duration(own)} of CPU, {100 * own / (own + trained):.2g} % of all"),
        (
            "wall time",
            f"{duration(wall)} in {sessions}",
        ),
        ("workers", " and ".join(map(str, workers))),
    ]


def duration(seconds: float) -> str:
    """Return a time for people.

    >>> duration(7.26), duration(400), duration(9000)
    ('7.26 s', '6.67 min', '2.50 h')
    """
    size, unit = next(((size, unit) for size, unit in ((3600, "h"), (60, "min")) if seconds >= 2 * size), (1, "s"))
    return f"{number(seconds / size)} {unit}"


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
        ("dataset", config.dataset),
        ("trained on", _identity(config.data)),
        ("compared with", _identity(config.reference)),
        ("extractor", _extractor(config.extractor)),
        ("real against real", "not recorded" if real is None else f"{number(real[0])} at {real[1]:,} images a side"),
        ("images left out", f"{len(config.skipped)}"),
    ]
    return [
        ("Data", data),
        ("Recipe", _rows(config.recipe.model_dump(mode="json", exclude={"schema_version"}))),
        ("Search", [*_rows(search), ("digest", config.digest())]),
        ("Environment", _rows(run.environment) or [("", "not recorded")]),
    ]


def command(run: SearchRun) -> str:
    """Return the command that makes this search again."""
    config, recipe = run.config, run.config.recipe
    trials = config.trials or len(run.trials)
    words = ["ganetics", "search", "RUN", "--dataset", config.dataset, "--trials", str(trials)]
    words += ["--seed", str(config.seed), "--recipe", recipe.name, "--steps", str(recipe.steps)]
    for name in COMMAND:
        words += [f"--{name.replace('_', '-')}", str(getattr(config, name))]
    for guess in config.guesses:
        words += ["--guess", guess]
    return shlex.join(words)


def beyond_command(config: SearchConfig) -> list[str]:
    """Return the settings that differ from what the command would choose, and have no option."""
    return [name for name in OTHER if getattr(config, name) != SearchConfig.model_fields[name].default]


def _rows(values: dict[str, Any]) -> Rows:
    return [(name.replace("_", " "), _plain(value)) for name, value in values.items()]


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "none"
    if isinstance(value, dict):
        return " ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _counted(counts: Counter[Any]) -> str:
    """Return a total and its parts, largest first."""
    parts = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
    return f"{counts.total():,}" + (f" ({parts})" if parts else "")


def _identity(data: DataIdentity) -> str:
    shape = f"{data.channels}×{data.height}×{data.width}"
    return f"{data.name}, {data.split}: {data.count:,} images of {shape}, sha256 {data.sha256[:16]}"


def _extractor(extractor: ExtractorIdentity) -> str:
    return (
        f"{extractor.name} {extractor.version}, {extractor.dimension} features, resize: {extractor.resize}, "
        f"weights sha256 {extractor.weights_sha256[:16]}"
    )
