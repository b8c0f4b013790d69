"""The rungs that a search climbs: how far candidates are trained before the better of them go on."""

from __future__ import annotations

import re
from decimal import Decimal

from ganetics._check import InputError
from ganetics.records import Recipe, from_values
from ganetics.search.config import Rung

RATES = (0.3, 1.0, 3.0)
"""Factors of the learning rate in the last rung: a loss is judged at its own best of them, and by its worst."""


SAMPLES = 2000
"""Generated images for a score on the way: enough to tell good losses from bad, and sooner made."""


def ladder(recipe: Recipe) -> tuple[Rung, ...]:
    """Return the rungs for a recipe: an eighth of its steps, half, all on two seeds; then all at three rates.

    Chosen by replay of real learning curves: ``benchmarks/replay.py``.
    """
    eighth, half = max(1, recipe.steps // 8), max(1, recipe.steps // 2)
    samples = SAMPLES if recipe.eval_samples > SAMPLES else None
    rungs = (
        Rung(steps=eighth, seeds=1, samples=samples),
        Rung(steps=half, seeds=1, samples=samples),
        Rung(steps=recipe.steps, seeds=2),
        Rung(steps=recipe.steps, seeds=3, rates=RATES),
    )
    return tuple(dict.fromkeys(rungs))  # of one step all are one


def parse_rungs(text: str) -> tuple[Rung, ...]:
    """Read rungs as ``STEPSxSEEDS[@RATE/RATE…][:SAMPLES]``, separated by commas.

    Raises:
        InputError: it is not of that form, or a number is out of range.

    >>> parse_rungs("150x1:2000,600x3@0.3/1/3")[1]
    Rung(steps=600, seeds=3, rates=(0.3, 1.0, 3.0), samples=None)
    """
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([1-9]\d*)x([1-9]\d*)(?:@([\d./]+))?(?::([1-9]\d*))?\s*", part)
        try:
            rates = tuple(map(float, match[3].split("/"))) if match and match[3] else (1.0,)
        except ValueError:
            match = None
        if match is None:
            raise InputError(f"rungs: must be STEPSxSEEDS[@RATE/RATE…][:SAMPLES], separated by commas, got {part!r}")
        given = {"steps": match[1], "seeds": match[2], "rates": rates, "samples": match[4]}
        found.append(from_values(Rung, given, where=f"rungs: {part.strip()}"))
    return tuple(found)


def rungs_text(rungs: tuple[Rung, ...]) -> str:
    """Return rungs as :func:`parse_rungs` reads them.

    >>> rungs_text(parse_rungs("150x1:2000,600x3@0.3/1/3"))
    '150x1:2000,600x3@0.3/1/3'
    """
    return ",".join(map(_text, rungs))


def _text(rung: Rung) -> str:
    rates = "" if rung.rates == (1.0,) else "@" + "/".join(map(_decimal, rung.rates))
    return f"{rung.steps}x{rung.seeds}{rates}" + ("" if rung.samples is None else f":{rung.samples}")


def _decimal(rate: float) -> str:
    """Return the shortest text without an exponent that is read as this number."""
    return f"{Decimal(repr(rate)):f}".removesuffix(".0")
