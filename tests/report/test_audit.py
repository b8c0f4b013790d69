from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from markupsafe import escape
from PIL import Image

from ganetics.data.audit import Audit
from ganetics.data.facts import Finding
from ganetics.report.audit import MOST, pictured, render_audit, shown

from .test_browser import browser, measured  # noqa: F401 - a fixture


def png(side: int = 8) -> bytes:
    file = io.BytesIO()
    Image.new("L", (side, side), 99).save(file, "PNG")
    return file.getvalue()


def found(*findings: Finding) -> Audit:
    return Audit(
        dataset="<eyes>",
        images=1234,
        unreadable=1,
        counts={"a & b": {"train": 900, "validation": 100, "test": 134}, "c": {"train": 100}},
        groups=400,
        sizes={"128×128": 1233},
        depths={"8-bit RGB": 1233},
        findings=findings,
    )


PAIRS = Finding(
    severity="error",
    rule="duplicates-across-splits",
    message="30 images are <twice> there",
    value=30,
    files=tuple((f"a/{i}.png", f"b/{i}.png") for i in range(30)),
)
BAD = Finding(severity="warning", rule="unreadable", message="1 image", value=1, files=(("x<y.png",),))


def test_at_most_24_pictures_of_a_finding_are_shown() -> None:
    assert len(shown(PAIRS)) == MOST // 2
    assert pictured(found(PAIRS, BAD, PAIRS)) == [
        *(f"{folder}/{i}.png" for i in range(12) for folder in "ab"),
        "x<y.png",
    ]
    large = PAIRS.model_copy(update={"files": (tuple(map(str, range(100))), ("x", "y"))})
    assert [len(files) for files in shown(large)] == [8, 2]


def test_the_page_shows_everything_and_takes_nothing_for_markup() -> None:
    page = render_audit(
        found(PAIRS, BAD), {name: png() for name in pictured(found(PAIRS))}, "ganetics doctor --data 'a b'"
    )
    assert "<h1>&lt;eyes&gt;: 1 error, training does not start</h1>" in page
    assert page.count("data:image/png;base64,") == 24
    assert "30 images are &lt;twice&gt; there" in page
    assert re.search(r'<div class="none">no picture</div><figcaption>x&lt;y\.png</figcaption>', page)
    assert "18 more are in the list" in page
    assert escape("ganetics doctor --data 'a b'") in page
    assert not re.search(r"<script|https?://", page)
    words = re.sub(r"<[^>]+>", " ", page)
    for value in ("1,234 images", "a &amp; b", "900", "1,134", "400", "128×128 (1,233)", "8-bit RGB (1,233)"):
        assert value in words


@pytest.mark.parametrize(
    ("findings", "told"),
    [((), "nothing is in the way"), ((BAD,), "no error, 1 warning"), ((PAIRS, PAIRS), "2 errors,")],
)
def test_the_heading_says_what_it_comes_to(findings: tuple[Finding, ...], told: str) -> None:
    assert told in render_audit(found(*findings), {}, "ganetics doctor")


def test_it_imports_no_torch() -> None:
    program = "import sys, ganetics.report.audit; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1200, "dark")])
def test_page_in_a_browser(browser: str, tmp_path: Path, width: int, scheme: str) -> None:  # noqa: F811
    page = render_audit(found(PAIRS, BAD), {name: png(96) for name in pictured(found(PAIRS))}, "ganetics doctor")
    seen = measured(browser, page, tmp_path, width=width, scheme=scheme)
    assert seen["needed"] <= seen["width"] <= width
    assert seen["wide"] == []
    assert seen["pictures"] == [96] * 24
    assert all(name.startswith("data:") for name in seen["loaded"])
