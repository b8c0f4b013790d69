"""What stands beside a benchmark's figures: what was run, what it cost, and what it cannot show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ganetics.benchmark.collapse import RULE
from ganetics.benchmark.config import BenchConfig
from ganetics.benchmark.cost import expected_in_all
from ganetics.benchmark.plan import PHASES, RATES_RULE, Phase
from ganetics.benchmark.protocol import ANALYSIS
from ganetics.benchmark.statistics import FEWEST
from ganetics.benchmark.times import TIMED, numeric
from ganetics.report.bench_run import BenchRun
from ganetics.report.charts import number
from ganetics.report.words import Rows, counted, duration, extractor, identity, left_out, measured, rows_of

NOT_BENCH = {
    "dataset", "data", "reference", "test", "extractor", "recipe", "skipped", "contenders", "groups", "command",
    "schema_version",
}  # fmt: skip
FEW = 10
"""Below so many runs a bootstrap interval is too narrow."""


@dataclass(frozen=True)
class Loss:
    """A loss of the benchmark: what it is, and how its rate was found."""

    label: str
    name: str
    """What tables and figures call it."""
    text: str
    penalties: str
    tried: str
    """Rates."""
    chosen: str | None
    """None: not decided yet."""
    at_edge: bool


def provenance(run: BenchRun) -> str:
    """Return data, split, n, extractor and floor in one line, to stand under each figure of the reported runs."""
    config = run.config
    told = measured(config.recipe, config.data, config.test or config.reference, config.extractor)
    floor = run.floor()
    return told + ("" if floor is None else f"; real against real {number(floor[0])} at {floor[1]:,} a side")


def tuning_provenance(run: BenchRun) -> str:
    """Return the same of the tuning runs, which see the validation images alone."""
    config = run.config
    return measured(config.recipe, config.data, config.reference, config.extractor)


def standing(run: BenchRun) -> str | None:
    """Return how far a benchmark is; None if it has ended."""
    if run.finished:
        return None
    failed = sum(line["failure"] is not None for line in run.lines)
    parts = [f"{len(run.lines):,} of {run.total:,} runs", f"{failed:,} failed"]
    if run.lines:
        parts.insert(1, f"{run.lines[-1]['phase']} runs")
    if run.elapsed is not None:
        parts.append(f"{duration(run.elapsed)} so far")
    return ", ".join(parts)


def losses(run: BenchRun) -> list[Loss]:
    """Return the losses, best first."""
    by_label = {one.label: one for one in run.config.contenders}
    texts = {line["loss"]: line["expression"] for line in run.lines}
    decided = "rates" in run.results.steadiness or not run.config.tuning_seeds
    found = []
    for label in run.order:
        one, tuned = by_label[label], run.results.tuned[label]
        chosen = f"×{tuned.rate:g} ({tuned.rate * run.config.recipe.learning_rate:.3g})" if decided else None
        text = texts.get(label) or one.loss
        penalties = ", ".join(
            f"{p.kind} {p.weight:g}" + (f" every {p.every}" if p.every > 1 else "") for p in one.penalties
        )
        tried = ", ".join(f"×{rate:g}" for rate in tuned.rates)
        found.append(Loss(label, run.name(label), text, penalties, tried, chosen, decided and tuned.at_edge))
    return found


def groups(run: BenchRun) -> list[tuple[str, Rows]]:
    """Return in groups what was run: data, benchmark, budget, recipe, environment."""
    config = run.config
    recipe = config.recipe.model_dump(mode="json", exclude={"schema_version"})
    plain = config.model_dump(mode="json", exclude=NOT_BENCH)
    return [
        ("Data", _data(run)),
        ("Budget", _budget(run)),
        ("Benchmark", [*rows_of(plain), ("digest", config.digest())]),
        ("What the seeds could have seen", _power(run)),
        ("Recipe", rows_of(recipe)),
        ("Environment", rows_of(run.environment) or [("", "not recorded")]),
    ]


def rules(run: BenchRun) -> Rows:
    """Return the rules that were fixed beforehand."""
    return [
        ("collapsed", RULE),
        ("own rate", f"{RATES_RULE}: {run.config.widen}"),
        ("analysis", ANALYSIS),
    ]


def seeds(run: BenchRun) -> list[tuple[str, int, str]]:
    """Return phase, number of seeds and the seeds; no other phase has any of them."""
    return [(phase, len(own), ", ".join(map(str, own))) for phase in PHASES if (own := run.seeds(phase))]


def caveats(run: BenchRun) -> list[str]:
    """Return what a reader must keep in mind."""
    return list(_caveats(run, run.config))


def _caveats(run: BenchRun, config: BenchConfig) -> Iterator[str]:
    n = config.recipe.eval_samples
    yield (
        f"FID here is the Fréchet distance on features of {config.extractor.name}, at n = {n:,}: it is compared with "
        "figures of the same extractor, resize and n alone, and is biased upwards at small n."
    )
    yield (
        f"Budget: {config.recipe.steps:,} steps of the recipe {config.recipe.name}. Another budget or network may "
        "order the losses otherwise."
    )
    if config.split == "validation":
        yield "Figures are of validation images, on which rates were chosen too, with other seeds: no test split."
    if 0 < config.final_seeds < FEW:
        told = f"below {FEWEST} there is no bootstrap interval" if config.final_seeds < FEWEST else (
            f"below {FEW} a bootstrap interval is too narrow"
        )  # fmt: skip
        yield f"{counted(config.final_seeds, 'final seed')}: {told}; the paired test does not depend on it."
    if any(one.at_edge for one in run.results.tuned.values()):
        yield "A loss whose best rate is at the edge of those tried may be better beyond it; they are marked above."
    failed = sum(line["failure"] is not None for line in run.runs("final"))
    if failed:
        yield f"{counted(failed, 'final run')} failed: ranked worst, and in no mean, SD or ratio."
    if config.skipped:
        yield f"{counted(len(config.skipped), 'image')} could not be read and are left out."
    yield "Intervals of single losses are not corrected for how many there are; p-values are (Holm)."


def _data(run: BenchRun) -> Rows:
    config, floors = run.config, []
    roles: tuple[tuple[Phase, str], ...] = (("tuning", "chosen on"), ("final", "reported on"))
    for phase, role in roles:
        found = run.floor(phase)
        told = "not recorded" if found is None else f"{number(found[0])} at {found[1]:,} images a side"
        floors.append((f"real against real, {role}", told))
    reported = config.test if config.split == "test" else config.reference
    return [
        ("dataset", config.dataset),
        ("kept in one split", config.groups or "each image on its own"),
        ("trained on", identity(config.data)),
        ("rates chosen on", identity(config.reference)),
        ("figures reported on", identity(reported or config.reference)),
        ("extractor", extractor(config.extractor)),
        ("n", f"{config.recipe.eval_samples:,} generated images for a score"),
        *floors,
        ("images left out", left_out(config.skipped)),
    ]


def _budget(run: BenchRun) -> Rows:
    made = {phase: len(run.runs(phase)) for phase in PHASES}
    parts = ", ".join(f"{phase} {count:,}" for phase, count in made.items() if count)
    rows = [("runs", f"{len(run.lines):,}" + (f" ({parts})" if parts else ""))]
    if not run.finished:
        rows.append(("to be made", f"{run.total - len(run.lines):,}"))
    jobs = [line for line in run.timings if numeric(line, *TIMED, "peak_mib", "attempts")]
    if not jobs:
        expected = duration(expected_in_all(run.config, run.lines, where=run.path / "archive.jsonl"))
        return [*rows, ("core time", f"not recorded; the recipe expects {expected} in all")]
    phase_of = {line["index"]: line["phase"] for line in run.lines}
    cpu = sum(line["cpu_seconds"] for line in jobs)
    final = sum(line["cpu_seconds"] for line in jobs if phase_of.get(line["index"]) == "final")
    return [
        *rows,
        ("core time", f"{duration(cpu)}, {duration(final)} of it final runs"),
        ("a run, wall time", f"{number(sum(line['wall_seconds'] for line in jobs) / len(jobs))} s (mean)"),
        ("memory of a worker", f"{max(line['peak_mib'] for line in jobs):,.0f} MiB at most"),
        ("runs begun again", f"{sum(line['attempts'] > 1 for line in jobs)} (a worker was lost or stopped)"),
        ("time to the last result", "not recorded" if run.elapsed is None else duration(run.elapsed)),
    ]


def _power(run: BenchRun) -> Rows:
    comparisons = () if run.final is None else run.final.comparisons
    found = [
        (run.name(one.loss), f"×{number(one.detectable)} from {counted(one.seeds - one.failed, 'pair')}")
        for one in comparisons if one.detectable is not None
    ]  # fmt: skip
    what = f"the ratio to {run.name(run.baseline)} that the test finds with 80 % probability, at Holm's first level"
    return [("what", what), *found] if found else [("ratio", "not known: it takes two losses and two final seeds")]
