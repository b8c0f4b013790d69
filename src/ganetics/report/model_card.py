"""The model card of a training run, in Markdown: filled in from the run's records alone.

The headings are those of the model cards of Hugging Face and of Mitchell et al. 2019 (arXiv 1810.03993).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

import ganetics
from ganetics.report.charts import number
from ganetics.report.evaluated import READINGS
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
    """Return the figures of the run's end, and those of its evaluation if there is one."""
    found = []
    result = facts.result
    if result is not None and (metrics := result.outcome.metrics) is not None:
        extractor = result.extractor
        made_from = (
            f"{result.n:,} generated, {result.n_real:,} real validation images; {extractor.name} {extractor.version}, "
            f"resize: {extractor.resize}"
        )
        floor = f"real against real {number(result.floor)} ({result.floor_n:,} a side)"
        found += [
            Row("FID", number(metrics["fid"]), f"lower is better; {floor}", made_from),
            Row("KID", number(metrics["kid"]), "lower is better; 0 for equal distributions", made_from),
        ]
    return found if facts.evaluation is None else [*found, *_evaluated(facts.evaluation)]


def _evaluated(values: Mapping[str, Any]) -> list[Row]:
    extractor, split = values.get("extractor"), values.get("split", "held-out")
    name = extractor.get("name") if isinstance(extractor, Mapping) else extractor
    made_from = (
        f"{_count(values, 'n')} generated, {_count(values, 'n_real')} real {split} images; {name}, "
        f"resize: {values.get('resize', 'not recorded')}"
    )
    rows = []
    for field, (title, reading) in READINGS.items():
        if (found := _figure(values, field)) is None:
            continue
        deviation, floor = _figure(values, "kid_std"), _figure(values, "floor")
        if field == "kid" and deviation is not None:
            found += f" ± {deviation}"
        if field == "fid" and floor is not None:
            reading += f"; real against real {floor} ({_count(values, 'floor_n')} a side)"
        if field == "fid" and (train := _figure(values, "train_fid")) is not None:
            reading += f"; as many training images {train}"
        rows.append(Row(f"{title}, {split}", found, reading, made_from))
    return rows


def _memorisation(facts: CardFacts) -> dict[str, Any]:
    values = facts.evaluation or {}
    rate, control = _figure(values, "copy_rate"), _figure(values, "copy_rate_control")
    if rate is None:
        return {"text": UNSEEN, "figures": []}
    rate += _interval(values.get("copy_rate_interval"))
    looked_at = _count(values, "copy_n" if values.get("copy_n") else "n")
    rows = [Row("copy rate", rate, f"of {looked_at} generated images those that count as copies")]
    if control is not None:
        control += _interval(values.get("copy_rate_control_interval"))
        reading = "the same for real images that were held out: what is found where nothing was copied"
        rows.append(Row("control", control, reading))
    return {"text": SEEN, "figures": rows}


def _interval(ends: Any) -> str:
    if not isinstance(ends, Sequence) or len(ends) != 2:
        return ""
    return f" (95 % interval {number(ends[0])} to {number(ends[1])})"


def _figure(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    return number(value) if isinstance(value, int | float) else None


def _count(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return f"{value:,}" if isinstance(value, int) else "an unknown number of"


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
