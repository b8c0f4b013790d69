"""docs/findings.md: its tables are what results/ says, and its links lead somewhere."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "findings.md"


def test_every_table_is_made_of_the_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    script = runpy.run_path(str(ROOT / "benchmarks" / "findings.py"))
    assert set(re.findall(r"^<!-- (\w+) -->$", text, re.MULTILINE)) - {"end"} == set(script["TABLES"])
    assert script["filled"](text) == text, "make it anew: python benchmarks/findings.py"


def test_every_link_leads_to_a_file_that_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
