"""Training runs beside each other on one page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics.generation.results import Evaluation, FitConfig, FitResult
from ganetics.records import DataIdentity, ExtractorIdentity, Failure, FailureKind, Outcome, Penalty, to_json
from ganetics.report.compare import told, write_comparison
from ganetics.report.compare_runs import Domain, domains, find_runs
from ganetics.training import RECIPES

from .test_browser import browser, measured  # noqa: F401 - a fixture

EXTRACTOR = ExtractorIdentity(
    name="efficientnet-lite0", version="1", weights_sha256="0", resize="bilinear", dimension=8
)
BASELINES = {"dcgan": "non-saturating", "resnet": "hinge"}
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return what writes the records of a run whose figures are made up."""

    def write(
        name: str, loss: str, seed: int, fid: float, *, data: str = "polyps", rate: float = 1e-3,
        recipe: str = "images-64", penalties: tuple[Penalty, ...] = (), split: str | None = "test", fails: bool = False,
        **figures: Any,
    ) -> Path:  # fmt: skip
        run = tmp_path / "runs" / name
        images = DataIdentity(name=data, split="train", sha256=data, count=1500, channels=3, height=64, width=64)
        chosen = RECIPES[recipe].model_copy(update={"learning_rate": rate, "penalties": penalties, "steps": 100})
        config = FitConfig(dataset=f"/secret/{data}", loss=loss, recipe=chosen, seed=seed, data=images,
                           extractor=EXTRACTOR)  # fmt: skip
        failure = Failure(kind=FailureKind.DIVERGED, message="nan") if fails else None
        outcome = Outcome(step=100, seed=seed, metrics=None if fails else {"fid": 2 * fid, "kid": 0.2}, failure=failure,
                          data="d", extractor="e", recipe="r")  # fmt: skip
        result = FitResult(outcome=outcome, n=500, n_real=300, floor=7.0, floor_n=150, extractor=EXTRACTOR)
        values = {"kid": 0.1, "coverage": 0.5, "copy_rate": 0.01, "copy_rate_control": 0.02, **figures}
        run.mkdir(parents=True)
        write_atomically(run / "config.json", to_json(config).encode())
        write_atomically(run / "metrics.json", to_json(result).encode())
        Image.fromarray(np.full((66, 82), 9, dtype=np.uint8)).save(run / "samples.png")
        if split is not None and not fails:
            found = Evaluation(
                fid=fid, kid_std=0.01, kid_subset=100, precision=0.5, recall=0.5, density=1.0, neighbours=5, n=300,
                n_real=300, floor=5.0, floor_n=150, extractor=EXTRACTOR, resize="bilinear", seed=0, split=split,
                copy_rate_interval=(0.0, 0.05), step=100, **values,
            )  # fmt: skip
            write_atomically(run / "evaluation.json", to_json(found).encode())
        return run

    return write


@pytest.fixture
def study(make: Make, tmp_path: Path) -> Path:
    """Return a folder of two domains, at several depths, with something else in between."""
    for seed, fid in enumerate((40.0, 50.0, 44.0)):
        make(f"polyps/plain-{seed}", "non-saturating", seed, fid, rate=1e-4)
        make(f"polyps/ganetic-{seed}", "ganetic", seed, fid * (1.5 + 0.01 * seed), coverage=0.3 + 0.1 * seed)
    make("polyps/r1", "ganetic", 0, 30.0, penalties=(Penalty(kind="r1", weight=0.5, every=4),))
    make("eyes/deep/hinge-0", "hinge", 0, 90.0, data="eyes", recipe="images-64-resnet")
    make("eyes/deep/ganetic-0", "ganetic", 0, 45.0, data="eyes", recipe="images-64-resnet")
    make("eyes/failed", "ganetic", 1, 1.0, data="eyes", recipe="images-64-resnet", fails=True)
    rates = tmp_path / "runs" / "polyps" / "rates"
    rates.mkdir()
    (rates / "config.json").write_text('{"contenders": []}')
    (tmp_path / "runs" / "other").mkdir()
    (tmp_path / "runs" / "other" / "config.json").write_text("not ours")
    return tmp_path / "runs"


def compared(folder: Path) -> list[Domain]:
    return domains(find_runs([folder]), BASELINES)


def page_of(paths: list[Path], page: Path) -> str:
    write_comparison(paths, page, baselines=BASELINES, command="ganetics report <runs>")
    return page.read_text(encoding="utf-8")


def test_runs_are_found_at_any_depth_and_sorted_by_images(study: Path) -> None:
    eyes, polyps = compared(study)
    assert (eyes.name, polyps.name) == ("eyes, 64×64", "polyps, 64×64")
    assert [setting.label for setting in polyps.settings] == ["ganetic+r1:0.5/4", "non-saturating", "ganetic"]
    assert [len(setting.runs) for setting in polyps.settings] == [1, 3, 3]
    assert sorted(one.name for one in eyes.runs) == ["eyes/deep/ganetic-0", "eyes/deep/hinge-0", "eyes/failed"]


def test_tables_of_the_documentation_are_made_of_runs(
    make: Make, tmp_path: Path, benchmark: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    script, marked = benchmark("generation_tables"), benchmark("marked")
    page = script.PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^<!-- (\w+) -->$", page, re.MULTILINE)) - {"end"} == set(script.TABLES)
    assert marked.filled(page, script.TABLES) == page, "make it anew: python benchmarks/generation_tables.py"
    for seed in range(5):
        make(f"plain-{seed}", "non-saturating", seed, 40.0 + seed)
        make(f"ganetic-{seed}", "ganetic", seed, 80.0 + 2 * seed, rate=3e-3)
    make("failed", "ganetic", 5, 1.0, rate=3e-3, fails=True)
    (tmp_path / "results" / "generation").mkdir(parents=True)
    (tmp_path / "runs").rename(tmp_path / "results" / "generation" / "polyp")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    table = script.TABLES["polyp"]()
    assert "| non-saturating | 0.001 | 5 | – | 42 (" in table
    assert ") | the baseline |  | 0.1 (0.1 to 0.1) | 50.0 % | 50.0 % | 50.0 % | 1.0 % | 2.0 % |" in table
    assert "| ganetic | 0.003 | 5, 1 failed | – | 84 (" in table
    assert ") | 2 (2 to 2) worse | < 0.001 | " in table
    assert "300 generated against 300 real test images" in table
    assert table.endswith(" A ratio of 1.00 would have been found with 80 % probability.")  # the pairs do not scatter
    with pytest.raises(FileNotFoundError):
        script.TABLES["fundus"]()


def test_means_and_ratios_are_over_seeds(study: Path) -> None:
    _, polyps = compared(study)
    table, at_end = polyps.tables
    assert (table.measure.split, table.measure.evaluated, at_end.measure.evaluated) == ("test", True, False)
    r1, plain, ganetic = table.rows
    assert plain.fid is not None
    assert plain.fid.mean == pytest.approx((40 * 50 * 44) ** (1 / 3))
    logs = np.log([40, 50, 44])
    low, high = stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs))
    assert (plain.fid.low, plain.fid.high) == pytest.approx((np.exp(low), np.exp(high)))
    assert (plain.is_baseline, plain.ratio, plain.verdict) == (True, None, "")
    assert ganetic.ratio is not None
    assert ganetic.ratio.mean == pytest.approx((1.5 * 1.51 * 1.52) ** (1 / 3))
    assert ganetic.ratio.n == 3
    assert (ganetic.verdict, r1.verdict) == ("worse", "")  # one pair gives no interval
    expected = stats.ttest_rel(np.log([60, 75.5, 66.88]), logs).pvalue
    assert ganetic.p_holm == pytest.approx(expected)  # the only pairs on the page
    assert r1.p_holm is None
    assert r1.ratio is not None
    assert (r1.ratio.mean, r1.ratio.low) == (pytest.approx(0.75), None)
    coverage = ganetic.shares["coverage"]
    assert coverage is not None
    assert coverage.mean == pytest.approx(0.4)
    low, high = stats.t.interval(0.95, 2, 0.4, stats.sem([0.3, 0.4, 0.5]))
    assert (coverage.low, coverage.high) == pytest.approx((low, high))
    assert [row.fid and row.fid.mean for row in at_end.rows][1] == pytest.approx(2 * plain.fid.mean)
    assert told(polyps) == (
        "polyps, 64×64: lowest FID 30.0, ganetic+r1:0.5/4, over 1 seed; worse than the baseline: ganetic."
    )


def test_verdicts_are_corrected_over_the_page_and_a_lost_run_is_no_gain(make: Make, tmp_path: Path) -> None:
    for seed in range(3):
        for data in ("polyps", "eyes"):
            make(f"{data}/plain-{seed}", "non-saturating", seed, 40.0, data=data)
            make(f"{data}/ganetic-{seed}", "ganetic", seed, 30.0 + 1.8 * seed, data=data)
    eyes, polyps = (domain.tables[0].rows[0] for domain in compared(tmp_path / "runs"))
    assert (eyes.p, eyes.verdict, polyps.verdict) == (polyps.p, "better", "better")
    assert eyes.p is not None
    assert eyes.p_holm == pytest.approx(2 * eyes.p)
    assert 0.05 / 3 < eyes.p < 0.05 / 2
    # a third comparison, and the same intervals no longer show a difference
    for seed in range(3):
        make(f"eyes/hinge-{seed}", "hinge", seed, 30.0 + 1.8 * seed, data="eyes")
    assert {row.verdict for domain in compared(tmp_path / "runs") for row in domain.tables[0].rows} == {""}
    shutil.rmtree(tmp_path / "runs" / "eyes")
    make("polyps/failed", "ganetic", 3, 1.0, data="polyps", fails=True)
    (alone,) = compared(tmp_path / "runs")
    assert (alone.tables[0].rows[0].p_holm, alone.tables[0].rows[0].verdict) == (polyps.p, "")


def test_the_baseline_has_the_same_penalties_if_there_is_one(make: Make, tmp_path: Path) -> None:
    r1 = (Penalty(kind="r1", weight=0.5, every=4),)
    make("plain", "non-saturating", 0, 40.0)
    make("ganetic", "ganetic", 0, 20.0, penalties=r1)
    (alone,) = compared(tmp_path / "runs")
    assert [row.ratio and row.ratio.mean for row in alone.tables[0].rows] == [pytest.approx(0.5), None]
    make("plain-r1", "non-saturating", 0, 30.0, penalties=r1)
    make("hinge", "hinge", 0, 10.0)
    (found,) = compared(tmp_path / "runs")
    ratios = {row.setting.label: row.ratio and row.ratio.mean for row in found.tables[0].rows}
    assert ratios == {
        "hinge": pytest.approx(0.25),
        "ganetic+r1:0.5/4": pytest.approx(2 / 3),
        "non-saturating+r1:0.5/4": None,
        "non-saturating": None,
    }


def test_families_are_of_one_kind_of_figures(make: Make, tmp_path: Path) -> None:
    for seed in range(3):
        for data, split in (("polyps", "test"), ("eyes", "validation")):
            make(f"{data}/plain-{seed}", "non-saturating", seed, 40.0, data=data, split=split)
            make(f"{data}/ganetic-{seed}", "ganetic", seed, 30.0 + seed, data=data, split=split)
    for row in (domain.tables[0].rows[0] for domain in compared(tmp_path / "runs")):
        assert row.p_holm == row.p
        assert row.p is not None


def test_each_model_has_its_own_baseline(study: Path) -> None:
    eyes, _ = compared(study)
    ganetic, hinge = eyes.tables[0].rows
    assert (hinge.is_baseline, ganetic.is_baseline) == (True, False)
    assert ganetic.ratio is not None
    assert ganetic.ratio.mean == pytest.approx(0.5)
    assert ganetic.setting.failed == 1
    assert len(ganetic.values) == 1
    other = domains(find_runs([study]), {"resnet": "least-squares"})[0]
    assert [row.ratio for row in other.tables[0].rows] == [None, None]


def test_figures_of_other_measures_are_not_mixed(make: Make, tmp_path: Path) -> None:
    make("a0", "non-saturating", 0, 10.0)
    make("b0", "ganetic", 0, 20.0, split="validation")
    make("b1", "ganetic", 1, 20.0)
    (found,) = compared(tmp_path / "runs")
    assert [(t.measure.split, t.measure.evaluated, len(t.rows)) for t in found.tables] == [
        ("test", True, 2),
        ("validation", True, 1),
        ("validation", False, 2),
    ]
    assert [row.ratio for row in found.tables[0].rows] == [None, None]  # no seed in common


def test_settings_are_called_by_what_tells_them_apart(make: Make, tmp_path: Path) -> None:
    make("a", "ganetic", 0, 10.0)
    make("b", "ganetic", 0, 10.0, rate=3e-3)
    make("c", "ganetic", 0, 10.0, recipe="images-64-resnet")
    long = "p**3 + sqrt(3.985*y/p) + 0.000001*p*p*p*p*p*p*p*p"
    make("d", long, 0, 10.0)
    (found,) = compared(tmp_path / "runs")
    assert {setting.label for setting in found.settings} == {
        "ganetic · images-64 · rate 0.001",
        "ganetic · images-64 · rate 0.003",
        "ganetic · images-64-resnet",
        f"{long[:39]}… · images-64",
    }
    assert {setting.config.penalised_loss for setting in found.settings} == {"ganetic", long}


def test_the_page_stands_alone_and_names_no_place(study: Path, tmp_path: Path) -> None:
    page = page_of([study], tmp_path / "new" / "page.html")
    assert page == page_of([study], tmp_path / "again.html")
    ElementTree.fromstring(page.replace("<!DOCTYPE html>", ""))
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)
    assert "/secret" not in page
    assert str(tmp_path) not in page
    text = " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.S)).split())
    for seen in (
        "10 training runs on 2 sets of images",
        "For research, not a medical device",
        "300 generated against 300 real test images; efficientnet-lite0 1, 8 features, resize: bilinear; real against",
        "dcgan: non-saturating, resnet: hinge",
        "ganetics report &lt;runs&gt;",
        "1 failed",
        "eyes/failed · seed 1 · diverged: nan",
        "×1.51",
        "1.0 % 2.0 %",
    ):
        assert seen in text, seen
    assert len(re.findall(r"FID [\d.]+, KID [\d.]+</title>", page)) == 2 * (7 + 2)  # a dot a run, in both tables
    assert page.count("<img") == 10


def test_runs_may_be_given_one_by_one_and_once_is_enough(study: Path, tmp_path: Path) -> None:
    runs = [study / "polyps" / name for name in ("plain-0", "ganetic-0", "plain-0")]
    assert "2 training runs on polyps, 64×64" in page_of(runs, tmp_path / "page.html")


def test_runs_that_have_not_ended_are_named(make: Make, tmp_path: Path) -> None:
    run = make("<x>", "ganetic", 0, 10.0)
    for name in ("metrics.json", "evaluation.json", "samples.png"):
        (run / name).unlink()
    page = page_of([tmp_path / "runs"], tmp_path / "page.html")
    assert "Not at their end:</b> &lt;x&gt;." in page
    assert "no run has ended" in page
    assert "no picture" in page


def test_what_cannot_be_compared_is_told_in_one_line(study: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    with pytest.raises(InputError, match=r"none: must be a folder of a training run, or of several, got no folder$"):
        page_of([tmp_path / "none"], page)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: must hold training runs, got none$"):
        page_of([tmp_path / "empty"], page)
    shutil.copytree(study / "polyps" / "plain-0", study / "polyps" / "twice")
    with pytest.raises(
        InputError, match=r"^polyps/twice: runs of one setting must have different seeds, got 0 as in po"
    ):
        page_of([study], page)
    shutil.rmtree(study / "polyps" / "twice")
    (study / "polyps" / "plain-0" / "metrics.json").write_text("{")
    with pytest.raises(InputError, match=r"plain-0/metrics\.json: the file: Invalid JSON"):
        page_of([study], page)
    assert not page.exists()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1200, "dark")])
def test_it_fits_a_phone_and_a_desk(browser: str, study: Path, tmp_path: Path, width: int, scheme: str) -> None:  # noqa: F811
    found = measured(browser, page_of([study], tmp_path / "page.html"), tmp_path, width=width, scheme=scheme)
    assert found["needed"] <= found["width"]
    assert found["wide"] == []
    assert found["places"] > 5
    assert min(found["pictures"]) > 0
