"""The settings of a detector that a command line asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ganetics import _check
from ganetics._check import InputError
from ganetics.anomaly.settings import Settings, named
from ganetics.cli.losses_given import loss_and_penalties, penalties_given
from ganetics.records import Penalty, from_values


def given_settings(
    detector: str,
    *,
    loss: str | None = None,
    penalties: Sequence[str] | None = None,
    adversarial: str | None = None,
    score: str | None = None,
    steps: int | None = None,
    rate: float | None = None,
    others: Sequence[str] | None = None,
) -> Settings:
    """Return the settings of a detector with what was given changed.

    Raises:
        InputError: no such detector, it has no such setting, or a value is out of range.

    >>> given_settings("fanogan", penalties=["none"], others=["kappa=0.5"]).kappa
    0.5
    >>> given_settings("fanogan", loss="hinge+r1:0.5").penalties
    (Penalty(kind='r1', weight=0.5, every=1),)
    >>> given_settings("colour", steps=5)
    Traceback (most recent call last):
    ganetics._check.InputError: --steps: the detector colour has no such setting
    """
    settings = named(detector)
    text, behind = (None, ()) if loss is None else loss_and_penalties(loss)
    given: dict[str, tuple[str, Any]] = {
        "loss": ("--loss", text),
        "penalties": ("--penalty", _penalties(penalties or (), behind) if penalties or behind else None),
        "adversarial": ("--adversarial", adversarial),
        "score": ("--score", None if score is None else _score(score)),
        "steps": ("--steps", steps),
        "learning_rate": ("--rate", rate),
    }
    for text in others or ():
        name, sign, value = text.partition("=")
        if not sign:
            raise InputError(f"--set: must be NAME=VALUE, got {text!r}")
        if name in given:
            option = given[name][0]
            told = "must be given once" if option.startswith("--set") else f"has an option of its own, {option}"
            raise InputError(f"--set: {name} {told}, got {text!r}")
        open_to = [field for field in type(settings).model_fields if field not in (*given, "kind")]
        given[_check.one_of("setting", name, open_to)] = (f"--set {name}", value)
    changes = {}
    for field, (option, value) in given.items():
        if value is None:
            continue
        if field not in type(settings).model_fields:
            raise InputError(f"{option}: the detector {detector} has no such setting")
        changes[field] = value
    return from_values(type(settings), {**settings.model_dump(), **changes}, where=f"detector {detector}")


def _penalties(texts: Sequence[str], behind: Sequence[Penalty]) -> list[dict[str, Any]]:
    """Return what options say, and what stands behind the loss."""
    if "none" in texts and len(texts) > 1:
        raise InputError(f"--penalty: none must stand alone, got {', '.join(texts)}")
    given = () if list(texts) == ["none"] else penalties_given(texts)
    return [one.model_dump() for one in (*given, *behind)]


def _score(text: str) -> dict[str, Any]:
    """Return component → weight.

    >>> _score("residual=1, ratio=0.5")
    {'residual': '1', 'ratio': '0.5'}
    """
    parts = [part.partition("=") for part in text.split(",")]
    for name, sign, _ in parts:
        if not sign:
            raise InputError(f"--score: must be PART=WEIGHT, separated by commas, got {name!r}")
    return {name.strip(): value.strip() for name, _, value in parts}
