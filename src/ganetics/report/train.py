"""The page of a training run: one HTML file that needs no script and no network, made from the run's records alone."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

import ganetics
from ganetics._files import write_atomically
from ganetics.expressions.text import parse
from ganetics.generation.results import REAL, SHEET, Evaluation, go_on
from ganetics.report.charts import number
from ganetics.report.evaluated import (
    FEW_REAL,
    copies_told,
    copying,
    figure_rows,
    in_words,
    looks_told,
    made_from,
    utility_rows,
    utility_told,
)
from ganetics.report.model_card_facts import audit_text, data_rows, limits, model_rows, training_rows
from ganetics.report.search import Featured
from ganetics.report.template import environment
from ganetics.report.train_figures import learning
from ganetics.report.train_run import TrainRun, data_url, read_train
from ganetics.report.words import Rows, duration, identity, rows_of

if TYPE_CHECKING:  # what is known of a loss and the audit comes with PyTorch, the page does not need it
    from ganetics.generation.card import CardFacts

SHOWN = 6
"""Grids of samples on the way."""
ROWS = 1
"""Rows of each of them."""
REAL_ROWS = 4
"""Of held-out real images."""


@dataclass(frozen=True)
class Picture:
    """A picture with what is said of it; ``url`` is a data: URI."""

    title: str
    url: str


def write_train_report(facts: CardFacts, run: Path) -> Path:
    """Write ``report.html`` from what a training run has recorded so far, and return its path.

    Args:
        facts: what the run's model card is made from, :func:`ganetics.generation.card.card_facts`.
        run: the run's folder.

    Raises:
        InputError: the folder holds no training run, or a file in it is damaged.
        OSError: the disk is full or the folder not writable.
    """
    page = Path(run) / "report.html"
    write_atomically(page, render(read_train(Path(run)), facts).encode("utf-8", "backslashreplace"))
    return page


def render(run: TrainRun, facts: CardFacts) -> str:
    """Return the page."""
    return environment().get_template("train.html").render(_context(run, facts))


def _context(run: TrainRun, facts: CardFacts) -> dict[str, Any]:
    found = run.evaluation
    worth = next((one for one in run.evaluations if one.utility is not None), None)
    formula = facts.loss.formula
    return {
        "run": run,
        "facts_of": facts,
        "version": ganetics.__version__,
        "title": title(run, facts),
        "standing": standing(run),
        "verdict": list(verdict(run)),
        "loss": None if formula is None else Featured(facts.loss.title, None, parse(formula)),
        "learning": learning(run),
        "samples": data_url(run.sheet),
        "real": data_url(run.path / REAL, rows=REAL_ROWS),
        "way": list(_way(run)),
        "figures": [] if found is None else figure_rows(found),
        "made_from": None if found is None else made_from(found),
        "at_end": _at_end(run),
        "others": [(made_from(one), figure_rows(one)) for one in run.evaluations[1:]],
        "copies": None if found is None else copies_told(found),
        "closest": None if found is None else data_url(run.path / SHEET),
        "utility": [] if worth is None else utility_rows(worth),
        "utility_told": None if worth is None else utility_told(worth),
        "groups": list(_groups(run, facts)),
        "audit": audit_text(facts),
        "findings": [] if facts.audit is None else [*facts.audit.errors, *facts.audit.warnings],
        "limits": limits(facts),
        "commands": list(commands(run, facts)),
    }


def title(run: TrainRun, facts: CardFacts) -> str:
    """Return what it came to, in a sentence."""
    what = f"{facts.loss.title} on {run.config.data.name}"
    if run.failure is not None:
        return f"{what}: training failed, {run.failure}"
    if (found := run.evaluation) is not None:
        if found.n_real < FEW_REAL:
            return f"{what}: KID {number(found.kid)} against {found.n_real:,} held-out images, of real ones about 0"
        floor = f"real against real {number(found.floor)} at {found.floor_n:,} a side"
        return f"{what}: FID {number(found.fid)} against held-out images, {floor}"
    if run.result is None or run.result.outcome.metrics is None:
        return f"{what}: training has not ended"
    return f"{what}: FID {number(run.result.outcome.metrics['fid'])} against validation images, not evaluated yet"


def standing(run: TrainRun) -> str | None:
    """Return how far a run is; None if it has ended."""
    return None if run.result is not None else f"Step {run.step:,} of {run.config.recipe.steps:,}."


def verdict(run: TrainRun) -> Iterator[str]:
    """Return the sentences below the headline."""
    yield "For research, not a medical device: nothing here is made for a decision about a person."
    if run.result is not None and run.result.stopped is not None:
        yield (
            f"The state after step {run.result.outcome.step:,} was kept: the lowest KID on the validation images up to "
            f"step {run.result.stopped:,}. Figures made with these images are somewhat too good."
        )
    looked = any(one.looks for one in run.evaluations)
    if not looked and run.result is not None and (more := go_on(run.config, run.result, "RUN")) is not None:
        yield f"{more}."
    found = run.evaluation
    if found is None:
        yield "Not evaluated yet: until then take it that it may copy training images."
        return
    yield in_words(found)
    if found.copy_rate is not None:
        yield copying(found)
    if (looks := looks_told(found)) is not None:
        yield looks


def _way(run: TrainRun) -> Iterator[Picture]:
    """Return the first row of some grids, from the first to the last: the same latents at each step."""
    grids = run.grids
    if len(grids) < 2:
        return
    last = len(grids) - 1
    places = sorted({round(last * i / (SHOWN - 1)) for i in range(SHOWN)})
    for step, path in (grids[place] for place in places):
        if (url := data_url(path, rows=ROWS)) is not None:
            yield Picture(f"step {step:,}", url)


def _at_end(run: TrainRun) -> tuple[str, Rows] | None:
    """Return what the figures of the run's end were made from, and these; None without any."""
    if run.result is None or run.result.outcome.metrics is None:
        return None
    result, metrics = run.result, run.result.outcome.metrics
    source = (
        f"{result.n:,} generated against {result.n_real:,} validation images; {result.extractor.name} "
        f"{result.extractor.version}, resize: {result.extractor.resize}; real against real {number(result.floor)} at "
        f"{result.floor_n:,} a side"
    )
    named = {"fid": "FID", "kid": "KID", "d_real": "D(real)", "d_fake": "D(generated)", "diversity": "diversity"}
    order = [*(name for name in named if name in metrics), *(name for name in metrics if name not in named)]
    return source, [(named.get(name, name), number(metrics[name])) for name in order]


def _groups(run: TrainRun, facts: CardFacts) -> Iterator[tuple[str, Rows]]:
    yield "Generator", unmarked(model_rows(facts))
    yield "Images", [*unmarked(data_rows(facts)), ("Trained on", identity(run.config.data))]
    yield "Training", [*unmarked(training_rows(facts)), *_time(run)]
    yield "Recipe", rows_of(run.config.recipe.model_dump(mode="json", exclude={"schema_version"}))
    yield "Environment", rows_of(run.environment) or [("", "not recorded")]


def _time(run: TrainRun) -> Rows:
    told = "not recorded as a whole" if run.seconds is None else duration(run.seconds)
    return [("Device", ", ".join(run.devices) or "not recorded"), ("Wall time, evaluations included", told)]


def commands(run: TrainRun, facts: CardFacts) -> Iterator[tuple[str, str]]:
    """Return what each command does, and the command, with the run's folder as RUN."""
    yield "Train it again", facts.command
    for one in run.evaluations:
        yield f"Evaluate it again ({one.split}, {one.extractor.name})", evaluate_command(run, one)
    if run.evaluation is None:
        yield (
            "Evaluate it, on test images once, at the end",
            shlex.join(["ganetics", "evaluate", "--run", "RUN", "--split", "test"]),
        )
    yield "Write this page again", "ganetics report RUN"


def evaluate_command(run: TrainRun, found: Evaluation) -> str:
    """Return the command that makes an evaluation again."""
    line = ["ganetics", "evaluate", "--run", "RUN", "--split", str(found.split)]
    if found.n != min(found.n_real, 5000):
        line += ["--count", str(found.n)]
    if found.extractor.name != run.config.recipe.extractor:
        line += ["--extractor", found.extractor.name]
    if found.seed:
        line += ["--seed", str(found.seed)]
    return shlex.join([*line, *(["--utility"] if found.utility is not None else [])])


def unmarked(rows: Rows) -> Rows:
    """Return rows of a Markdown card for a page, which escapes them itself: code without its backticks.

    >>> unmarked([("formula", Markup("`p < y`"))])
    [('formula', 'p < y')]
    """
    return [(name, str.__str__(text).strip("`").strip() if isinstance(text, Markup) else text) for name, text in rows]
