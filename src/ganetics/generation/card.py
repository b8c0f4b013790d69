"""What a model card is made from: the records of a training run, and what is known of its loss."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganetics.catalogue import CATALOGUE, expression_of, loss_named_or_parsed
from ganetics.data.audit import Audit
from ganetics.expressions.text import to_text
from ganetics.generation.about import About, stored_about
from ganetics.generation.command import beyond_command, train_command
from ganetics.generation.results import (
    Evaluation,
    FitConfig,
    FitResult,
    evaluations_of,
    sampled_step,
    stored_configuration,
)
from ganetics.losses.theory import theory_card
from ganetics.records import read_record_if_there

THEORY = 2
"""Sentences of a loss's theory card."""


@dataclass(frozen=True)
class LossFacts:
    """What is known of the loss before anything is trained."""

    title: str
    """What people call it; its text, if it has no name."""
    reference: str
    """Where it was published; empty where it was not."""
    formula: str | None
    """The text of its expression; None where it is no sum over single logits."""
    theory: tuple[str, ...]
    """The first sentences of its theory card."""


@dataclass(frozen=True)
class CardFacts:
    """A training run as its model card sees it; free of times and of the machine."""

    config: FitConfig
    loss: LossFacts
    about: About | None
    result: FitResult | None
    """None: training has not ended yet."""
    audit: Audit | None
    """None: a public data set, which is always the same."""
    evaluations: tuple[Evaluation, ...]
    """Those of the state that images are made from: of test images first."""
    step: int | None
    """Of that state; None: there is none yet."""
    command: str
    beyond: tuple[str, ...]
    """Settings that the command does not make again."""


def card_facts(run: Path) -> CardFacts:
    """Read a training run's records.

    Raises:
        InputError: the folder holds no training run, or a file in it is damaged.
    """
    config = stored_configuration(run)
    about, result = stored_about(run), read_record_if_there(FitResult, run / "metrics.json")
    return CardFacts(
        config=config,
        loss=_loss_facts(config.loss),
        about=about,
        result=result,
        audit=read_record_if_there(Audit, run / "audit.json"),
        evaluations=evaluations_of(run),
        step=sampled_step(run),
        command=train_command(config, about),
        beyond=beyond_command(config),
    )


def _loss_facts(text: str) -> LossFacts:
    entry, expression = CATALOGUE.get(text), expression_of(text)
    sentences = theory_card(loss_named_or_parsed(text)).verdict[:THEORY]
    formula = None if expression is None else to_text(expression)
    published = entry is not None and entry.provenance is None
    return LossFacts(entry.title if entry else text, entry.reference if entry and published else "", formula, sentences)
