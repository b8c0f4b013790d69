from __future__ import annotations

import ast
import json
import math
import operator
import re
import statistics
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ganetics._check import InputError
from ganetics.expressions.text import parse
from ganetics.expressions.tree import complexity
from ganetics.report import write_search_report
from ganetics.report.words import duration
from ganetics.search.config import Rung

from .conftest import CONFIG, Line, archive_of, change_archive, fail, picture, score, searched

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


def chart_of(page: ElementTree.Element, figure: str) -> ElementTree.Element:
    """Return the chart of the figure with this id."""
    found = page.find(f".//figure[@id='{figure}']/div")
    assert found is not None
    return found


def place(node: ElementTree.Element, name: str) -> float:
    """Return a place in a chart, in percent."""
    return float(node.attrib[name].removesuffix("%"))


def log_fid(line: Line) -> float:
    metrics = line["outcome"]["metrics"]
    return math.log(metrics["fid"]) if metrics else math.inf


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
    for kind, group, part in (
        ("final", finals(lines), page),
        ("trial", trials(lines), chart_of(page, "progress")),
    ):
        failed = sum(line["outcome"]["metrics"] is None for line in group)
        assert failed > 0
        assert len(classes(part, "dot", kind)) == len(group) - failed
    crosses = classes(page, "cross", "failed")
    assert len(crosses) == sum(line["outcome"]["metrics"] is None for line in lines)
    assert len(classes(page, "cross", "final")) == sum(line["outcome"]["metrics"] is None for line in finals(lines))


def test_trials_are_shaded_by_rung_and_open_at_other_rates(run: Path, page: ElementTree.Element) -> None:
    alive = [line for line in trials(archive_of(run)) if line["outcome"]["metrics"]]
    drawn = classes(chart_of(page, "progress"), "dot", "trial")
    shades = [("s0", "s2", "s3", "s5")[line["rung"]] for line in alive]
    assert [node.get("class", "").split()[2] for node in drawn] == shades
    assert ["open" in node.get("class", "").split() for node in drawn] == [line["rate"] != 1.0 for line in alive]
    assert any(line["rate"] != 1.0 for line in alive)
    order = sorted(range(len(alive)), key=lambda i: alive[i]["outcome"]["metrics"]["fid"])
    heights = [place(drawn[i], "cy") for i in order]
    assert heights == sorted(heights, reverse=True)
    assert [node.findtext("title", "").split(":")[0] for node in drawn] == [f"trial {line['index']}" for line in alive]


def test_the_staircase_is_that_of_runs_of_all_steps(run: Path) -> None:
    """Every other run of all steps is better than all before it; the shorter runs are better still."""
    long: list[int] = []

    def change(lines: list[Line]) -> list[Line]:
        long.extend(line["index"] for line in trials(lines) if CONFIG.rungs[line["rung"]].steps == 300)
        values = {index: 99.0 if place % 2 else 90.0 - place for place, index in enumerate(long)}
        return [score(line, values.get(line["index"], 5.0)) for line in trials(lines)]

    change_archive(run, change)
    chart = chart_of(page_of(run), "progress")
    places = [(place(node, "cx"), place(node, "cy")) for node in classes(chart, "dot", "trial")]
    corners = [places[index] for index in long[::2]]
    turns = [(later[0], before[1]) for before, later in pairwise(corners)]
    ends = [(place(node, "x2"), place(node, "y2")) for node in classes(chart, "best")]
    assert sorted(ends) == sorted([*corners[1:], *turns, (100.0, corners[-1][1])])


def test_finalists_have_rings(run: Path, page: ElementTree.Element) -> None:
    lines = archive_of(run)
    chosen = {line["expression"] for line in finals(lines) if line["name"] is None}
    numbers = {line["candidate"] for line in trials(lines) if "born" in line and line["born"]["expression"] in chosen}
    titles = [node.findtext("title", "") for node in classes(page, "dot", "ring")]
    assert len(titles) == len(numbers) == CONFIG.finalists
    assert {int(re.findall(r"candidate (\d+)", title)[0]) for title in titles} == numbers


def test_one_hopeless_loss_does_not_flatten_the_others(run: Path) -> None:
    def change(lines: list[Line]) -> list[Line]:
        worst = max(trials(lines), key=lambda line: (line["outcome"]["metrics"] or {"fid": 0.0})["fid"])
        return [score(line, 1e30) if line is worst else line for line in lines]

    change_archive(run, change)
    heights = sorted(place(node, "cy") for node in classes(chart_of(page_of(run), "progress"), "dot", "trial"))
    assert heights[0] < 10.0 < 50.0 < heights[1]


def test_the_ladder_counts_what_the_archive_holds(run: Path, page: ElementTree.Element) -> None:
    lines = archive_of(run)
    timings = [json.loads(line) for line in (run / "timings.jsonl").read_text().splitlines()]
    rows = [[text_of(cell) for cell in row] for row in page.findall(".//table[@id='ladder']/tbody/tr")]
    groups = [[line for line in trials(lines) if line["rung"] == rung] for rung in range(4)] + [finals(lines)]
    keys = ["candidate"] * 4 + ["expression"]
    for (name, losses, failed, runs, _, cpu), group, key in zip(rows, groups, keys, strict=True):
        assert int(losses) == len({line[key] for line in group}) > 0
        assert int(failed) == len({line[key] for line in group if line["outcome"]["metrics"] is None})
        assert int(runs) == len(group)
        jobs = {(line["kind"], line["index"]) for line in group}
        spent = sum(line["cpu_seconds"] for line in timings if (line["kind"], line.get("index")) in jobs)
        assert cpu == duration(spent), name
    assert rows[1][0] == "rung 2 300 steps × 1 seed, scored on 500 images"
    assert rows[3][0] == "rung 4 300 steps × 2 seeds × rates 0.3, 1, 3"
    assert rows[4][0] == "last round 300 steps × 4 fresh seeds × rates 0.3, 1, 3"
    # of 300 steps 75 are there; once more for the other score, and a new seed; two more rates; four seeds, three rates
    assert [row[4] for row in rows] == ["75", "225", "525", "1,200", "3,600"]


def test_the_front_is_that_of_the_last_round(run: Path, page: ElementTree.Element) -> None:
    """Who is beaten in all three objectives, by comparing all with all; a failed run is worse than any."""
    groups: dict[str, list[Line]] = {}
    for line in finals(archive_of(run)):
        groups.setdefault(line["name"] or line["expression"], []).append(line)
    points: dict[str, tuple[float, float, int]] = {}
    for name, lines in groups.items():
        logs = [[log_fid(line) for line in lines if line["rate"] == rate] for rate in CONFIG.final_rates]
        best = min(logs, key=lambda values: (values.count(math.inf), sum(v for v in values if v < math.inf)))
        quality = statistics.fmean(value for value in best if value < math.inf)
        worst = min(max(value for values in logs for value in values), 15.0)
        points[name] = (quality, worst, complexity(parse(lines[0]["expression"])))
    front = {
        name
        for name, point in points.items()
        if not any(all(map(operator.le, other, point)) and other != point for other in points.values())
    }
    assert 0 < len(front) < len(points)
    shown: dict[str, set[str]] = {"kept": set(), "beaten": set()}
    for node in classes(chart_of(page, "front"), "spot"):
        number, label, text = re.findall(r"(\d+)\. (.*?): .*\n(.*)", node.findtext("title", ""))[0]
        assert node.findtext("text") == number
        kind = "kept" if "kept" in node.get("class", "").split() else "beaten"
        shown[kind].add(label if label in points else text)
    assert shown == {"kept": front, "beaten": set(points) - front}
    assert len(classes(page, "badge", "front")) == len(front)


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
            if any(fids)
        ]
        _, mean, rate = min(orders)
        best[name] = (f"{math.exp(mean):.3g}", f"×{rate:g}")
    table = page.findall(".//table[@id='fame']/tbody/tr")
    rows = [[" ".join(cell.itertext()) for cell in row.iter("td")] for row in table]
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
    assert len(measured) == 5
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


def test_a_separate_loss_has_three_terms(tmp_path: Path) -> None:
    changes = {"mode": "separate", "trials": 8, "rungs": (Rung(steps=300),), "finalists": 1, "final_seeds": 1, "lag": 1}
    page = page_of(searched(tmp_path / "run", CONFIG.model_copy(update=changes)))
    assert len([node for node in classes(page, "curve") if node.tag == "path"]) == 6 * 3
    labels = [text_of(node) for node in classes(page, "label")]
    for term in ("the real term", "the fake term", "the generator's term"):
        assert {f"{term}, scaled, its minimum at 0", f"slope of {term} over x, scaled"} <= set(labels)
    assert len(list(page.iter(MATH))) == 1
    assert any((pre.text or "").startswith("real: ") for pre in page.iter("pre"))
    assert "all three terms are minimised" in text_of(page)


def test_references_are_those_of_the_catalogue() -> None:
    from ganetics.catalogue import CATALOGUE
    from ganetics.report.search_figures import REFERENCES

    assert list(REFERENCES.values()) == [CATALOGUE[name].expression for name in ("ganetic", "non-saturating")]


HOSTILE = "<script>alert('1 & 2')</script>"


def test_what_comes_from_outside_is_escaped(run: Path) -> None:
    def change(lines: list[Line]) -> list[Line]:
        chosen = {line["expression"] for line in finals(lines)}
        births = [line["born"] for line in trials(lines) if "born" in line]
        born = next(born for born in births if born["expression"] not in chosen)
        born.update(expression="p < y & " + HOSTILE, origin=HOSTILE, rejected={HOSTILE: 2})
        for line in finals(lines):
            line["name"] = None if line["name"] is None else f"{line['name']}{HOSTILE}"
        return lines

    change_archive(run, change)
    config = json.loads((run / "config.json").read_text())
    left_out = [f"/data/{HOSTILE}.png: cannot be read", "doe_john.png: cannot be read"]
    config.update(dataset=f"/data/{HOSTILE}", skipped=left_out)
    config["data"]["name"] = config["recipe"]["name"] = HOSTILE
    (run / "config.json").write_text(json.dumps(config))
    (run / "environment.json").write_text(json.dumps({"cpu": HOSTILE}))
    page = page_of(run)
    assert not list(page.iter("script"))
    assert "<script" not in (run / "report.html").read_text()
    assert text_of(page).count(HOSTILE) > 10
    assert "doe_john" not in text_of(page)  # pages are sent around: what is left out is counted
    assert "2 (config.json names them)" in text_of(page)
    assert any("p < y & " + HOSTILE in (node.text or "") for node in page.iter(SVG_TEXT))


def test_pictures_of_the_best_and_of_the_rivals(run: Path, page: ElementTree.Element) -> None:
    first, *rest = [node.get("alt", "").removeprefix("grid of images generated under ") for node in page.iter("img")]
    assert first.startswith("candidate ")
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
        pytest.param(lambda lines: trials(lines)[:1], "Best so far: FID", 0, id="one trial"),
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
    count = len(trials(archive_of(run)))
    [standing] = [text_of(node) for node in classes(page, "standing")]
    assert f"{count} of {CONFIG.trials} trials" in standing
    [refresh] = [node for node in page.iter("meta") if node.get("http-equiv") == "refresh"]
    assert f"every {refresh.get('content')} seconds" in standing


def test_a_search_at_its_end_stays_as_it_is(page: ElementTree.Element) -> None:
    assert not [node for node in page.iter("meta") if node.get("http-equiv") == "refresh"]
    assert not classes(page, "standing")


def test_a_search_without_a_last_round(run: Path) -> None:
    change_archive(run, trials)
    page = page_of(run)
    assert "This search had no last round" in text_of(page)
    assert list(page.iter(MATH))
    assert not classes(page, "standing")


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
    with pytest.raises(InputError, match=r"archive\.jsonl: line 1: trial\.candidate: Field required"):
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
