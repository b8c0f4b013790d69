"""What a user states about a run, and no file can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ganetics.records import Record, read_record_if_there, write_json

FILE = "about.json"


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be one line of text")
    return text.strip()


Line = Annotated[str, Field(max_length=500), AfterValidator(_one_line)]


class About(Record):
    """What is stated, for the model card; it decides nothing."""

    schema_version: Literal[1] = 1
    licence: Line
    """Of the images: its name, or where it can be read."""


def write_about(run: Path, about: About) -> None:
    """Keep what is stated with the run, in place of what was stated before."""
    write_json(run / FILE, about, indent=2)


def stored_about(run: Path) -> About | None:
    """Return what was stated; None where nothing was.

    Raises:
        InputError: the file is damaged.
    """
    return read_record_if_there(About, run / FILE)
