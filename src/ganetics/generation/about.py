"""What a user states about a run, and no file can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ganetics._files import write_atomically
from ganetics.records import Record, from_json, read_text, to_json

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
    write_atomically(run / FILE, (to_json(about, indent=2) + "\n").encode())


def stored_about(run: Path) -> About | None:
    """Return what was stated; None where nothing was.

    Raises:
        InputError: the file is damaged.
    """
    path = run / FILE
    return from_json(About, read_text(path, "about"), where=str(path)) if path.exists() else None
