"""What the options of ``ganetics bench`` say for its configuration."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ganetics._check import InputError
from ganetics.benchmark.config import Contender
from ganetics.cli.losses_given import contenders_given
from ganetics.records import Recipe

LOSSES = "ganetic,non-saturating,least-squares"
BASELINE = "ganetic"


def defaults(recipe: Recipe, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given, with what depends on it where it is not."""
    contenders: Sequence[Contender] = given.get("contenders") or contenders_given(LOSSES)
    labels = [one.label for one in contenders]
    quarters = sorted({quarter * recipe.steps // 4 for quarter in (1, 2, 3)} - {0})
    baseline = BASELINE if BASELINE in labels else labels[0]
    return {"contenders": contenders, "baseline": baseline, "score_at": quarters, **given}


def command_line(options: Mapping[str, Any]) -> str:
    """Return the command that makes a benchmark again; RUN and DIR stand for places, and True for a flag that is set.

    >>> command_line({"losses": "hinge,p**2", "seeds": 25, "steps": None, "confirmatory": True})
    "ganetics bench RUN --losses 'hinge,p**2' --seeds 25 --confirmatory"
    """
    given = {name: value for name, value in options.items() if value is not None}
    words = [f"--{name}" + ("" if value is True else f" {shlex.quote(str(value))}") for name, value in given.items()]
    return " ".join(["ganetics bench RUN", *words])


def _numbers(option: str, kind: type[Any]) -> Callable[[str], list[Any]]:
    def read(text: str) -> list[Any]:
        try:
            return [kind(part) for part in text.split(",")]
        except ValueError:
            raise InputError(f"{option}: must be numbers separated by commas, got {text!r}") from None

    return read


def _steps(text: str) -> list[int]:
    return [] if text == "none" else _numbers("--score-at", int)(text)


def _as_it_is(value: Any) -> Any:
    return value


FIELDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "contenders": ("losses", contenders_given),
    "groups": ("groups", _as_it_is),
    "accept_audit": ("accept-audit", _as_it_is),
    "final_seeds": ("seeds", _as_it_is),
    "common_seeds": ("common-seeds", _as_it_is),
    "tuning_seeds": ("tuning-seeds", _as_it_is),
    "rates": ("rates", lambda text: sorted(_numbers("--rates", float)(text))),
    "widen": ("widen", _as_it_is),
    "batch_sizes": ("batch-sizes", _numbers("--batch-sizes", int)),
    "batch_seeds": ("batch-seeds", _as_it_is),
    "score_at": ("score-at", _steps),
    "split": ("split", _as_it_is),
    "baseline": ("against", _as_it_is),
    "seed": ("seed", _as_it_is),
}
"""Field of the configuration → the option that sets it, and how it is read."""
