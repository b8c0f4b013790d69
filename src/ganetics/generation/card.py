"""What a model card is made from: the records of a training run, and what is known of its loss."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE, expression_of, loss_named_or_parsed
from ganetics.data.audit import Audit
from ganetics.expressions.text import to_text
from ganetics.generation.about import About, stored_about
from ganetics.generation.command import beyond_command, train_command
from ganetics.generation.results import FitConfig, FitResult, stored_configuration
from ganetics.losses.theory import theory_card
from ganetics.records import Record, read_record_if_there, read_text

T = TypeVar("T", bound=Record)
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
    evaluation: Mapping[str, Any] | None
    """``evaluation.json``, as it stands there; None where there is none, or where it is of an earlier step."""
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
        evaluation=_evaluation(run / "evaluation.json", None if result is None else result.outcome.step),
        command=train_command(config, about),
        beyond=beyond_command(config),
    )


def _loss_facts(text: str) -> LossFacts:
    entry, expression = CATALOGUE.get(text), expression_of(text)
    sentences = theory_card(loss_named_or_parsed(text)).verdict[:THEORY]
    formula = None if expression is None else to_text(expression)
    published = entry is not None and entry.provenance is None
    return LossFacts(entry.title if entry else text, entry.reference if entry and published else "", formula, sentences)


def _evaluation(path: Path, step: int | None) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    try:
        found = json.loads(read_text(path, "evaluation"))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: must be JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: must be a JSON object, got {type(found).__name__}")
    return found if found.get("step", step) == step else None
