"""How pages are filled in, and what pictures may be put into them."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from ganetics.report.charts import number
from ganetics.report.words import counted, duration

PNG = b"\x89PNG\r\n\x1a\n"
"""What a picture's file begins with; nothing else is put into the page."""
REFRESH_SECONDS = 30
"""After which the page of a search that is not at its end loads itself again."""


def environment() -> Environment:
    """Return what fills in templates: everything is escaped, and a name that is missing is an error."""
    found = Environment(
        loader=PackageLoader("ganetics.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(figure=number, duration=duration)
    found.globals["counted"] = counted
    return found


def picture(folder: Path, name: str, *, within: str = "previews") -> str | None:
    """Return a picture of a run's folder as a data: URI; None where there is none, or it lies outside ``within``."""
    path = (folder / name).resolve()
    if not path.is_relative_to((folder / within).resolve()) or not path.is_file():
        return None
    content = path.read_bytes()
    return "data:image/png;base64," + base64.b64encode(content).decode() if content.startswith(PNG) else None
