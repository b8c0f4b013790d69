"""``ganetics loss card``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE
from ganetics.cli import loss as command
from ganetics.losses import GANetic, Hinge
from ganetics.losses.theory import TheoryCard, theory_card
from ganetics.records import from_json, to_json

LONG = "real: softplus(-x) + 0.001*x**2; fake: softplus(x) + 0.001*x**2; generator: softplus(-x)"


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    # a console keeps the width that COLUMNS had when it was made
    monkeypatch.setattr(command, "console", Console(width=200, highlight=False))


def run(*arguments: object) -> str:
    """Return what the command printed; its InputError passes through."""
    result = CliRunner().invoke(command.app, ["card", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def cards_of(*arguments: object) -> list[dict[str, Any]]:
    return list(json.loads(run(*arguments, "--json"))["cards"])


def test_json_is_the_card() -> None:
    ganetic, hinge = cards_of("ganetic", "hinge")
    for found, loss in ((ganetic, GANetic()), (hinge, Hinge())):
        assert found.pop("expression") == CATALOGUE[loss.name].expression
        assert from_json(TheoryCard, to_json(found), where="card") == theory_card(loss)


def test_words_say_verdict_and_facts() -> None:
    words = run("ganetic")
    for sentence in theory_card(GANetic()).verdict:
        assert sentence in " ".join(words.split())
    assert "0.599" in words
    assert "minimum at 0.996" in words


def test_several_stand_side_by_side() -> None:
    lines = run("minimax", "hinge", "ganetic-batch-sum").splitlines()
    (head,) = (line for line in lines if line.split() == ["minimax", "hinge", "ganetic-batch-sum"])
    (row,) = (line for line in lines if line.strip().startswith("attained"))
    places = [head.index(name) for name in ("minimax", "hinge", "ganetic-batch-sum")]
    assert row[places[0] :].startswith("at one finite logit")
    assert row[places[1] :].startswith("at a set of logits for some r")
    assert row[places[2] :].startswith("not defined")


def test_expressions_and_files(tmp_path: Path) -> None:
    fame = tmp_path / "hall_of_fame.json"
    fame.write_text(json.dumps([{"expression": "(y - p)**2"}, {"expression": "y*p"}]))
    found = cards_of("-(y*log(p) + (1 - y)*log(1 - p))", f"@{fame}", LONG)
    assert [one["optimum"]["reads"] for one in found] == ["probability", "probability", None]
    assert [one["expression"] for one in found][1:] == ["(y - p)**2", LONG]
    words = run("-(y*log(p) + (1 - y)*log(1 - p))", LONG)
    assert words.startswith("non-saturating")  # it is a loss of the catalogue
    assert f"loss 2  {LONG}" in words


def test_a_page_is_written_once(tmp_path: Path) -> None:
    page = tmp_path / "cards.html"
    assert str(page) in run("ganetic", "p*(1 - y) - y*p", "--html", page)
    text = page.read_text()
    assert "theory cards</title>" in text
    assert "p*(1 - y) - y*p" in text
    assert "ganetics loss card ganetic &#39;p*(1 - y) - y*p&#39; --html cards.html" in text
    with pytest.raises(InputError, match=r"cards\.html is there already"):
        run("hinge", "--html", page)
    assert page.read_text() == text
    with pytest.raises(InputError, match="the folder must exist"):
        run("hinge", "--html", tmp_path / "absent" / "cards.html")
    found = json.loads(run("hinge", "--html", tmp_path / "hinge.html", "--json"))
    assert found["html"] == str(tmp_path / "hinge.html")
    assert (tmp_path / "hinge.html").is_file()


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown loss 'hinje', nearest: hinge"):
        run("ganetic", "hinje")
    with pytest.raises(InputError, match="1 to 8 losses, got 9"):
        run(*["hinge"] * 9, "--html", tmp_path / "many.html")
    assert not (tmp_path / "many.html").exists()
