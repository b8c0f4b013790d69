"""The page of a benchmark: every figure on it is one of its records."""

from __future__ import annotations

import base64
import json
import math
import re
import shutil
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from ganetics._check import InputError
from ganetics.benchmark.collapse import RULE
from ganetics.benchmark.protocol import freeze
from ganetics.benchmark.results import results
from ganetics.benchmark.tables import FEW
from ganetics.records import to_json
from ganetics.report import write_bench_report, write_report, write_search_report
from ganetics.report.bench_run import read_bench
from ganetics.report.charts import number
from ganetics.report.words import duration

from .conftest import Line, archive_of, picture

LOSSES = ["hinge", "ganetic", "wasserstein+r1:2", "squares & co"]
BASELINE = "ganetic"


def page_of(run: Path) -> ElementTree.Element:
    """Write a run's page and read it as strictly as can be: what is well-formed XML is well-formed HTML."""
    text = write_bench_report(run).read_text()
    assert text.startswith("<!DOCTYPE html>")
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>").strip())


def text_of(node: ElementTree.Element | None) -> str:
    assert node is not None
    return " ".join(" ".join(node.itertext()).split())


def classes(node: ElementTree.Element, *wanted: str) -> list[ElementTree.Element]:
    return [one for one in node.iter() if set(wanted) <= set(one.get("class", "").split())]


def place(node: ElementTree.Element, name: str) -> float:
    return float(node.attrib[name].removesuffix("%"))


def named(page: ElementTree.Element, name: str) -> ElementTree.Element:
    found = page.find(f".//*[@id='{name}']")
    assert found is not None
    return found


def charts(page: ElementTree.Element, figure: str) -> dict[str, ElementTree.Element]:
    """Return the small charts of a figure by the loss that they are of."""
    return {text_of(chart.find("div[@class='label']")): chart for chart in classes(named(page, figure), "chart")}


def strips(page: ElementTree.Element) -> dict[str, ElementTree.Element]:
    return {text_of(strip.find(".//b")): strip for strip in classes(named(page, "ranking"), "strip")}


def table(page: ElementTree.Element, name: str) -> dict[str, list[list[str]]]:
    """Return the rows of a table by loss: of each cell the words of its lines."""
    rows = named(page, name).findall("tbody/tr")
    return {text_of(row.find("th/b")): [text_of(cell).split() for cell in row.findall("td")] for row in rows}


def runs(run: Path, phase: str, loss: str | None = None) -> list[Line]:
    return [line for line in archive_of(run) if line["phase"] == phase and loss in (None, line["loss"])]


def tables(run: Path) -> Any:
    return json.loads((run / "tables.json").read_bytes())


def words(value: float | None, low: float | None = None, high: float | None = None) -> list[str]:
    """Return a figure and its limits, if there are any, as words of the page; None is infinite."""
    texts = ["∞" if one is None else number(one) for one in (value, low, high)]
    return texts[:1] if low is None else [texts[0], texts[1], "to", texts[2]]


@pytest.fixture(scope="module")
def page(bench_finished: Path) -> ElementTree.Element:
    return page_of(bench_finished)


# --- the page


def test_makes_the_page_without_torch(bench: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ganetics.report import write_bench_report;"
        "print(write_bench_report(Path(sys.argv[1]))); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, str(bench)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == str(bench / "report.html")


def test_needs_no_network_and_no_script(page: ElementTree.Element) -> None:
    tags = Counter(node.tag for node in page.iter())
    assert not {"script", "iframe", "object", "embed", "base"} & set(tags)
    for node in page.iter():
        assert not [name for name in node.attrib if name.startswith("on")]
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert node.get(name, "data:").startswith(("#", "data:"))
    links = [node.get("href", "") for node in page.iter("a")]
    places = {node.get("id") for node in page.iter()}
    assert len(links) == 6
    assert all(link.removeprefix("#") in places for link in links)


def test_comes_in_the_order_that_a_reader_asks(page: ElementTree.Element) -> None:
    order = [node.get("id") or "h1" for node in page.iter() if node.tag in ("h1", "section") or node.get("id")]
    wanted = ["h1", "binding", "ranking", "own", "common", "stability", "curves", "samples", "what"]
    assert [name for name in order if name in wanted] == wanted


def test_results_that_are_given_are_those_that_it_would_make(bench: Path) -> None:
    before = write_bench_report(bench).read_bytes()
    config = read_bench(bench).config
    assert write_bench_report(bench, results(bench, config, archive_of(bench))).read_bytes() == before


# --- ranking


def test_every_final_run_is_a_mark(bench_finished: Path, page: ElementTree.Element) -> None:
    found = strips(page)
    rows = tables(bench_finished)["tables"]["final"]["rows"]
    assert list(found) == [row["loss"] for row in rows]
    for loss, strip in found.items():
        lines = runs(bench_finished, "final", loss)
        ended = [line for line in lines if line["fid"] is not None]
        dots = classes(strip, "dot", "final")
        assert [f"{loss}, seed {line['seed']}: FID {number(line['fid'])}" for line in ended] == [
            dot.findtext("title", "").removesuffix(" collapsed") for dot in dots
        ]
        assert ["collapsed" in dot.get("class", "").split() for dot in dots] == [line["collapsed"] for line in ended]
        crosses = classes(strip, "cross", "final")
        assert [cross.findtext("title") for cross in crosses] == [
            f"{loss}, seed {line['seed']}: diverged" for line in lines if line["fid"] is None
        ]
        order = sorted(range(len(ended)), key=lambda i, ended=ended: ended[i]["fid"])
        places = [place(dots[i], "cx") for i in order]
        assert places == sorted(places)
    assert len(classes(page, "cross", "final")) == 1
    assert sum(line["collapsed"] and line["fid"] is not None for line in runs(bench_finished, "final")) > 0


def test_a_seed_is_at_one_height(bench_finished: Path, page: ElementTree.Element) -> None:
    heights: dict[str, set[float]] = {}
    for node in classes(named(page, "ranking"), "dot", "final"):
        seed = re.findall(r"seed (\d+)", node.findtext("title", ""))[0]
        heights.setdefault(seed, set()).add(place(node, "cy"))
    assert set(map(len, heights.values())) == {1}
    assert len(set.union(*heights.values())) == 5


def test_means_intervals_and_the_baselines_line_lie_where_the_figures_are(
    bench_finished: Path, page: ElementTree.Element
) -> None:
    """Places are those of a logarithmic axis, which two dots of known distance give."""
    dots = classes(named(page, "ranking"), "dot", "final")
    known = {place(dot, "cx"): float(re.findall(r"FID ([\d.]+)", dot.findtext("title", ""))[0]) for dot in dots}
    (left, low), (right, high) = min(known.items()), max(known.items())

    def fid(at: float) -> float:
        return math.exp(math.log(low) + (at - left) / (right - left) * math.log(high / low))

    rows = {row["loss"]: row["fid"]["iqm"] for row in tables(bench_finished)["tables"]["final"]["rows"]}
    for loss, strip in strips(page).items():
        [mean], [interval], [line] = (classes(strip, kind) for kind in ("mean", "interval", "baseline"))
        for node, name, value in (
            (mean, "x1", rows[loss]["value"]),
            (interval, "x1", rows[loss]["low"]),
            (line, "x1", rows[BASELINE]["value"]),
        ):
            assert fid(place(node, name)) == pytest.approx(value, rel=0.02)
        if rows[loss]["high"] is None:
            assert place(interval, "x2") == 100.0
        else:
            assert fid(place(interval, "x2")) == pytest.approx(rows[loss]["high"], rel=0.02)
    assert sum(iqm["high"] is None for iqm in rows.values()) == 1


# --- tables


@pytest.mark.parametrize("name", ["final", "common"])
def test_the_tables_are_those_of_the_record(name: str, bench_finished: Path, page: ElementTree.Element) -> None:
    record = tables(bench_finished)["tables"][name]
    against = {one["loss"]: one for one in record["comparisons"]}
    shown = table(page, f"table-{name}")
    assert list(shown) == [row["loss"] for row in record["rows"]]
    for row in record["rows"]:
        _, iqm, mean, median, best, worst, collapsed, beats, ratio, p = shown[row["loss"]]
        fid, one = row["fid"], against.get(row["loss"])
        assert iqm == words(fid["iqm"]["value"], fid["iqm"]["low"], fid["iqm"]["high"])
        spread = [] if fid["sd"] is None else ["SD", number(fid["sd"])]
        assert mean == (["–"] if fid["mean"] is None else [number(fid["mean"]), *spread])
        assert [median, best, worst] == [words(fid[key]) for key in ("median", "best", "worst")]
        assert collapsed[0] == f"{100 * row['collapsed']['value']:.0f}"
        assert (one is None) == (row["loss"] == BASELINE)
        if one is None:
            assert beats == ratio == p == ["–"]
            continue
        assert beats[0] == f"{100 * one['improvement']['value']:.0f}"
        found = one["ratio"]
        assert ratio == (["–"] if found is None else words(found["mean"], found["low"], found["high"]))
        holm = ["<", "0.001"] if one["p_holm"] < 0.001 else [f"{one['p_holm']:.2g}"]
        assert p == [*holm, *one["test"].split()]
    notes = text_of(named(page, {"final": "own", "common": "common"}[name]))
    assert all(note in notes for note in record["notes"])


@pytest.mark.parametrize("name", ["final", "common"])
def test_further_metrics_are_means_of_the_lines(name: str, bench_finished: Path, page: ElementTree.Element) -> None:
    costs = [json.loads(line) for line in (bench_finished / "timings.jsonl").read_text().splitlines()]
    for loss, (*cells, over, took) in table(page, f"metrics-{name}").items():
        ended = [line for line in runs(bench_finished, name, loss) if line["fid"] is not None]
        for metric, cell in zip(("kid", "precision", "recall", "density", "coverage"), cells, strict=True):
            values = [line[metric] for line in ended]
            spread = ["SD", number(statistics.stdev(values))] if len(values) > 1 else []
            assert cell == [number(statistics.fmean(values)), *spread] if ended else ["–"]
        assert over == [str(len(ended))]
        own = [costs[line["index"]] for line in ended]
        cpu, wall = (
            statistics.median(one[key] for one in own) if own else 0 for key in ("cpu_seconds", "wall_seconds")
        )
        assert took == ([number(round(cpu, 3)), "wall", number(round(wall, 3))] if own else ["–"])


def test_without_timings_no_time_is_told(bench: Path) -> None:
    (bench / "timings.jsonl").unlink()
    page = page_of(bench)
    assert "core s a run" not in text_of(page)
    assert all(len(cells) == 6 for cells in table(page, "metrics-final").values())


def test_of_fewer_than_five_seeds_it_says_why_there_is_no_interval(
    benchmarked: Callable[..., Path], tmp_path: Path
) -> None:
    page = page_of(benchmarked(tmp_path / "run", final_seeds=3, batch_sizes=(), common_seeds=0))
    assert text_of(named(page, "own")).count(FEW) == 1
    assert all(len(cells[1]) == 1 for cells in table(page, "table-final").values())
    assert not classes(named(page, "ranking"), "interval")
    assert [text_of(card.findall("dl/dd")[0]) for card in classes(page, "card")] == ["none below 5 seeds"] * 2
    assert "below 5 there is no bootstrap interval" in text_of(named(page, "what"))


LONG = "real: softplus(abs(x) - 0.5584); fake: relu(1 + x); generator: softplus(-x)"
SHORT = "real: softplus(abs(x) - 0.5584)…"


@pytest.mark.parametrize("label", ["hinge", BASELINE])
def test_a_long_label_is_cut_off_in_tables_and_figures_and_written_out_once(label: str, bench: Path) -> None:
    config = json.loads((bench / "config.json").read_text())
    for contender in config["contenders"]:
        contender["label"] = LONG if contender["label"] == label else contender["label"]
    config["baseline"] = LONG if label == BASELINE else BASELINE
    (bench / "config.json").write_text(json.dumps(config))
    lines = [{**line, "loss": LONG} if line["loss"] == label else line for line in archive_of(bench)]
    (bench / "archive.jsonl").write_text("".join(to_json(line) + "\n" for line in lines))
    page = page_of(bench)
    shown = [
        *(f"table-{name}" for name in ("final", "common")),
        "metrics-final",
        "steady-rates",
        "checkpoints",
        "losses",
    ]
    assert all(SHORT in table(page, name) for name in shown)
    assert all(SHORT in charts(page, figure) for figure in ("rates", "batches", "learning"))
    assert SHORT in strips(page)
    titles = {node.get("title") for node in page.iter("b") if text_of(node) == SHORT}
    assert titles == {LONG, None}  # None: where it is written out
    for node in page.iter("title"):
        node.text = ""  # what is read when pointed at a run
    assert text_of(page).count(LONG) == 1 + (label == BASELINE)  # the settings name the baseline
    assert LONG in text_of(named(page, "losses"))
    assert "A name with … is written out under" in text_of(named(page, "own"))


def marks(page: ElementTree.Element) -> dict[str, str]:
    """Return what the losses are marked as in the main table."""
    return {
        text_of(row.find("th/b")): text_of(badge)
        for row in named(page, "table-final").findall("tbody/tr")
        for badge in classes(row, "badge")
    }


def test_better_and_worse_are_marked_where_the_corrected_p_says_so(bench: Path) -> None:
    comparisons = tables(bench)["tables"]["final"]["comparisons"]
    worse = [one["loss"] for one in comparisons if one["p_holm"] < 0.05]
    assert all(one["ratio"]["mean"] > 1 for one in comparisons if one["loss"] in worse)
    assert 0 < len(worse) < 3
    assert marks(page_of(bench)) == {BASELINE: "baseline", **dict.fromkeys(worse, "worse")}
    config = (bench / "config.json").read_text()
    (bench / "config.json").write_text(config.replace(f'"baseline": "{BASELINE}"', f'"baseline": "{worse[-1]}"'))
    turned = marks(page_of(bench))
    assert (turned[worse[-1]], turned[BASELINE]) == ("baseline", "better")


# --- stability


@pytest.mark.parametrize(("figure", "phase", "by"), [("rates", "tuning", "rate"), ("batches", "batch", "batch_size")])
def test_sweeps_show_every_run(
    figure: str, phase: str, by: str, bench_finished: Path, page: ElementTree.Element
) -> None:
    panels = charts(page, figure)
    assert sorted(panels) == sorted(LOSSES)
    places: dict[float, set[float]] = {}
    for loss, panel in panels.items():
        lines = runs(bench_finished, phase, loss)
        dots, crosses = classes(panel, "dot", "run"), classes(panel, "cross", "failed")
        ended = [line for line in lines if line["fid"] is not None]
        assert [dot.findtext("title") for dot in dots] == [
            f"{loss}, {by.replace('_', ' ')} {line[by]:g}, seed {line['seed']}: FID {number(line['fid'])}"
            for line in ended
        ]
        assert len(crosses) == len(lines) - len(ended)
        for dot, line in zip(dots, ended, strict=True):
            places.setdefault(line[by], set()).add(place(dot, "cx"))
        kind = "rival" if loss == BASELINE else "found"
        assert len(classes(panel, "curve", "thick", kind)) == 1
        assert len(classes(panel, "curve", "thin", "rival")) == (loss != BASELINE)
    assert set(map(len, places.values())) == {1}  # a level is at one place in all panels
    levels = [min(places[level]) for level in sorted(places)]
    assert levels == sorted(set(levels))
    assert any(line["fid"] is None for line in runs(bench_finished, phase))


def test_the_chosen_rate_has_the_ring_on_the_mean(bench_finished: Path, page: ElementTree.Element) -> None:
    tuned = tables(bench_finished)["tuned"]
    for loss, panel in charts(page, "rates").items():
        [ring] = classes(panel, "dot", "ring")
        assert ring.findtext("title") == f"chosen: ×{tuned[loss]['rate']:g}"
        at = [dot for dot in classes(panel, "dot", "run") if f"rate {tuned[loss]['rate']:g}," in (dot[0].text or "")]
        assert {place(dot, "cx") for dot in at} == {place(ring, "cx")}
        heights = [place(dot, "cy") for dot in at]
        assert place(ring, "cy") == pytest.approx(statistics.fmean(heights), abs=0.02)  # geometric mean, log axis
    assert not [node for panel in charts(page, "batches").values() for node in classes(panel, "ring")]


@pytest.mark.parametrize(("name", "record"), [("steady-rates", "rates"), ("steady-batches", "batch-sizes")])
def test_worst_cases_are_those_of_the_record(
    name: str, record: str, bench_finished: Path, page: ElementTree.Element
) -> None:
    rows = tables(bench_finished)["steadiness"][record]
    shown = table(page, name)
    assert list(shown) == [row["loss"] for row in rows]
    for row in rows:
        worst, factor, ratio, p = shown[row["loss"]]
        assert worst == ["failed"] if row["worst"] is None else [number(row["worst"])]
        assert factor == ["–"] if row["factor"] is None else [f"×{number(row['factor'])}"]
        one = row["comparison"]
        assert ratio[0] == ("–" if one is None or one["ratio"] is None else number(one["ratio"]["mean"]))
        assert (p == ["–"]) == (one is None or one["p_holm"] is None)


# --- on the way


def test_learning_curves_are_medians_and_ranges_of_the_lines(bench_finished: Path, page: ElementTree.Element) -> None:
    steps = (10, 20, 40)
    panels = charts(page, "learning")
    assert sorted(panels) == sorted(LOSSES)
    for loss, panel in panels.items():
        curves = [dict(line["curve"]) for line in runs(bench_finished, "final", loss)]
        dots = classes(panel, "dot")
        assert [dot.findtext("title") for dot in dots] == [
            f"{loss}, step {step}: median "
            f"{number(statistics.median(curve.get(step, math.inf) for curve in curves))} over 5 seeds"
            for step in steps
        ]
        [band] = [node for node in classes(panel, "band") if node.tag == "path"]
        points = re.findall(r"([\d.]+) (-?[\d.]+)", band.get("d", ""))
        assert [float(x) for x, _ in points] == [25.0, 50.0, 100.0, 100.0, 50.0, 25.0]
        for i, (dot, step) in enumerate(zip(dots, steps, strict=True)):
            upper, lower = float(points[i][1]), float(points[5 - i][1])
            assert upper <= place(dot, "cy") <= lower
            assert (upper == -100.0) == any(step not in curve for curve in curves)


def test_last_and_best_checkpoints(bench_finished: Path, page: ElementTree.Element) -> None:
    record = tables(bench_finished)["tables"]
    last, best = ({row["loss"]: row for row in record[n]["rows"]} for n in ("final", "final-best-checkpoint"))
    for loss, (first, second, step, ratio, _) in table(page, "checkpoints").items():
        for cell, row in ((first, last[loss]), (second, best[loss])):
            iqm = row["fid"]["iqm"]
            assert cell == words(iqm["value"], iqm["low"], iqm["high"])
        ended = [line for line in runs(bench_finished, "final", loss) if line["fid"] is not None]
        assert step == [f"{statistics.median(line['best']['step'] for line in ended):g}"]
        one = next((one for one in record["final-best-checkpoint"]["comparisons"] if one["loss"] == loss), None)
        assert ratio[0] == ("–" if one is None else number(one["ratio"]["mean"]))


def test_a_benchmark_of_rates_alone_says_which_they_are(benchmarked: Callable[..., Path], tmp_path: Path) -> None:
    run = benchmarked(tmp_path / "run", batch_sizes=(), common_seeds=0, final_seeds=0)
    page = page_of(run)
    assert text_of(page.find(".//h1")) == "Rates were chosen, no loss was compared at its own"
    told = [text_of(node) for node in page.iter("p")]
    for label, own in tables(run)["tuned"].items():
        tried = ", ".join(f"{rate:g}" for rate in own["rates"])
        start = f"{label} is best at ×{own['rate']:g} of {tried}"
        assert any(one.lower().startswith(start) for one in told), told
    assert page.find(".//*[@id='ranking']") is None


def test_without_scores_on_the_way_it_says_so(benchmarked: Callable[..., Path], tmp_path: Path) -> None:
    run = benchmarked(tmp_path / "run", score_at=(), batch_sizes=(), common_seeds=0, final_seeds=2)
    page = page_of(run)
    assert "No run was scored on the way: last and best checkpoint are one." in text_of(named(page, "curves"))
    assert page.find(".//*[@id='checkpoints']") is None
    assert page.find(".//*[@id='batches']") is None
    assert page.find(".//*[@id='common']") is None


# --- samples


def test_samples_are_of_the_best_and_of_the_worst_run(bench_finished: Path, page: ElementTree.Element) -> None:
    section = named(page, "samples")
    pictures = [base64.b64decode(node.get("src", "").split(",")[1]) for node in section.iter("img")]
    wanted, told = [], []
    for row in tables(bench_finished)["tables"]["final"]["rows"]:
        number_ = LOSSES.index(row["loss"]) + 1
        for which, extreme in (("best", min), ("worst", max)):
            [path] = (bench_finished / "previews").glob(f"{number_:02d}-*-{which}.png")
            wanted.append(path.read_bytes())
            fids = [line["fid"] for line in runs(bench_finished, "final", row["loss"]) if line["fid"] is not None]
            told.append(f"{which}: FID {number(extreme(fids))}")
    assert pictures == wanted
    assert [text_of(node) for node in section.iter("span") if node.get("class") == "sub"] == told
    assert len(set(wanted)) == 8


def test_a_picture_that_is_none_is_left_out(bench: Path) -> None:
    first, second, *_ = sorted((bench / "previews").iterdir())
    first.unlink()
    second.write_text("no picture")
    outside = bench / "outside.png"
    outside.write_bytes(picture(7))
    third = sorted((bench / "previews").iterdir())[2]
    third.unlink()
    third.symlink_to(outside)
    page = page_of(bench)
    assert len(list(page.iter("img"))) == 5
    assert len(classes(named(page, "samples"), "none")) == 3


# --- what was run


def test_says_what_was_run(bench_finished: Path, page: ElementTree.Element) -> None:
    text = text_of(named(page, "what"))
    for fact in ("fake, test: 100 images of 1×8×8", "2.25 at 25 images a side", "3.50 at 50 images a side", RULE):
        assert fact in text
    for phase in ("tuning", "common", "final", "batch"):
        assert all(str(line["seed"]) in text for line in runs(bench_finished, phase))
    for one in tables(bench_finished)["tables"]["final"]["comparisons"]:
        assert f"{one['loss']} ×{number(one['detectable'])} from {one['seeds'] - one['failed']} pairs" in text
    assert "below 10 a bootstrap interval is too narrow" in text
    losses = table(page, "losses")
    for loss, one in tables(bench_finished)["tuned"].items():
        penalties, chosen, tried = losses[loss]
        assert penalties == (["r1", "2"] if loss.startswith("wasserstein") else ["none"])
        assert chosen[0] == f"×{one['rate']:g}"
        assert (chosen[-3:] == ["at", "the", "edge"]) == one["at_edge"]
        assert tried == [f"×{rate:g}" + "," * (rate != one["rates"][-1]) for rate in one["rates"]]
    assert any(one["at_edge"] for one in tables(bench_finished)["tuned"].values())


def test_budget_is_that_of_the_timings(bench: Path) -> None:
    lines = archive_of(bench)
    costs = [
        {"kind": "run", "index": line["index"], "wall_seconds": 2.0, "cpu_seconds": 90.0 if final else 10.0,
         "peak_mib": 300.0 + line["index"], "attempts": 1 + (line["index"] == 3), "elapsed_seconds": 7200.0}
        for line in lines for final in [line["phase"] == "final"]
    ]  # fmt: skip
    (bench / "timings.jsonl").write_text("".join(to_json(cost) + "\n" for cost in costs))
    text = text_of(named(page_of(bench), "what"))
    finals = len(runs(bench, "final"))
    seconds = 90 * finals + 10 * (len(lines) - finals)
    assert f"{len(lines)} (tuning 34, common 8, final 20, batch 8)" in text
    assert f"core time {number(seconds / 60)} min, {number(90 * finals / 60)} min of it final runs" in text
    assert f"{299 + len(lines)} MiB at most" in text
    assert "1 (a worker was lost or stopped)" in text
    assert "time to the last result 2.00 h" in text
    (bench / "timings.jsonl").unlink()
    assert f"core time not recorded; the recipe expects {number((len(lines) + 4) * 30 / 60)} min" in text_of(
        page_of(bench)
    )


def test_a_budget_that_is_expected_is_that_of_the_steps(bench: Path) -> None:
    """The tests' 40 steps of the 600 that MNIST's recipe has."""
    (bench / "timings.jsonl").unlink()
    config = json.loads((bench / "config.json").read_text())
    config["recipe"].update(name="mnist", seconds=12)
    (bench / "config.json").write_text(json.dumps(config))
    expected = duration((len(archive_of(bench)) + 4) * 12 * 40 / 600)  # four runs are of twice the batch
    assert f"core time not recorded; the recipe expects {expected} in all" in text_of(page_of(bench))


def test_damaged_timings_do_not_keep_the_page_from_being_made(bench: Path) -> None:
    before = text_of(page_of(bench))
    with (bench / "timings.jsonl").open("a") as file:
        file.write('{"cpu_seconds":1}\n{"index":0,"cpu_seconds":"a"}\n{"elapsed_seconds":null}\n')
    assert text_of(page_of(bench)) == before


# --- protocol


def test_without_a_protocol_it_is_exploratory(page: ElementTree.Element) -> None:
    assert text_of(named(page, "binding")).startswith("Exploratory.")


def test_a_protocol_that_was_kept(benchmarked: Callable[..., Path], fakes: ModuleType, tmp_path: Path) -> None:
    frozen(tmp_path / "run", fakes.config(final_seeds=5))
    page = page_of(benchmarked(tmp_path / "run"))
    assert re.match(r"Confirmatory\. .* and kept\.$", text_of(named(page, "binding")))
    assert "Departs" not in text_of(page)


def test_departures_stand_at_the_top_and_at_every_table(
    benchmarked: Callable[..., Path], fakes: ModuleType, tmp_path: Path
) -> None:
    frozen(tmp_path / "run", fakes.config(final_seeds=6, rates=(0.3, 1.0)))
    run = benchmarked(tmp_path / "run")
    page = page_of(run)
    told = tables(run)["departures"]
    assert len(told) == 2
    for place_ in ("binding", "own", "common"):
        assert all(one in text_of(named(page, place_)) for one in told)
    assert text_of(named(page, "binding")).startswith("Confirmatory, with departures.")


def frozen(folder: Path, config: Any) -> None:
    """Put a protocol into a folder, as a confirmatory benchmark does before its first run."""
    freeze(folder, config.model_copy(update={"protocol": "0"}))


# --- before its end, and what is wrong


def phase_ends(run: Path) -> dict[str, int]:
    """Return for each phase the number of runs up to its end."""
    return {line["phase"]: count for count, line in enumerate(archive_of(run), start=1)}


@pytest.mark.parametrize(
    ("phase", "further", "title"),
    [
        ("", 0, "No loss has been compared on fresh seeds yet"),
        ("", 1, "No loss has been compared on fresh seeds yet"),
        ("tuning", 0, "No loss has been compared on fresh seeds yet"),
        ("tuning", 1, "No loss has been compared at its own best rate yet"),
        ("common", 1, "reaches FID"),
        ("common", 2, "too few seeds for a p"),
        ("common", 11, "Holm-corrected"),
        ("final", 1, "Holm-corrected"),
    ],
)
def test_a_benchmark_that_is_not_at_its_end(phase: str, further: int, title: str, bench: Path) -> None:
    count = phase_ends(bench).get(phase, 0) + further
    lines = archive_of(bench)[:count]
    (bench / "archive.jsonl").write_text("".join(to_json(line) + "\n" for line in lines))
    page = page_of(bench)
    assert title in text_of(page.find(".//h1")).replace("\u2011", "-")
    [standing] = [text_of(node) for node in classes(page, "standing")]
    assert f"{count} of " in standing
    [refresh] = [node for node in page.iter("meta") if node.get("http-equiv") == "refresh"]
    assert f"every {refresh.get('content')} seconds" in standing
    assert len(classes(page, "final")) == sum(line["phase"] == "final" for line in lines)
    decided = phase != ""
    assert len(classes(page, "dot", "ring")) == (4 if decided else 0)
    assert ("not yet" in text_of(named(page, "losses"))) != decided


def test_a_benchmark_at_its_end_stays_as_it_is(page: ElementTree.Element) -> None:
    assert not [node for node in page.iter("meta") if node.get("http-equiv") == "refresh"]
    assert not classes(page, "standing")


def test_reads_only(bench: Path) -> None:
    """A benchmark may be at work in the folder: a line that is being written stays."""
    with (bench / "archive.jsonl").open("a") as file:
        file.write('{"kind": "ru')
    before = {path: path.read_bytes() for path in bench.rglob("*") if path.is_file()}
    page_of(bench)
    assert {path: path.read_bytes() for path in before} == before


HOSTILE = "<script>alert('1 & 2')</script>"


def test_what_comes_from_outside_is_escaped(bench: Path) -> None:
    text = (bench / "config.json").read_text()
    config = json.loads(text.replace('"squares & co"', json.dumps(HOSTILE)))
    config.update(command=HOSTILE, skipped=["doe_john.png: cannot be read"])
    (bench / "config.json").write_text(json.dumps(config))
    lines = [{**line, "loss": HOSTILE} if line["loss"] == "squares & co" else line for line in archive_of(bench)]
    (bench / "archive.jsonl").write_text("".join(to_json(line) + "\n" for line in lines))
    (bench / "environment.json").write_text(json.dumps({"cpu": HOSTILE}))
    page = page_of(bench)
    assert "<script" not in (bench / "report.html").read_text()
    assert text_of(page).count(HOSTILE) > 10
    assert "doe_john" not in text_of(page)  # pages are sent around: what is left out is counted
    assert "1 (config.json names them)" in text_of(page)


def test_what_is_no_benchmark_is_refused(run: Path, bench: Path) -> None:
    with pytest.raises(InputError, match="holds a search, not a benchmark"):
        write_bench_report(run)
    with pytest.raises(InputError, match="holds a benchmark, not a search"):
        write_search_report(bench)
    lines = archive_of(bench)
    del lines[-1]["curve"], lines[-1]["fid"]
    (bench / "archive.jsonl").write_text("".join(to_json(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=r"archive\.jsonl: line \d+: fid: Field required"):
        write_bench_report(bench)


def test_the_kind_of_the_run_is_recognised(run: Path, bench: Path, tmp_path: Path) -> None:
    for folder, words_ in ((run, "Search for a GAN loss"), (bench, "Benchmark of 4 GAN losses")):
        assert words_ in write_report(folder).read_text()
    shutil.rmtree(run)
    run.mkdir()
    (run / "config.json").write_text('{"loss": "ganetic"}')
    with pytest.raises(InputError, match="must hold a search, a benchmark or a detector, got a training run"):
        write_report(run)
    with pytest.raises(InputError, match=r"no file at .*config\.json"):
        write_report(tmp_path / "nowhere")
