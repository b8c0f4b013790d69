"""Tables in a page between marks, made from what is under results/: none of their figures is typed.

Between ``<!-- NAME -->`` and ``<!-- end -->`` stands the table called NAME.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ganetics._files import write_atomically

NOT_YET = "*Not run yet.*"
Tables = Mapping[str, Callable[[], str]]


def number(value: float | None) -> str:
    """Three digits; None, a failure, is infinite."""
    return "∞" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def filled(page: str, tables: Tables) -> str:
    """Return the page with every table between its marks made anew; what has no results says so."""

    def table(name: str) -> str:
        try:
            return tables[name]()
        except FileNotFoundError:
            return NOT_YET

    return re.sub(
        r"(<!-- ([\w-]+) -->\n)(?:.*?\n)??(<!-- end -->)",
        lambda found: f"{found[1]}{table(found[2])}\n{found[3]}",
        page,
        flags=re.DOTALL,
    )


def run(pages: Sequence[Path], tables: Tables, *, about: str | None) -> None:
    """Write pages' tables anew; with ``--check`` write nothing, and exit with 1 if one is not what the results say."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    before = {page: page.read_text(encoding="utf-8") for page in pages}
    after = {page: filled(text, tables) for page, text in before.items()}
    if given.check:
        sys.exit(after != before)
    for page, text in after.items():
        write_atomically(page, text.encode())
