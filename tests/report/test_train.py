"""The page of a training run."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ganetics._check import InputError
from ganetics.data.audit import Audit
from ganetics.data.facts import Finding
from ganetics.features import load_extractor
from ganetics.generation.card import CardFacts, card_facts
from ganetics.generation.evaluate_run import evaluate_run
from ganetics.generation.fit import configuration, fit
from ganetics.generation.results import Evaluation, go_on, stored_configuration
from ganetics.records import from_json, to_json
from ganetics.report.evaluated import copies_told, copying, in_words, utility_told
from ganetics.report.grids import top_rows
from ganetics.report.train import evaluate_command, title, unmarked, write_train_report
from ganetics.report.train_run import data_url, read_train
from ganetics.training import RECIPES
from ganetics.trial import load_trial_data

from .test_browser import browser, measured  # noqa: F401 - a fixture

RECIPE = RECIPES["digits"].model_copy(
    update={"steps": 150, "width": 2, "eval_samples": 20, "batch_size": 8, "classes": 10, "augment": "adaptive"}
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run with everything: classes, adaptive augmentation, early stopping, an evaluation with utility."""
    run = tmp_path_factory.mktemp("page") / "run"
    data = load_trial_data("digits", None, RECIPE)
    fit(run, configuration("digits", "ganetic", RECIPE, data, seed=4, patience=2, evaluate_every=50), data)
    extractor = load_extractor("digits-classifier")
    evaluate_run(run, extractor, split="test", utility=True, count=40, seed=2)
    evaluate_run(run, extractor, count=40)
    evaluate_run(run, extractor, split="test", count=40, seed=2)  # what was said of utility stays
    return run


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def page_of(run: Path, facts: CardFacts | None = None) -> str:
    return write_train_report(facts or card_facts(run), run).read_text(encoding="utf-8")


def plain(page: str) -> str:
    """Return what is to be read on a page."""
    body = re.sub(r"<style>.*?</style>|<svg.*?</svg>", " ", page, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def changed(run: Path, **values: Any) -> Evaluation:
    path = run / "evaluation.json"
    found = from_json(Evaluation, path.read_text(), where="test").model_copy(update=values)
    path.write_text(to_json(found))
    return found


def test_the_page_stands_alone_and_is_written_again_the_same(run: Path) -> None:
    page = page_of(run)
    assert page == page_of(run)
    ElementTree.fromstring(page.replace("<!DOCTYPE html>", ""))
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)
    assert str(run) not in page
    assert str(run.parent) not in page


def test_it_says_what_was_trained_and_what_it_came_to(run: Path) -> None:
    text, found = plain(page_of(run)), changed(run)
    for told in (
        "For research, not a medical device",
        "digits · recipe digits · seed 4",
        "GANetic on digits: FID",
        "40 generated against 300 real test images (copies looked for among 1,000); digits-classifier 1, "
        "64 features, resize: none",
        "trained on 1,197 of 8×8 pixels",
        "None: a public data set",
        "of the generator; 1,200 images shown",
        "Device cpu Wall time",
        "ganetics train RUN --dataset digits --loss ganetic",
        "ganetics evaluate --run RUN --split test --count 40 --seed 2 --utility",
        "ganetics evaluate --run RUN --split validation --count 40",
        "ganetics report RUN",
        "The whole card ganetics loss card ganetic",
        "Akhmedova, Körber 2024",
        "Both against real images alone: balanced accuracy",
        "The state after step",
        f"Control: {found.copy_rate_control:.3f} (0.0",
        "of the 300 real images that were held out",
        "over 1,000 generated images.",
        "In words: ",
    ):
        assert told in text, told
    assert "p**3 + sqrt(3.985*y/p)" in text
    assert "–" in text


def test_curves_samples_and_the_sheet_are_there(run: Path) -> None:
    page = page_of(run)
    assert page.count('role="img"') == 4  # outputs, losses, augmentation, KID
    assert page.count("<math") == 3
    assert page.count('src="data:image/png;base64,') == 1 + 1  # the best, the sheet
    assert page.count('src="data:image/webp;base64,') == 3 + 1  # on the way, real ones
    assert "The closest pairs" in page
    (run / "closest.png").unlink()
    assert "It holds pictures of the data" in page_of(run)
    (run / "real.png").unlink()
    page = page_of(run)
    assert "The sheet of the closest pairs (<code>closest.png</code>) is not here" in page
    assert "It holds pictures of the data" not in page


def test_without_an_evaluation_it_says_so(run: Path) -> None:
    for name in ("evaluation.json", "closest.png"):
        (run / name).unlink()
    shutil.rmtree(run / "evaluated")
    text = plain(page_of(run))
    assert "not evaluated yet" in text
    assert "take it that it may copy training images" in text
    assert "ganetics evaluate --run RUN --split test" in text
    assert "Copy rate" not in text
    assert "Utility" not in text


def test_an_evaluation_of_an_earlier_step_is_not_shown(run: Path) -> None:
    shutil.rmtree(run / "evaluated")
    changed(run, step=1, fid=123456.0)
    page = page_of(run)
    assert "123,456" not in page
    assert "not evaluated yet" in page


def test_test_images_that_were_looked_at_twice_are_told(run: Path) -> None:
    changed(run, split="test", looks=2, first_look="2026-01-02T03:04:05+00:00")
    text = plain(page_of(run))
    assert "Test images were looked at 2 times, first at 2026-01-02T03:04:05+00:00." in text
    assert "chosen by the test images" in text


def test_what_the_check_for_copies_cannot_show_is_told(run: Path) -> None:
    found = changed(run)
    told = copies_told(found)
    assert told is not None
    assert any("copies moved by a pixel would be missed" in one for one in told)  # of digits of 8 pixels
    seen = found.model_copy(update={"copy_rate_replayed": {"as they are": 1.0}, "copy_rate_control": 0.02})
    assert len(copies_told(seen) or []) == 4
    alike = seen.model_copy(update={"copy_rate_control": 0.3, "held_out_duplicates": 4})
    assert (copies_told(alike) or [])[-2:] == [
        "Real images are so alike here that a rate near the control says nothing.",
        "4 held-out images are training images, too: the split has leaked.",
    ]
    assert "of the 296 real images" in (copies_told(alike) or [])[2]
    assert copies_told(found.model_copy(update={"copy_rate": None})) is None
    assert utility_told(found.model_copy(update={"utility": None})) is None


def test_the_yardstick_is_as_many_training_images(run: Path) -> None:
    plain = changed(run).model_copy(update={"train_fid": None, "n": 300})
    assert "times as far" not in in_words(plain)
    found = plain.model_copy(update={"fid": 90.0, "train_fid": 30.0, "copy_rate_interval": (0.0, 0.02)})
    words = (
        "Generated images are 3.00 times as far from the held-out ones (FID 90.0) as equally many training images are"
    )
    assert f"to this network. {words} (30.0): 1 is as good as real images. In words: " in in_words(found)
    # what is copied from training images is as near as these are
    replayed = found.model_copy(update={"copy_rate_interval": (0.4, 0.5), "copy_rate_control_interval": (0.0, 0.1)})
    copied = f"{words} (30.0): 1 is as good as real images, but copies of training images are among them"
    assert copied in in_words(replayed)
    assert copying(replayed).startswith("Copies of training images are among them")
    # where both are mostly bias, and where there is nothing to compare with
    assert "times as far" not in in_words(found.model_copy(update={"n_real": 199}))
    fewer = found.model_copy(update={"train_fid": None, "n": 300, "n_train": 200})
    assert "Not compared with as many training images, of which there are 200 only. In words" in in_words(fewer)
    alike = replayed.model_copy(update={"copy_rate_control_interval": (0.3, 0.45)})
    assert "but copies" not in in_words(alike)


def test_quality_is_told_in_words(run: Path) -> None:
    alone = changed(run).model_copy(update={"train_fid": None})
    good = alone.model_copy(update={"precision": 0.9, "coverage": 0.95, "n": 300, "n_real": 300})
    assert in_words(good) == (
        "Generated images are near real ones, to this network. In words: most generated images look like real ones to "
        "this network (precision), and most real images have a generated one near (coverage)."
    )
    poor = good.model_copy(update={"precision": 0.05, "coverage": 0.39})
    assert in_words(poor).startswith("Generated images are far from real ones, to this network. In words: hardly any ")
    half = in_words(good.model_copy(update={"precision": 0.53}))
    assert half.startswith("Generated images are some way from real ones, to this network. In words: about half of the")
    assert "and few real images have" in in_words(poor)
    assert "Whole kinds of images are missing" in in_words(poor)
    # a hundred images cannot be near to three hundred
    assert "Whole kinds" not in in_words(poor.model_copy(update={"n": 100}))
    assert "whether kinds of images are missing so few cannot say" in in_words(good.model_copy(update={"n": 100}))
    few = in_words(good.model_copy(update={"n": 45, "n_real": 45}))
    assert "With 45 real images to compare with all figures scatter" in few


def test_the_verdict_on_copies(run: Path) -> None:
    shares = {"copy_rate_control": 0.02, "copy_rate_interval": (0.0, 0.01), "copy_rate_control_interval": (0.0, 0.05)}
    seen = {"copy_rate_replayed": {"as they are": 1.0}, "precision": 0.9, "copy_rate": 0.004}
    found = changed(run).model_copy(update={**seen, **shares})
    no_sign = "No sign that training images are copied: they count as copies no more often than held-out images do."
    assert copying(found) == no_sign
    more = copying(found.model_copy(update={"copy_rate": 0.03}))  # not beyond the control's interval
    assert more.startswith("0.030 of the generated and 0.020 of the held-out images count as copies: with 1,000 and ")
    blurred = copying(found.model_copy(update={"precision": 0.3}))
    assert blurred.endswith("of a generator that is trained longer this says nothing.")
    unknown = "Whether training images are copied cannot be told here."
    assert copying(found.model_copy(update={"copy_rate_control": 0.2})) == unknown
    assert copying(found.model_copy(update={"copy_rate_replayed": {"mirrored": 0.5}})) == unknown


def test_a_kernel_distance_that_still_falls_is_told_before_the_test(run: Path) -> None:
    config, result = stored_configuration(run), read_train(run).result
    assert result is not None
    ended = result.model_copy(update={"stopped": result.outcome.step})
    told = go_on(config, ended, "RUN")
    assert told is not None
    assert told.endswith("before the test images are looked at go on with ganetics train RUN --resume --steps 300")
    assert go_on(config, result.model_copy(update={"stopped": result.outcome.step + 50}), "RUN") is None
    assert go_on(config, result.model_copy(update={"stopped": None}), "RUN") is None


def test_a_run_on_its_way_and_one_that_failed(run: Path) -> None:
    (run / "evaluation.json").unlink()
    shutil.rmtree(run / "evaluated")
    failed = json.loads((run / "metrics.json").read_text())
    failed["outcome"] |= {"metrics": None, "failure": {"kind": "diverged", "message": "<b> is nan", "step": 150}}
    (run / "metrics.json").write_text(json.dumps(failed))
    page = page_of(run)
    assert "training failed, diverged: &lt;b&gt; is nan" in page
    (run / "metrics.json").unlink()
    text = plain(page_of(run))
    assert "Not at its end. Step 150 of 150." in text
    assert "training has not ended" in text
    for name in ("history.jsonl", "evaluations.jsonl", "timings.jsonl", "environment.json"):
        (run / name).unlink()
    shutil.rmtree(run / "samples")
    text = plain(page_of(run))
    assert "Samples None yet." in text
    assert "Device not recorded" in text
    assert "Learning curves" not in text


def test_time_is_told_only_where_all_of_it_is_known(run: Path) -> None:
    found = read_train(run)
    assert found.seconds is not None
    assert found.seconds > 0
    lines = [{"from_step": 0, "step": 100, "wall_seconds": 5.0, "device": "cpu", "devices": 2},
             {"from_step": 50, "step": 150, "wall_seconds": 2.0, "device": "H100", "devices": 1}]  # fmt: skip
    assert replace(found, timings=tuple(lines)).seconds == 7.0
    assert replace(found, timings=tuple(lines)).devices == ["2 × cpu", "H100"]
    assert replace(found, timings=(lines[1],)).seconds is None
    assert replace(found, timings=()).seconds is None


def test_what_others_have_named_is_escaped_and_files_are_not_named(run: Path) -> None:
    facts = card_facts(run)
    audit = Audit(
        dataset="<eyes>", images=60, unreadable=1, counts={"all": {"train": 60}}, groups=None, sizes={}, depths={},
        findings=(Finding(severity="error", rule="unreadable", message="first smith_anna.png", value=7),),
    )  # fmt: skip
    config = facts.config.model_copy(update={"groups": r"(?P<patient>\d+)", "accept_audit": True})
    page = page_of(run, replace(facts, audit=audit, config=config, command="ganetics train <x>"))
    ElementTree.fromstring(page.replace("<!DOCTYPE html>", ""))
    text = plain(page)
    assert "smith_anna" not in text
    assert "error unreadable: 7" in text
    assert "(?P&lt;patient&gt;\\d+)" in text
    assert "ganetics train &lt;x&gt;" in text
    assert "The errors were known and training went on all the same" in text
    assert unmarked([("a", "b")]) == [("a", "b")]


def test_a_loss_that_depends_on_the_batch_has_no_formula(run: Path) -> None:
    facts = card_facts(run)
    loss = replace(facts.loss, formula=None, title="relativistic", theory=())
    text = plain(page_of(run, replace(facts, loss=loss)))
    assert "The loss: relativistic It is no sum over single logits: ganetic ." in text
    assert title(read_train(run), replace(facts, loss=loss)).startswith("relativistic on digits: FID ")


def test_the_command_of_an_evaluation_names_what_is_not_usual(run: Path) -> None:
    found, record = changed(run), read_train(run)
    usual = found.model_copy(update={"n": 300, "seed": 0, "utility": None})
    assert evaluate_command(record, usual) == "ganetics evaluate --run RUN --split test"
    other = usual.model_copy(update={"extractor": found.extractor.model_copy(update={"name": "inception"})})
    assert evaluate_command(record, other).endswith("--extractor inception")


def test_only_pictures_are_put_into_the_page(run: Path, tmp_path: Path) -> None:
    assert data_url(None) is None
    (tmp_path / "x.png").write_bytes(b"secret")
    assert data_url(tmp_path / "x.png") is None
    (run / "closest.png").unlink()
    (run / "closest.png").symlink_to(run / "samples" / "best.png")
    assert data_url(run / "closest.png") is None
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    with pytest.raises(InputError, match=r"x\.png: must be a picture, it is damaged"):
        data_url(tmp_path / "x.png", rows=1)


@pytest.mark.parametrize(("size", "height"), [((82, 42), 22), ((82, 20), 20), ((81, 42), 42), ((530, 530), 134)])
def test_the_first_rows_of_a_grid(size: tuple[int, int], height: int) -> None:
    file = io.BytesIO()
    Image.fromarray(np.arange(size[0] * size[1], dtype=np.uint8).reshape(size[::-1])).save(file, "PNG")
    with Image.open(io.BytesIO(top_rows(file.getvalue(), 2))) as found, Image.open(file) as whole:
        assert found.size == (size[0], height)
        assert np.array_equal(np.asarray(found), np.asarray(whole)[:height])


def test_rows_of_a_grid_are_put_into_a_page_smaller_and_look_alike(tmp_path: Path) -> None:
    content = np.linspace(0, 255, 530 * 530 * 3).astype(np.uint8).reshape(530, 530, 3)
    Image.fromarray(content).save(tmp_path / "grid.png")
    url = data_url(tmp_path / "grid.png", rows=2)
    assert url is not None
    with Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/webp;base64,")))) as found:
        assert found.size == (530, 134)
        assert np.abs(np.asarray(found).astype(int) - content[:134]).mean() < 3


def test_damaged_records_are_named(run: Path) -> None:
    facts = card_facts(run)
    (run / "evaluation.json").write_text("{}")
    with pytest.raises(InputError, match=r"evaluation\.json: fid: Field required"):
        write_train_report(facts, run)


@pytest.mark.parametrize("module", ["train", "compare"])
def test_it_imports_no_torch(module: str) -> None:
    program = f"import sys, ganetics.report.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1200, "dark")])
def test_it_fits_a_phone_and_a_desk(browser: str, run: Path, tmp_path: Path, width: int, scheme: str) -> None:  # noqa: F811
    found = measured(browser, page_of(run), tmp_path, width=width, scheme=scheme)
    assert found["needed"] <= found["width"]
    assert found["wide"] == []
    assert found["loaded"] == []
    assert min(found["pictures"]) > 0
    assert found["formula"] > 0
