"""The page of a detector."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ganetics._check import InputError
from ganetics.anomaly.results import TEST_IMAGES, Baseline, Evaluation, FitResult, Histogram, Picture, Points, Shortcut
from ganetics.anomaly.settings import DetectConfig, FAnoGANSettings, Parts, Preprocessing
from ganetics.execution.looks import note_look
from ganetics.metrics.detection import Difference, Figure
from ganetics.records import DataIdentity, Failure, FailureKind, to_json
from ganetics.report.detect import title, write_detect_report
from ganetics.report.scores import Scored, write_scores_report
from ganetics.report.write import write_report

from .test_browser import browser, measured  # noqa: F401 - a fixture

CONFIG = DetectConfig(
    detector=FAnoGANSettings(loss="ganetic", score={"residual": 1.0, "ratio": 0.5}),
    dataset="<eyes>",
    normal="normal",
    groups=r"patient\d+",
    data=DataIdentity(name="normal", split="all", sha256="0" * 64, count=1234, channels=3, height=64, width=64),
    preprocessing=Preprocessing(mask_border=True),
    parts=Parts(fit=("a", "b"), held_out=("c",), test=("d", "e")),
)
FIT = FitResult(fit=600, held_out=200, threshold=1.64, threshold_from="200 held-out normals at specificity 0.95")
STEPS = tuple(np.linspace(0, 1, 101).tolist())
CURVE = Points(xs=(0.0, 0.2, 1.0), ys=(0.0, 0.7, 1.0), lows=STEPS, highs=tuple(min(1.0, x + 0.3) for x in STEPS))


def baseline(name: str, p: float | None, value: float = 0.1) -> Baseline:
    return Baseline(
        name=name, auroc=Figure(0.6, 0.5, 0.7), difference=Difference(value, value - 0.05, value + 0.05, p), p_holm=p
    )


def evaluation(**changes: object) -> Evaluation:
    figure = Figure(0.812, 0.75, 0.87)
    found = Evaluation(
        dataset="<eyes>", detector="fanogan", normal=1200, abnormal=300, groups=12, abnormal_groups=5, left_out=7,
        duplicates=2, prevalence=0.2, auroc=figure, average_precision=Figure(0.5, 0.4, 0.6),
        sensitivity=Figure(0.4, 0.3, 0.5), specificity=Figure(0.93, 0.9, 0.96), threshold=1.64,
        threshold_from=FIT.threshold_from, components={"residual": figure, "ratio": Figure(0.7, 0.6, 0.8)},
        baselines=(baseline("pixels", 0.01), baseline("file size", 0.01)),
        shortcuts=(
            Shortcut(name="brightness", variant="as it is", auroc=Figure(0.69), separates=0.71),
            Shortcut(name="brightness", variant="both", auroc=Figure(0.52)),
        ),
        roc=CURVE, precision_recall=CURVE,
        histogram=Histogram(edges=(0.0, 1.0, 2.0), held_out=(3, 1), normal=(2, 2), abnormal=(0, 4)),
        localises=True, pixel_auroc=Figure(0.88, 0.8, 0.9), region_overlap=Figure(0.4, 0.3, 0.5), masks=300,
        map_low=0.03, map_high=0.25, resamples=2000, looks=1,
        first_look="2026-01-01T00:00:00+00:00", command="ganetics detect <x>",
        pictures=(
            Picture(kind="best", file="previews/00-best.png", path="bad/<a>.png", group="d", label=1, score=4.5),
            Picture(kind="false alarm", file="previews/gone.png", path="normal/b.png", group="e", label=0, score=2.0),
            Picture(kind="worst", file="../outside.png", path="bad/c.png", group="e", label=1, score=0.1),
        ),
    )  # fmt: skip
    return found.model_copy(update=changes)


def png(width: int = 388) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, 192), "teal").save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / "previews").mkdir(parents=True)
    (folder / "config.json").write_text(to_json(CONFIG))
    (folder / "fit.json").write_text(to_json(FIT))
    (folder / "evaluation.json").write_text(to_json(evaluation()))
    (folder / "previews" / "00-best.png").write_bytes(png())
    (tmp_path / "outside.png").write_bytes(png())
    return folder


def page_of(run: Path) -> str:
    text = write_report(run).read_text()
    ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>").strip())
    return text


def test_the_page_says_all_that_was_found(run: Path) -> None:
    page = page_of(run)
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for told in (
        "for research, not a medical device", "f-AnoGAN on &lt;eyes&gt;: AUROC 0.812 (0.750 to 0.870)",
        "better than everything beside it", "Looked at once by this run.",
        "300 abnormal images and 1,200 normal images",
        "12 groups", "too narrow rather than too wide", "7 images of groups that were seen before left out",
        "2 normal test images equal one", "0.400 sensitivity", "0.930 (0.900 to 0.960)", "0.880 pixel AUROC",
        "16×16 pixels 0.600 0.500 to 0.700 +0.100 +0.050 to +0.150 0.010", "brightness 0.690 – – 0.520 0.710",
        "ratio 0.700 (0.600 to 0.800)", "0.5 · ratio + 1 · residual", "strongest at 0.25 and above", "no picture",
        "bad/&lt;a&gt;.png · abnormal · 4.50", "64×64, colour, border masked", "loss ganetic", "gradient:10",
        "not for diagnosis", "ganetics detect &lt;x&gt;",
    ):  # fmt: skip
        assert told in words, told
    assert page.count("data:image/png;base64,") == 1  # what lies outside of the folder is not shown
    assert not re.search(r"<script|https?://", page.replace("https://www.w3.org", ""))


def test_more_than_one_look_is_told(run: Path) -> None:
    (run / "evaluation.json").write_text(to_json(evaluation(looks=3)))
    page = page_of(run)
    assert "Looked at 3 times by this run." in page
    assert "was chosen by the test set" in page
    assert 'class="binding departed"' in page


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            evaluation(baselines=(baseline("pixels", 0.01), baseline("neighbours", 0.2), baseline("colour", None))),
            "not shown to be better than neighbours in frozen features and mean colour",
        ),
        (evaluation(baselines=(baseline("pixels", 0.01, -0.1),)), "worse than 16×16 pixels"),
        (
            evaluation(baselines=(baseline("pixels", 0.01, -0.1), baseline("colour", 0.5, 0.1))),
            "worse than 16×16 pixels, not shown to be better than mean colour",
        ),
        (evaluation(auroc=Figure(None, reason="all 9 are normal")), "no AUROC, since all 9 are normal"),
        (None, "fitted, not tested yet"),
    ],
)
def test_the_title_claims_no_more_than_was_shown(found: Evaluation | None, told: str) -> None:
    assert title(CONFIG, FIT, found).endswith(told)


def test_what_is_not_tested_yet_shows_held_out_scores_and_what_is_next(run: Path) -> None:
    (run / "evaluation.json").unlink()
    assert "Scores of held-out normals" not in page_of(run)  # a fit of before they were kept
    fit = FIT.model_copy(update={"held_out_scores": (-1.0, 0.0, 0.2, 2.5), "localises": True})
    (run / "fit.json").write_text(to_json(fit))
    words = " ".join(re.sub(r"<[^>]+>", " ", page_of(run)).split())
    assert "4 held-out normal images" in words
    assert "The threshold, 1.64, is from 200 held-out normals at specificity 0.95." in words
    told = f"ganetics detect score {run.name} FOLDER --out scores.csv --maps maps scores images and shows where."
    assert told in words
    (run / "fit.json").write_text(to_json(fit.model_copy(update={"localises": False})))
    assert "--maps" not in page_of(run)


SCORED = Scored(
    Path("<out>.csv"), images=250, above=12, unreadable=1, threshold=1.64, threshold_from="200 held-out normals",
    map_low=0.03, map_high=0.25,
)  # fmt: skip


def scores_page(run: Path) -> str:
    (run / "deep").mkdir(exist_ok=True)
    (run / "deep" / "a.png.png").write_bytes(png())
    highest = [(4.5, "deep/<a>.png", "deep/a.png.png"), (1.0, "b.png", "b.png.png"), (0.5, "c", "../outside.png")]
    text = write_scores_report(run, CONFIG, SCORED, highest).read_text()
    ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>").strip())
    return text


def test_the_page_of_scores_shows_the_most_abnormal_first(run: Path) -> None:
    page = scores_page(run)
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for told in (
        "250 images scored by f-AnoGAN on &lt;eyes&gt;, 12 above the threshold", "The 3 highest scores",
        "deep/&lt;a&gt;.png · above the threshold · 4.50", "b.png · below · 1.00", "strongest at 0.25 and above",
        "1 file could not be read", "not a medical device", "All scores: &lt;out&gt;.csv",
    ):  # fmt: skip
        assert told in words, told
    assert page.count("data:image/png;base64,") == 1  # of one there is no picture, one lies outside
    assert not re.search(r"<script|https?://", page.replace("https://www.w3.org", ""))


def test_a_page_of_one_class_and_of_unfinished_runs(run: Path) -> None:
    nothing = Figure(None, reason="all 9 test images are normal, and two classes are needed")
    bare = evaluation(
        auroc=nothing, average_precision=nothing, sensitivity=Figure(None, reason="no test image is abnormal"),
        roc=None, precision_recall=None, pictures=(), pixel_auroc=None, region_overlap=None,
        baselines=(Baseline(name="pixels", auroc=nothing, difference=Difference(None), p_holm=None),),
    )  # fmt: skip
    (run / "evaluation.json").write_text(to_json(bare))
    page = page_of(run)
    assert "two classes are needed" in page
    assert 'id="curves"' not in page
    (run / "evaluation.json").unlink()
    assert "fitted, not tested yet" in page_of(run)
    note_look(run / "looks.json", TEST_IMAGES)
    assert "fitted, tested once, in another folder" in page_of(run)
    failed = FitResult(fit=1, held_out=1, failure=Failure(kind=FailureKind.DIVERGED, message="x", step=3))
    (run / "fit.json").write_text(to_json(failed))
    assert "training diverged" in page_of(run)
    (run / "fit.json").unlink()
    assert "not fitted yet" in page_of(run)
    (run / "evaluation.json").write_text("{}")
    with pytest.raises(InputError, match=r"evaluation\.json: dataset: Field required"):
        write_detect_report(run)


def test_it_imports_no_torch() -> None:
    program = "import sys, ganetics.report.detect, ganetics.report.scores; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.browser
@pytest.mark.parametrize("page", [page_of, scores_page], ids=["detector", "scores"])
@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1200, "dark")])
def test_page_in_a_browser(
    browser: str,  # noqa: F811
    run: Path,
    tmp_path: Path,
    width: int,
    scheme: str,
    page: Callable[[Path], str],
) -> None:
    seen = measured(browser, page(run), tmp_path, width=width, scheme=scheme)
    assert seen["needed"] <= seen["width"] <= width
    assert seen["wide"] == []
    assert seen["pictures"] == [388]
    assert all(name.startswith("data:") for name in seen["loaded"])
