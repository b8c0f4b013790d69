"""The page in a real browser: fits a phone, follows the colour scheme, loads nothing."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ganetics.report import write_report

from .conftest import archive_of

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
SCHEMES = {"dark": 0, "light": 1}

# A narrow frame, as browsers refuse narrow windows. It has the harness's origin, so that it can be measured from there.
HARNESS = """<!DOCTYPE html><title>harness</title>
<iframe id="frame" style="width:{width}px;height:900px;border:0" srcdoc="{page}"></iframe>
<pre id="found"></pre>
<script>
addEventListener("load", () => {{
  const inner = document.getElementById("frame").contentWindow, page = inner.document, root = page.documentElement;
  const seen = node => {{ const box = node.getBoundingClientRect(); return box.width > 0 && box.height > 0; }};
  document.getElementById("found").textContent = JSON.stringify({{
    width: root.clientWidth,
    needed: root.scrollWidth,
    wide: [...page.querySelectorAll("main *")].filter(
      node => !node.closest(".scroll, pre, .math, details, svg")
        && node.getBoundingClientRect().right > root.clientWidth + 0.5
    ).map(node => node.tagName + "." + node.className),
    dots: [...page.querySelectorAll("circle.final")].filter(seen).length,
    places: new Set([...page.querySelectorAll("circle.final")].map(node => node.getBoundingClientRect().left)).size,
    pictures: [...page.images].map(image => image.naturalWidth),
    background: inner.getComputedStyle(page.body).backgroundColor,
    color: inner.getComputedStyle(page.body).color,
    loaded: inner.performance.getEntriesByType("resource").map(entry => entry.name),
    formula: page.querySelector("math mfrac, math msup, math mrow")?.getBoundingClientRect().height ?? 0,
  }});
}});
</script>"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    return found


def look(browser: str, run: Path, folder: Path, *, width: int, scheme: str) -> dict[str, Any]:
    return measured(browser, write_report(run).read_text(), folder, width=width, scheme=scheme)


def measured(browser: str, page: str, folder: Path, *, width: int, scheme: str) -> dict[str, Any]:
    (folder / "harness.html").write_text(HARNESS.format(width=width, page=html.escape(page)))
    command = [browser, *QUIET, f"--user-data-dir={folder / 'profile'}", "--window-size=1400,1000"]
    command += [
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        "--dump-dom",
        (folder / "harness.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    body = done.stdout.rpartition('<pre id="found">')[2].partition("</pre>")[0]
    return dict(json.loads(html.unescape(body)))


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1200, "dark")])
def test_page(browser: str, run: Path, tmp_path: Path, width: int, scheme: str) -> None:
    found = look(browser, run, tmp_path, width=width, scheme=scheme)
    assert found["needed"] <= found["width"] <= width
    assert found["wide"] == []
    lines = [line for line in archive_of(run) if line["kind"] == "final" and line["outcome"]["metrics"]]
    assert found["dots"] == len(lines)
    assert found["places"] > len(lines) // 2
    assert found["pictures"] == [16, 16, 16]
    assert all(name.startswith("data:") for name in found["loaded"])
    assert found["formula"] > 0
    light = ["rgb(255, 255, 255)", "rgb(27, 31, 36)"]
    assert ([found["background"], found["color"]] == light) == (scheme == "light")


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (1200, "light")])
def test_page_of_a_benchmark(browser: str, bench: Path, tmp_path: Path, width: int, scheme: str) -> None:
    found = look(browser, bench, tmp_path, width=width, scheme=scheme)
    assert found["needed"] <= found["width"] <= width
    assert found["wide"] == []
    lines = [line for line in archive_of(bench) if line["phase"] == "final" and line["fid"] is not None]
    assert found["dots"] == len(lines)
    assert found["places"] > len(lines) // 2
    assert found["pictures"] == [16] * 8
    assert all(name.startswith("data:") for name in found["loaded"])
    light = ["rgb(255, 255, 255)", "rgb(27, 31, 36)"]
    assert ([found["background"], found["color"]] == light) == (scheme == "light")
