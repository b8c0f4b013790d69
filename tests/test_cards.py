"""The theory cards in docs/cards are those of the losses as they are now; ``make docs`` writes them."""

from __future__ import annotations

import html
import json
import math
from pathlib import Path
from typing import Any

import pytest

from ganetics.catalogue import CATALOGUE
from ganetics.losses.theory import theory_card

CARDS = Path(__file__).parents[1] / "docs" / "cards"
TOLERANCE = 1e-6
AGAIN = "make docs writes the cards again"


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    cards = json.loads((CARDS / "cards.json").read_text(encoding="utf-8"))["cards"]
    return {card["name"]: card for card in cards}


def differences(now: Any, was: Any, where: str) -> list[str]:
    """Return where two JSON values differ; numbers may by 1e-6, relative to the larger or absolute."""
    if isinstance(now, dict) and isinstance(was, dict):
        if now.keys() != was.keys():
            return [f"{where}: other fields"]
        return [found for key in now for found in differences(now[key], was[key], f"{where}.{key}")]
    if isinstance(now, list) and isinstance(was, list):
        if len(now) != len(was):
            return [f"{where}: {len(now)} values, not {len(was)}"]
        return [found for i in range(len(now)) for found in differences(now[i], was[i], f"{where}[{i}]")]
    numbers = [type(value) in (int, float) for value in (now, was)]
    same = math.isclose(now, was, rel_tol=TOLERANCE, abs_tol=TOLERANCE) if all(numbers) else now == was
    return [] if same else [f"{where}: {now!r}, not {was!r}"]


def test_differences_are_found() -> None:
    was = {"a": [1.0, None, "x"], "b": True}
    assert differences({"a": [1.0 + 1e-9, None, "x"], "b": True}, was, "card") == []
    for other in ({"a": [1.001, None, "x"], "b": True}, {"a": [1.0, 0.0, "x"], "b": True}, {"a": [1.0], "b": True}):
        assert len(differences(other, was, "card")) == 1


def test_every_loss_has_a_card_and_a_page(committed: dict[str, Any]) -> None:
    assert list(committed) == list(CATALOGUE), AGAIN
    assert {path.name for path in CARDS.iterdir()} == {"cards.json", *(f"{name}.html" for name in CATALOGUE)}, AGAIN


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_card_is_that_of_the_loss(name: str, committed: dict[str, Any]) -> None:
    card = theory_card(CATALOGUE[name].make())
    was = dict(committed[name])
    was.pop("expression")
    assert differences(json.loads(card.model_dump_json()), was, name) == [], AGAIN
    page = " ".join(html.unescape((CARDS / f"{name}.html").read_text(encoding="utf-8")).split())
    for sentence in card.verdict:
        assert sentence in page, AGAIN
