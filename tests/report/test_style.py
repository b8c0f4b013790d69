"""Colours of the pages: text can be read on every ground, in the light scheme and in the dark one (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ganetics.report

STYLE = (Path(ganetics.report.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
TEXT = ("fg", "muted", "found", "rival", "bad", "ochre", "plum", "green")
GROUNDS = ("bg", "panel", "band", "soft")
LEAST = 4.5


def schemes() -> dict[str, dict[str, str]]:
    """Return the colours of both schemes."""
    light, dark = (dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", part)) for part in STYLE.split("@media", 1))
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    shares = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in shares]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """Return their contrast, 1 to 21.

    >>> contrast("#ffffff", "#000000")
    21.0
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", TEXT)
def test_text_can_be_read_on_every_ground(scheme: str, name: str) -> None:
    colours = schemes()[scheme]
    assert set(TEXT) | set(GROUNDS) <= set(colours)
    assert {ground: contrast(colours[name], colours[ground]) for ground in GROUNDS
            if contrast(colours[name], colours[ground]) < LEAST} == {}  # fmt: skip
