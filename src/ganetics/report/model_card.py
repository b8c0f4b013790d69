"""The model card of a training run, in Markdown: filled in from the run's records alone.

The headings are those of the model cards of Hugging Face and of Mitchell et al. 2019 (arXiv 1810.03993).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

import ganetics
from ganetics.generation.results import Evaluation
from ganetics.report.charts import number
from ganetics.report.evaluated import READINGS, copying, looks_told, utility_told, yardsticks
from ganetics.report.markdown import code, escaped, fenced
from ganetics.report.model_card_facts import NAMED, audit_text, data_rows, limits, model_rows, training_rows
from ganetics.report.template import environment

if TYPE_CHECKING:  # what a card is made from comes with PyTorch, the card does not need it
    from ganetics.generation.card import CardFacts

SPLITS = ("train", "validation", "test", "all")
UNSEEN = "Not looked at: ganetics evaluate --run RUN does. Until then take it that it may copy."
SEEN = (
    "A generated image counts as a copy if it is near to one training image and to no other, in the features above or "
    "as 8×8 pixels, by the measure of how near training images of different groups come to each other. A rate near "
    "that of the control speaks against copies; no rate proves that there are none."
)


@dataclass(frozen=True)
class Row:
    """A figure on the card."""

    name: str
    value: str
    reading: str
    made_from: str = ""


def render_model_card(facts: CardFacts) -> str:
    """Return the card; equal records give equal bytes."""
    page = environment().overlay(autoescape=False, finalize=escaped)
    page.filters.update(code=code, fenced=fenced)
    card = page.get_template("model_card.md").render(
        config=facts.config,
        version=ganetics.__version__,
        model=model_rows(facts),
        data=data_rows(facts),
        counts=_counts(facts),
        audit={"text": audit_text(facts), "findings": [] if facts.audit is None else _told(facts)},
        training=training_rows(facts),
        figures=figures(facts),
        told_of_figures=_told_of_figures(facts),
        no_figures=_why_none(facts),
        memorisation=_memorisation(facts),
        limits=limits(facts),
        command=facts.command,
        again=_again(facts),
    )
    return card + "\n"


def _told(facts: CardFacts) -> list[Any]:
    audit = facts.audit
    return [] if audit is None else [*audit.errors, *audit.warnings]


def figures(facts: CardFacts) -> list[Row]:
    """Return the figures of the run's evaluations, those of test images first, and those of its end."""
    found = [row for one in facts.evaluations for row in _evaluated(one)]
    result = facts.result
    if result is not None and (metrics := result.outcome.metrics) is not None:
        extractor = result.extractor
        made_from = (
            f"{result.n:,} generated, {result.n_real:,} real validation images; {extractor.name} {extractor.version}, "
            f"resize: {extractor.resize}"
        )
        floor = f"real against real {number(result.floor)} ({result.floor_n:,} a side)"
        found += [
            Row("FID, end of training", number(metrics["fid"]), f"lower is better; {floor}", made_from),
            Row(
                "KID, end of training", number(metrics["kid"]), "lower is better; 0 for equal distributions", made_from
            ),
        ]
    return found


def _evaluated(found: Evaluation) -> list[Row]:
    made_from = (
        f"{found.n:,} generated, {found.n_real:,} real {found.split} images; {found.extractor.name} "
        f"{found.extractor.version}, resize: {found.resize}"
    )
    values = {name: number(getattr(found, name)) for name in READINGS}
    values["kid"] += f" ± {number(found.kid_std)}"
    beside = yardsticks(found)
    return [
        Row(f"{title}, {found.split}", values[name], reading + beside.get(name, ""), made_from)
        for name, (title, reading) in READINGS.items()
    ]


def _told_of_figures(facts: CardFacts) -> list[str]:
    """Return what the figures do not say themselves: how often test images were looked at, what classes are worth."""
    looks = (looks_told(one) for one in facts.evaluations)
    return list(dict.fromkeys(filter(None, (*looks, *map(utility_told, facts.evaluations)))))


def _memorisation(facts: CardFacts) -> dict[str, Any]:
    found = next((one for one in facts.evaluations if one.copy_rate is not None), None)
    if found is None:
        return {"text": UNSEEN, "figures": []}
    looked_at = f"of {found.looked_at:,} generated images those that count as copies"
    control = "the same for real images that were held out: what is found where nothing was copied"
    rows = [
        Row("copy rate", _share(found.copy_rate, found.copy_rate_interval), looked_at),
        Row("control", _share(found.copy_rate_control, found.copy_rate_control_interval), control),
    ]
    for kind, share in sorted((found.copy_rate_replayed or {}).items()):
        rows.append(Row(f"training images {kind}", _share(share, None), "what the check finds of them: 1 is all"))
    return {"text": f"{copying(found)} {SEEN}", "figures": rows}


def _share(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None:
        return "–"
    ends = "" if interval is None else f" (95 % interval {number(interval[0])} to {number(interval[1])})"
    return number(value) + ends


def _counts(facts: CardFacts) -> list[Markup]:
    """Return the lines of a table of images by class and split; none without an audit."""
    if facts.audit is None:
        return []
    counts = facts.audit.counts
    splits = [name for name in SPLITS if any(name in row for row in counts.values())]
    if len(counts) > (NAMED if facts.config.classes else 1):  # folders may be called after people
        counts = {f"all {len(counts)}": {split: sum(row.get(split, 0) for row in counts.values()) for split in splits}}
    rows = [[name, *(f"{row.get(split, 0):,}" for split in splits)] for name, row in counts.items()]
    table = [["class", *splits], ["---"] * (1 + len(splits)), *rows]
    return [Markup(f"| {' | '.join(map(escaped, cells))} |") for cells in table]


def _why_none(facts: CardFacts) -> str:
    if facts.result is None:
        return "training has not ended."
    failure = facts.result.outcome.failure
    return "" if failure is None else f"training ended in a failure ({failure.kind}: {failure.message})."


def _again(facts: CardFacts) -> str:
    text = (
        "RUN is a new folder. On the same kind of processor, with the same versions and the same images, the result is "
        "the same to the last bit."
    )
    if facts.beyond:
        text += f" No option sets what else differs from the named recipe: {', '.join(facts.beyond)}."
    return text
