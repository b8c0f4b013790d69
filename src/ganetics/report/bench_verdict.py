"""What a benchmark came to, in plain words, and no more than its runs can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ganetics.benchmark.estimate import Estimate
from ganetics.benchmark.protocol import FILE
from ganetics.benchmark.significance import LEVEL
from ganetics.benchmark.statistics import Comparison, Interval
from ganetics.benchmark.tables import Row, Table
from ganetics.report.bench_run import BenchRun
from ganetics.report.charts import number
from ganetics.report.words import capital, chance, counted

Standing = Literal["better", "worse", "open"]
BETWEEN = {
    ("other", "better"): "{first} is better than {other}, the baseline: {factor} times its FID",
    ("other", "open"): (
        "{first} is first, but no difference from {other} that {seeds} could show: {factor} times its FID"
    ),
    ("other", "worse"): (
        "{first} has the lowest interquartile mean, yet seed by seed it is worse than {other}: {factor} times its FID"
    ),
    ("baseline", "better"): (
        "{first}, the baseline, has the lowest interquartile mean, yet seed by seed {other} is better: "
        "{factor} times its FID"
    ),
    ("baseline", "open"): (
        "{first}, the baseline, is first, but no difference from {other} that {seeds} could show: "
        "that has {factor} times its FID"
    ),
    ("baseline", "worse"): "{first}, the baseline, is best: {other}, the next, has {factor} times its FID",
}
"""Who is first, and how the other of the two that are compared stands to the baseline → the headline."""


@dataclass(frozen=True)
class BenchVerdict:
    """The page's headline.

    Attributes:
        title: one sentence.
        text: the sentences below it.
        shown: the losses that it is about, best first.
    """

    title: str
    text: tuple[str, ...]
    shown: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Binding:
    """Whether a benchmark was bound beforehand.

    Attributes:
        kind: in a word or two.
        text: what that means.
        departures: from the protocol, a sentence each.
    """

    kind: str
    text: str
    departures: tuple[str, ...] = ()


def verdict(run: BenchRun) -> BenchVerdict:
    """Say which loss is best on the final seeds, by how much, and whether that is more than chance."""
    table = run.final
    if table is None:
        return _without_finals(run)
    first = table.rows[0]
    if first.fid.geometric is None:
        return BenchVerdict(f"Every final run failed: {counted(len(run.runs('final')), 'run')}", ())
    one, other = _pair(table)
    if one is None or other is None:
        title = (
            f"{capital(run.name(first.loss))} reaches FID {_value(first.fid.iqm)}; there is nothing to compare it with"
        )
        return BenchVerdict(title, (), (first,))
    text = [_groups(run, table), _power(run, one), _choice(table), _checkpoints(run, table)]
    return BenchVerdict(capital(_title(run, table, one)), tuple(filter(None, text)), (first, other))


def binding(run: BenchRun) -> Binding:
    """Say whether the benchmark is exploratory or confirmatory, and every departure from its protocol."""
    if not run.results.confirmatory:
        text = "There was no protocol before the first run; what is found here is to be confirmed on fresh seeds."
        return Binding("Exploratory", text)
    what = f"Losses, rates, seeds, splits, tests and budget were written to {FILE} before the first run"
    if run.results.departures:
        text = f"{what} (digest {run.config.protocol}); the run departs from it:"
        return Binding("Confirmatory, with departures", text, run.results.departures)
    return Binding("Confirmatory", f"{what} (digest {run.config.protocol}), and kept.")


def standing(one: Comparison) -> Standing:
    """Return how a loss stands to the reference, beyond chance after Holm's correction."""
    if one.p_holm is None or one.p_holm >= LEVEL:
        return "open"
    if one.test == "paired t" and one.ratio is not None:
        return "better" if one.ratio.mean < 1.0 else "worse"
    wins = one.paired_improvement.value if one.paired_improvement is not None else None
    return "better" if wins is not None and wins > 0.5 else "worse"


def limits(found: Interval | Estimate | None) -> str:
    """Return an interval for people: empty where there is none, and no end where failed runs reach into it.

    >>> limits(Interval(3.0, 1.0, None)), limits(Interval(3.0, None, None))
    ('1.00 to ∞', '')
    """
    if found is None or found.low is None:
        return ""
    return f"{number(found.low)} to {'∞' if found.high is None else number(found.high)}"


def _pair(table: Table) -> tuple[Comparison, Row] | tuple[None, None]:
    """Return the comparison that the headline is about, and the other loss's row: first and baseline, or the next."""
    first, by_loss = table.rows[0].loss, {one.loss: one for one in table.comparisons}
    if not by_loss:
        return None, None
    other = table.rows[1] if first == table.reference else next(r for r in table.rows if r.loss == table.reference)
    return by_loss[other.loss if first == table.reference else first], other


def _title(run: BenchRun, table: Table, one: Comparison) -> str:
    first = table.rows[0].loss
    leads = "baseline" if first == table.reference else "other"
    seeds = counted(one.seeds, "seed")
    other = one.loss if leads == "baseline" else one.reference
    words = {"first": run.name(first), "other": run.name(other), "seeds": seeds}
    state = standing(one)
    if one.ratio is None:
        return (
            f"{words['first']} is first; no seed ended well under it and under {words['other']}, so there is no ratio"
        )
    sentence = BETWEEN[leads, state].format(**words, factor=number(one.ratio.mean))
    on = "" if state == "open" else f" on {counted(one.seeds, 'fresh seed')}"
    interval = limits(one.ratio)
    return f"{sentence}{on} ({f'95 % {interval}, ' if interval else ''}{_corrected(one)})"


def _corrected(one: Comparison) -> str:
    return chance(None) if one.p_holm is None else f"Holm-corrected {chance(one.p_holm)}"


def _groups(run: BenchRun, table: Table) -> str:
    """Say of all losses at once how they stand to the baseline."""
    groups: dict[Standing, list[str]] = {"better": [], "worse": [], "open": []}
    for one in table.comparisons:
        groups[standing(one)].append(run.name(one.loss))
    names = {"better": "better", "worse": "worse", "open": "not told apart"}
    parts = [f"{names[state]}: {', '.join(losses)}" for state, losses in groups.items() if losses]
    family = counted(len(table.comparisons), "comparison")
    return (
        f"Against {run.name(table.reference)}, seed by seed, after Holm's correction for {family}: {'; '.join(parts)}."
    )


def _power(run: BenchRun, one: Comparison) -> str:
    if one.detectable is None:
        return ""
    return (
        f"Of {run.name(one.loss)} the {counted(one.seeds - one.failed, 'seed')} would have shown "
        f"{number(one.detectable)} times the FID of {run.name(one.reference)}, or {number(1 / one.detectable)} times, "
        "with 80 % probability; what lies between they cannot tell from no difference."
    )


def _choice(table: Table) -> str:
    if len(table.comparisons) < 2:
        return ""
    return (
        "Each loss's rate was chosen on other seeds; which loss is first was not: the figure of the first of "
        f"{len(table.rows)} is a little too hopeful."
    )


def _checkpoints(run: BenchRun, table: Table) -> str:
    best = run.results.tables.get("final-best-checkpoint")
    if best is None or best.rows[0].loss == table.rows[0].loss:
        return ""
    return f"All this is of the last step; by the best checkpoint of each run {run.name(best.rows[0].loss)} is first."


def _value(found: Interval | None) -> str:
    return "∞" if found is None or found.value is None else number(found.value)


def _without_finals(run: BenchRun) -> BenchVerdict:
    made = counted(len(run.lines), "run")
    if run.finished:
        return BenchVerdict("Rates were chosen, no loss was compared at its own", _rates_chosen(run))
    common = run.results.tables.get("common")
    if common is None:
        return BenchVerdict("No loss has been compared on fresh seeds yet", (f"So far rates are chosen: {made}.",))
    first = run.name(common.rows[0].loss)
    text = f"At the recipe's own rate {first} is first so far; what counts, each at its own best rate, is to come."
    return BenchVerdict("No loss has been compared at its own best rate yet", (text,))


def _rates_chosen(run: BenchRun) -> tuple[str, ...]:
    return tuple(
        f"{capital(run.name(label))} is best at ×{one.rate:g} of {', '.join(f'{rate:g}' for rate in one.rates)}"
        f"{', at their edge' if one.at_edge else ''}."
        for label, one in run.results.tuned.items()
    )
