"""docs/generation.md says what the commands and the code do, and can be found."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from ganetics.cli.main import app
from ganetics.data import findings
from ganetics.data.splits import FEWEST, SHARES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "generation.md").read_text(encoding="utf-8")
PLAIN = " ".join(PAGE.split())
SPANS = re.findall(r"`(ganetics [^`]+)`", PAGE)
LINES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
COMMANDS = sorted({*SPANS, *LINES})


def test_the_page_can_be_found() -> None:
    assert "](docs/generation.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](generation.md)" in (ROOT / "docs" / "train.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_and_option_exists(line: str) -> None:
    name, *words = shlex.split(line, comments=True)[1:]
    group = typer.main.get_command(app)
    found = group.commands[name]  # type: ignore[attr-defined]
    options = {option for parameter in found.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_the_commands_of_a_whole_study_are_there() -> None:
    assert {shlex.split(line)[1] for line in LINES} == {"doctor", "train", "evaluate", "report", "sample", "export"}


def test_numbers_are_those_of_the_code() -> None:
    assert f"below {findings.FEW} images" in PLAIN
    assert f"Fewer than {FEWEST} are refused" in PLAIN
    assert f"AUROC above {findings.SHORTCUT}" in PLAIN
    assert (SHARES["train"], SHARES["validation"]) == (0.70, SHARES["test"])
    assert "Seven tenths of the images train, and of the rest one half chooses" in PLAIN


def test_it_says_what_it_is_not() -> None:
    assert PAGE.count("or research, not a medical device") == 2
