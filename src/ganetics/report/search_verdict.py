"""What a search came to, in plain words, and no more than its runs can show."""

from __future__ import annotations

from dataclasses import dataclass

from ganetics.benchmark.estimate import Estimate, ratio
from ganetics.report.charts import number
from ganetics.report.search_run import Contender, SearchRun
from ganetics.report.words import capital, counted


@dataclass(frozen=True)
class Verdict:
    """The page's headline.

    Attributes:
        title: one sentence.
        text: the sentences below it.
        found: the best loss of the search in the last round.
        rival: the best loss of the catalogue there.
    """

    title: str
    text: tuple[str, ...]
    found: Contender | None = None
    rival: Contender | None = None


def verdict(run: SearchRun) -> Verdict:
    """Say which loss is best, and whether that is more than chance."""
    if not run.contenders:
        return _without_finals(run)
    found = next((c for c in run.contenders if not c.rival), None)
    rival = next((c for c in run.contenders if c.rival), None)
    if found is None or rival is None or found.estimate is None or rival.estimate is None:
        title, text = _alone(found, rival)
    else:
        title, text = _compared(found, rival, found.estimate, rival.estimate)
        text = [*text, _choice(run)]
    state = [] if run.finished else [f"The last round has not ended: {run.finals} runs so far."]
    return Verdict(capital(title), tuple(state + text), found, rival)


def _without_finals(run: SearchRun) -> Verdict:
    state = (
        "This search had no last round: nothing here was confirmed on fresh seeds."
        if run.finished
        else "The search is still running, or was stopped: its last round, on fresh seeds, has not begun."
    )
    if not run.trials:
        return Verdict("No loss has been trained yet", (state,))
    if (best := run.best) is not None and best.fid is not None and best.rung is not None:
        steps, rung = f"{best.compared[0].steps:,} of {run.config.recipe.steps:,} steps", f"rung {best.rung + 1}"
        others = sum(one.rung == best.rung for one in run.candidates)
        among = f"the best of {others:,} that finished {rung}" if others > 1 else f"the only one that finished {rung}"
        luck = (
            f"{capital(best.label)}, {among}: {steps}, {counted(len(best.compared), 'seed')}. The seeds that chose it "
            "are those that it is measured on: part of it is luck."
        )
        return Verdict(f"Best so far: FID {number(best.fid)}, unconfirmed", (luck, state))
    if any(trial.fid is not None for trial in run.trials):
        return Verdict(f"No loss has finished a rung without failing: {counted(len(run.trials), 'trial')}", (state,))
    return Verdict(f"Every loss that was trained failed: {counted(len(run.trials), 'trial')}", (state,))


def _alone(found: Contender | None, rival: Contender | None) -> tuple[str, list[str]]:
    """Where there is nothing to compare: one side is missing or failed."""
    if found is None:
        return "no loss of the search was in the last round", ["Only losses of the catalogue were trained there."]
    if found.estimate is None:
        return f"{_name(found)} failed on every fresh seed", ["What the search saw in it did not hold."]
    against = "no rival was trained beside it" if rival is None else f"its best rival, {rival.label}, failed throughout"
    return f"{_name(found)} reaches FID {number(found.estimate.mean)}; {against}", []


def _compared(found: Contender, rival: Contender, ours: Estimate, theirs: Estimate) -> tuple[str, list[str]]:
    values = [{run.seed: run.fid for run in side.at_best if run.fid is not None} for side in (found, rival)]
    factor = ratio(values[0], values[1])
    name, seeds = _name(found), counted(min(len(side) for side in values), "seed")
    if factor is None or factor.contains(1.0):
        figures = f"FID {number(ours.mean)} against {number(theirs.mean)}"
        title = f"{name} and {rival.label}: {figures}, no difference that {seeds} could show"
    elif factor.mean < 1.0:
        title = f"{name} is better than {rival.label}: FID {number(ours.mean)} against {number(theirs.mean)}"
    else:
        title = f"{rival.label} is better than {name}: FID {number(theirs.mean)} against {number(ours.mean)}"
    text = [_factor(factor, name, rival.label)]
    if factor is not None and not factor.contains(1.0) and ours.overlaps(theirs):
        text.append("Seed by seed this is more than chance, but the two intervals overlap: weak evidence.")
    for side in (found, rival):
        failed = sum(run.fid is None for run in side.at_best)
        if failed:
            text.append(f"{capital(_name(side))}: {failed} of {len(side.at_best)} runs failed and count in no mean.")
    return title, text


def _factor(factor: Estimate | None, name: str, rival: str) -> str:
    if factor is None:
        return "No seed ended well under both, so they cannot be compared seed by seed."
    ends = "" if factor.low is None or factor.high is None else f"{number(factor.low)} to {number(factor.high)}"
    return (
        f"Seed by seed {name} has {number(factor.mean)} times the FID of {rival}{f' (95 % {ends})' if ends else ''}; "
        "lower is better. Each is taken at its own best learning rate."
    )


def _choice(run: SearchRun) -> str:
    ours = sum(not c.rival for c in run.contenders)
    finalists, rivals = counted(ours, "finalist"), counted(len(run.contenders) - ours, "rival")
    rates = counted(len(run.config.final_rates), "rate")
    return (
        f"The best of {finalists}, of {rivals} and of {rates} were chosen by these same runs, so every interval here "
        "is a little too hopeful; only fresh seeds would settle it."
    )


def _name(contender: Contender) -> str:
    names = {"evolved": "the best evolved loss", "given": "the search's best loss, a guess it was given,"}
    return names.get(contender.badge, contender.label)
