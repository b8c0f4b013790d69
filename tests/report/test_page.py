from __future__ import annotations

import ast
import json
import math
import re
import shlex
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ganetics._check import InputError
from ganetics.report import write_search_report

from .conftest import CONFIG, Line, archive_of, change_archive, fail, picture, score

SVG_TEXT = "title"
MATH = "{http://www.w3.org/1998/Math/MathML}math"


def page_of(run: Path) -> ElementTree.Element:
    """Write a run's page and read it as strictly as can be: what is well-formed XML is well-formed HTML."""
    text = write_search_report(run).read_text()
    assert text.startswith("<!DOCTYPE html>")
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>").strip())


def text_of(page: ElementTree.Element) -> str:
    return " ".join(" ".join(page.itertext()).split())


def classes(page: ElementTree.Element, *wanted: str) -> list[ElementTree.Element]:
    return [node for node in page.iter() if set(wanted) <= set(node.get("class", "").split())]


def heading(page: ElementTree.Element) -> str:
    return "".join(page.findall(".//h1")[0].itertext()).replace("\u2011", "-")


def finals(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line["kind"] == "final"]


def trials(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line["kind"] == "trial"]


@pytest.fixture(scope="module")
def page(finished: Path) -> ElementTree.Element:
    return page_of(finished)


def test_makes_the_page_without_torch(run: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ganetics.report import write_search_report;"
        "print(write_search_report(Path(sys.argv[1]))); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == str(run / "report.html")
    assert (run / "report.html").stat().st_size > 10_000


def test_needs_no_network_and_no_script(page: ElementTree.Element) -> None:
    tags = Counter(node.tag for node in page.iter())
    assert not {"script", "iframe", "object", "embed", "base"} & set(tags)
    assert tags["img"] == 3
    for node in page.iter():
        assert not [name for name in node.attrib if name.startswith("on")]
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            target = node.get(name, "data:")
            assert target.startswith(("#", "data:")) or node.tag == "a", target
    style = "".join(node.text or "" for node in page.iter("style"))
    assert "prefers-color-scheme: dark" in style
    assert not re.search(r"url\(|@import|https?:", style)


def test_links_lead_somewhere(page: ElementTree.Element) -> None:
    places = {node.get("id") for node in page.iter()}
    links = [node.get("href", "") for node in page.iter("a")]
    assert len(links) == 6
    assert all(link.removeprefix("#") in places for link in links)


def test_every_run_is_a_mark(run: Path, page: ElementTree.Element) -> None:
    lines = archive_of(run)
    for kind, group in (("final", finals(lines)), ("trial", trials(lines))):
        failed = sum(line["outcome"]["metrics"] is None for line in group)
        assert failed > 0
        assert len(classes(page, "dot", kind)) == len(group) - failed
    crosses = classes(page, "cross", "failed")
    assert len(crosses) == sum(line["outcome"]["metrics"] is None for line in lines)
    assert len(classes(page, "cross", "final")) == sum(line["outcome"]["metrics"] is None for line in finals(lines))
    assert len(classes(page, "dot", "ring")) == CONFIG.finalists


def test_one_hopeless_loss_does_not_flatten_the_others(run: Path) -> None:
    def change(lines: list[Line]) -> list[Line]:
        worst = max(trials(lines), key=lambda line: line["fitness"] or 0.0)
        return [score(line, 1e30) if line is worst else line for line in lines]

    change_archive(run, change)
    heights = sorted(float(node.get("cy", "").rstrip("%")) for node in classes(page_of(run), "dot", "trial"))
    assert heights[0] < 10.0 < 80.0 < heights[1]


def test_headline_and_table_agree_with_the_archive(run: Path, page: ElementTree.Element) -> None:
    """Means at each loss's own best rate, computed again from the archive."""
    groups: dict[str, dict[float, list[float | None]]] = {}
    for line in finals(archive_of(run)):
        metrics = line["outcome"]["metrics"]
        rates = groups.setdefault(line["name"] or line["expression"], {})
        rates.setdefault(line["rate"], []).append(None if metrics is None else metrics["fid"])
    best = {}
    for name, rates in groups.items():
        orders = [
            (fids.count(None), statistics.fmean(math.log(fid) for fid in fids if fid is not None), rate)
            for rate, fids in rates.items()
        ]
        _, mean, rate = min(orders)
        best[name] = (f"{math.exp(mean):.3g}", f"×{rate:g}")
    rows = [[" ".join(cell.itertext()) for cell in row.iter("td")] for row in page.findall(".//tbody/tr")]
    assert len(rows) == len(groups) == 4
    for name, (mean_text, rate_text) in best.items():
        [row] = [row for row in rows if name in row[1]]
        assert row[2].startswith(mean_text)
        assert row[3].startswith(rate_text)
    assert all(mean in text_of(page) for mean, _ in best.values())
    assert sum(mean in heading(page) for mean, _ in best.values()) >= 2


def test_shows_the_loss_as_formula_text_and_code(run: Path, page: ElementTree.Element) -> None:
    formulas = ["".join(node.itertext()) for node in page.iter(MATH)]
    assert [formula[:7] for formula in formulas] == ["L(y,p)=", "L(1,p)=", "L(0,p)="]
    code = next(text for pre in page.iter("pre") if "import torch" in (text := "".join(pre.itertext())))
    names = {node.name for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)}
    assert {"discriminator_loss", "generator_loss"} <= names
    finalists = {line["expression"] for line in finals(archive_of(run)) if line["name"] is None}
    assert any((pre.text or "").strip() in finalists for pre in page.iter("pre"))


def test_every_measured_figure_says_what_it_was_made_from(page: ElementTree.Element) -> None:
    sources = [text_of(node) for node in classes(page, "source")]
    measured = [source for source in sources if "no data" not in source]
    assert len(measured) == 4
    for source in measured:
        for fact in ("digits", "1,197 images (train)", "1,000 generated", "300 real images (validation)", "seed"):
            assert fact in source.replace("Seed", "seed")
        assert "digits-classifier 1, resize: none" in source


def test_curves_are_drawn_for_the_loss_and_what_it_is_measured_by(page: ElementTree.Element) -> None:
    paths = classes(page, "curve")
    drawn = [node for node in paths if node.tag == "path"]
    assert len(drawn) == 4 * 3
    assert all(node.get("d", "").startswith("M") for node in drawn)
    assert "nan" not in " ".join(node.get("d", "") for node in drawn)


def test_references_are_those_of_the_catalogue() -> None:
    from ganetics.catalogue import CATALOGUE
    from ganetics.report.figures import REFERENCES

    assert list(REFERENCES.values()) == [CATALOGUE[name].expression for name in ("ganetic", "non-saturating")]


def test_command_is_one_that_the_command_line_takes(run: Path) -> None:
    import inspect

    from ganetics.cli.search import search

    config = json.loads((run / "config.json").read_text())
    config["dataset"] = "/some where/it's"
    (run / "config.json").write_text(json.dumps(config))
    command = next(pre for pre in page_of(run).iter("pre") if (pre.text or "").startswith("ganetics search"))
    words = shlex.split(command.text or "")
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert set(options) <= {f"--{name.replace('_', '-')}" for name in inspect.signature(search).parameters}
    assert options["--dataset"] == "/some where/it's"
    assert (options["--trials"], options["--seed"], options["--recipe"]) == ("14", "3", "digits")
    assert (options["--population"], options["--guess"]) == ("6", "ganetic")
    assert "rivals" in text_of(page_of(run))


HOSTILE = "<script>alert('1 & 2')</script>"


def test_what_comes_from_outside_is_escaped(run: Path) -> None:
    def change(lines: list[Line]) -> list[Line]:
        worst = max(trials(lines), key=lambda line: line["fitness"] or 0.0)
        worst["expression"] = "p < y & " + HOSTILE
        worst["origin"] = HOSTILE
        worst["rejected"] = {HOSTILE: 2}
        for line in finals(lines):
            line["name"] = None if line["name"] is None else f"{line['name']}{HOSTILE}"
        return lines

    change_archive(run, change)
    config = json.loads((run / "config.json").read_text())
    config.update(dataset=f"/data/{HOSTILE}", skipped=[f"/data/{HOSTILE}.png: cannot be read"])
    config["data"]["name"] = config["recipe"]["name"] = HOSTILE
    (run / "config.json").write_text(json.dumps(config))
    (run / "environment.json").write_text(json.dumps({"cpu": HOSTILE}))
    page = page_of(run)
    assert not list(page.iter("script"))
    assert "<script" not in (run / "report.html").read_text()
    assert text_of(page).count(HOSTILE) > 10
    assert any("p < y & " + HOSTILE in (node.text or "") for node in page.iter(SVG_TEXT))


def test_pictures_of_the_best_and_of_the_rivals(run: Path, page: ElementTree.Element) -> None:
    first, *rest = [node.get("alt", "").removeprefix("grid of images generated under ") for node in page.iter("img")]
    assert first.startswith("trial ")
    assert sorted(rest) == ["least-squares", "non-saturating"]
    assert all(node.get("src", "").startswith("data:image/png;base64,") for node in page.iter("img"))


def test_missing_and_foreign_pictures_are_left_out(run: Path) -> None:
    (run / "secret.png").write_bytes(picture(7))
    for path in (run / "previews").iterdir():
        path.unlink()
    (run / "previews" / "text.png").write_text("no picture")

    def change(lines: list[Line]) -> list[Line]:
        for line in finals(lines):
            if line["name"] is None:
                line["preview"] = "previews/../secret.png"
            elif line["name"] == "least-squares":
                line["preview"] = "previews/text.png"
        return lines

    change_archive(run, change)
    page = page_of(run)
    assert not list(page.iter("img"))
    assert len(classes(page, "none")) == 3


@pytest.mark.parametrize(
    ("change", "title", "marks"),
    [
        pytest.param(lambda _: [], "No loss has been trained yet", 0, id="empty"),
        pytest.param(trials, "Best so far: FID", 0, id="no finals"),
        pytest.param(lambda lines: list(map(fail, trials(lines))), "Every loss that was trained", 0, id="failed"),
        pytest.param(lambda lines: trials(lines) + finals(lines)[:5], "FID", 5, id="some finals"),
    ],
)
def test_a_search_that_is_not_at_its_end(run: Path, change: Any, title: str, marks: int) -> None:
    change_archive(run, change, ended=False)
    page = page_of(run)
    assert heading(page).startswith(title) or title in heading(page)
    assert len(classes(page, "final")) == marks
    state = "last round has not ended: 5 runs" if marks else "last round, on fresh seeds, has not begun"
    assert state in text_of(page)


def test_a_search_without_a_last_round(run: Path) -> None:
    change_archive(run, trials)
    page = page_of(run)
    assert "This search had no last round" in text_of(page)
    assert list(page.iter(MATH))


def test_all_finals_failed(run: Path) -> None:
    change_archive(run, lambda lines: [*trials(lines), *map(fail, finals(lines))])
    page = page_of(run)
    assert heading(page).endswith("failed on every fresh seed")
    assert len(classes(page, "cross", "final")) == len(finals(archive_of(run)))
    assert not classes(page, "dot", "final")


def test_one_seed_gives_no_interval(run: Path) -> None:
    def change(lines: list[Line]) -> list[Line]:
        first = finals(lines)[0]["seed"]
        return [*trials(lines), *(score(line, 30.0 + line["index"]) for line in finals(lines) if line["seed"] == first)]

    change_archive(run, change)
    page = page_of(run)
    assert "no difference that 1 seed could show" in heading(page)
    assert not classes(page, "interval", "found", "rival")


def test_reads_only(run: Path) -> None:
    """A search may be at work in the folder: a line that is being written stays."""
    archive = run / "archive.jsonl"
    with archive.open("a") as file:
        file.write('{"kind": "fin')
    before = archive.read_bytes()
    page_of(run)
    assert archive.read_bytes() == before


def test_what_is_no_search_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run folder: no file at .*config\.json"):
        write_search_report(tmp_path / "nowhere")
    change_archive(run, lambda lines: [{"kind": "trial", "index": 0}, *lines])
    with pytest.raises(InputError, match=r"archive\.jsonl: must hold trials and finals, got a line that lacks"):
        write_search_report(run)
    (run / "config.json").write_text('{"loss": "ganetic"}')
    with pytest.raises(InputError, match="holds a training run, not a search"):
        write_search_report(run)


def test_floor_is_shown_where_it_is_recorded(run: Path) -> None:
    assert "real against real not recorded" in text_of(page_of(run))
    (run / "reference.json").write_text('{"floor": 3.586, "floor_n": 150}')
    page = page_of(run)
    assert "3.59 at 150 images a side" in text_of(page)
    assert len([node for node in classes(page, "floor") if node.get("x1", "").endswith("%")]) == 1
