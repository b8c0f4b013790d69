"""A trained run against images that were held out from it."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganetics._check import InputError
from ganetics.data import load
from ganetics.execution.log import RunFolder
from ganetics.features import load_extractor
from ganetics.generation import evaluate_run as module
from ganetics.generation.evaluate_run import evaluate_run, images_of
from ganetics.generation.fit import configuration, fit
from ganetics.generation.results import Evaluation, stored_configuration
from ganetics.records import from_json
from ganetics.training import RECIPES
from ganetics.trial import load_trial_data, metrics

RECIPE = RECIPES["digits"].model_copy(update={"steps": 3, "width": 2, "eval_samples": 20, "batch_size": 8})
EXTRACTOR = load_extractor("digits-classifier")


def trained(path: Path, **changes: Any) -> Path:
    recipe = RECIPE.model_copy(update=changes)
    data = load_trial_data("digits", None, recipe)
    fit(path, configuration("digits", "ganetic", recipe, data, seed=0), data)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("plain") / "run")


@pytest.fixture(scope="module")
def of_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("classes") / "run", classes=10)


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def test_the_record_and_the_sheet_are_written(run: Path) -> None:
    found = evaluate_run(run, EXTRACTOR)
    assert (found.split, found.step, found.n, found.n_real, found.n_train) == ("validation", 3, 300, 300, 1197)
    assert found.copy_n == 1000
    assert found.copy_rate_interval is not None
    assert found.copy_rate_interval[1] < 0.05
    assert found.config == stored_configuration(run).digest()
    assert found.copy_rate_control is not None
    assert found.copy_rate_control < 0.1
    assert (found.looks, found.first_look, found.utility) == (None, None, None)
    stored = (run / "evaluation.json").read_text()
    assert from_json(Evaluation, stored, where="test") == found
    assert (run / "evaluated" / "validation-digits-classifier.json").read_text() == stored
    with Image.open(run / "closest.png") as sheet:
        assert sheet.mode == "RGB"
    assert not (run / "looks.json").exists()
    assert evaluate_run(run, EXTRACTOR) == found
    assert evaluate_run(run, EXTRACTOR, seed=1).fid != found.fid


def replaying(images: Tensor) -> Any:
    """Return a sampler that gives back training images, in any order and with one gray level of noise."""

    def sample(state: object, count: int, *, generator: torch.Generator, labels: object = None) -> Tensor:
        chosen = images[torch.randint(len(images), (count,), generator=generator)].int()
        return (chosen + torch.randint(-1, 2, chosen.shape, generator=generator)).clamp(0, 255).to(torch.uint8)

    return sample


def test_a_generator_that_replays_training_images_is_flagged(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = evaluate_run(run, EXTRACTOR)
    monkeypatch.setattr(module, "sample", replaying(load("digits", split="train").images))
    found = evaluate_run(run, EXTRACTOR, count=200)
    assert (found.n, found.copy_rate_control) == (200, honest.copy_rate_control)
    assert found.copy_rate is not None
    assert found.copy_rate > 0.9
    assert found.copy_rate_interval is not None
    assert 0.9 < found.copy_rate_interval[0] < found.copy_rate <= found.copy_rate_interval[1]
    monkeypatch.setattr(module, "sample", replaying(load("digits", split="test").images))
    strangers = evaluate_run(run, EXTRACTOR, count=200)
    assert strangers.copy_rate is not None
    assert strangers.copy_rate < 0.1


def test_test_images_are_looked_at_and_that_is_written_down(run: Path) -> None:
    first = evaluate_run(run, EXTRACTOR, split="test")
    assert (first.split, first.looks) == ("test", 1)
    pictures = [(run / name).read_bytes() for name in ("closest.png", "real.png")]
    evaluate_run(run, EXTRACTOR)
    assert [(run / name).read_bytes() for name in ("closest.png", "real.png")] == pictures  # of the test images still
    again = evaluate_run(run, EXTRACTOR, split="test")
    assert (again.looks, again.first_look) == (2, first.first_look)
    looks = json.loads((run / "looks.json").read_text())
    assert (looks["count"], looks["first"], looks["looks"][0]["images"]) == (2, first.first_look, 300)
    assert {path.name for path in (run / "evaluated").iterdir()} == {
        "test-digits-classifier.json",
        "validation-digits-classifier.json",
    }
    (run / "looks.json").write_text("{}")
    with pytest.raises(InputError, match=r"looks\.json: must say when test images were looked at, it is damaged$"):
        evaluate_run(run, EXTRACTOR, split="test")


def test_only_images_that_were_trained_on_can_be_copied(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", train_size=100)
    config = stored_configuration(run)
    held = images_of(config, "validation")
    assert (len(held.train), held.train.identity.count) == (100, 100)
    assert held.train.identity.sha256 != config.data.sha256
    assert evaluate_run(run, EXTRACTOR).n_train == 100


def test_classes_are_as_frequent_as_in_training(of_classes: Path) -> None:
    config, train = stored_configuration(of_classes), load("digits", split="train")
    state = module.best_state(of_classes)
    fake = module.generated(state, train, 2000, seed=0)
    assert config.recipe.classes == 10
    assert train.labels is not None
    assert fake.labels is not None
    shares, expected = (np.bincount(labels, minlength=10) / len(labels) for labels in (fake.labels, train.labels))
    assert shares == pytest.approx(expected, abs=0.03)
    rare = torch.where(torch.arange(len(train.labels)) % 10 == 0, 3, 7)
    skewed = module.generated(state, replace(train, labels=rare), 2000, seed=0)
    assert skewed.labels is not None
    assert (skewed.labels == 7).double().mean().item() == pytest.approx(0.9, abs=0.03)
    drawn = metrics._drawn_labels(state, replace(train, labels=rare), 2000)
    assert drawn is not None
    assert (drawn == 7).double().mean().item() == pytest.approx(0.9, abs=0.03)


def test_images_that_are_others_now_are_refused(tmp_path: Path, gray: Path) -> None:
    recipe = RECIPE.model_copy(update={"extractor": "digits-classifier", "eval_samples": 10})
    data = load_trial_data(str(gray), None, recipe, groups=r"p\d+")
    run = tmp_path / "run"
    fit(run, configuration(str(gray), "ganetic", recipe, data, seed=0, groups=r"p\d+"), data)
    found = evaluate_run(run, EXTRACTOR)
    assert found.train_groups == len(set(data.train.groups)) > 2
    moved = Path(shutil.move(gray, tmp_path / "moved" / "images"))
    with pytest.raises(InputError, match="must be a folder of images"):
        evaluate_run(run, EXTRACTOR)
    assert evaluate_run(run, EXTRACTOR, data_dir=moved) == found
    first = min(moved.glob("*.png"))
    shutil.copy(max(moved.glob("*.png")), first)
    with pytest.raises(InputError, match=r"images: must hold the images that the run was trained on \(sha256 "):
        evaluate_run(run, EXTRACTOR, data_dir=moved)


@pytest.fixture
def gray(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"p{number // 2:02d}_{number % 2}.png")
    (tmp_path / "moved").mkdir()
    return folder


def test_what_cannot_be_evaluated_is_told_in_one_line(run: Path, tmp_path: Path) -> None:
    before = {path.name for path in run.iterdir()}
    with pytest.raises(InputError, match=r"^count must be at most 5000, got 5001$"):
        evaluate_run(run, EXTRACTOR, count=5001)
    with pytest.raises(InputError, match=r"^count must be at least 2, got 1$"):
        evaluate_run(run, EXTRACTOR, count=1)
    with pytest.raises(InputError, match=r"^utility: .*: needs a run that was trained with --conditional"):
        evaluate_run(run, EXTRACTOR, utility=True)
    with pytest.raises(InputError, match=r"no file at .*config\.json"):
        evaluate_run(tmp_path / "none", EXTRACTOR)
    with RunFolder(run), pytest.raises(InputError, match=r"process \d+ is at work in it$"):
        evaluate_run(run, EXTRACTOR)
    assert {path.name for path in run.iterdir()} - before <= {".lock"}
    shutil.rmtree(run / "checkpoint")
    with pytest.raises(InputError, match="it holds no checkpoint"):
        evaluate_run(run, EXTRACTOR)
    assert not (tmp_path / "none").exists()


def test_a_run_of_classes_says_what_its_images_are_worth(of_classes: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(of_classes, tmp_path / "run"))
    found = evaluate_run(run, EXTRACTOR, utility=True, count=50)
    utility = found.utility
    assert utility is not None
    assert utility.classes == tuple(str(digit) for digit in range(10))
    assert (utility.n_test, utility.groups) == (300, None)
    real, generated, both = utility.probes
    assert [one.trained_on for one in utility.probes] == ["real", "generated", "both"]
    assert (real.n, generated.n, both.n) == (1197, 1197, 2394)
    assert real.auroc is None  # more than two classes
    values = [one.balanced_accuracy.value for one in utility.probes]
    assert None not in values
    assert values[0] > 0.9 > 0.5 > values[1]  # type: ignore[operator]  # a generator of three steps is worth nothing
    assert utility.gain.value == pytest.approx(values[2] - values[0])  # type: ignore[operator]
    assert from_json(Evaluation, (run / "evaluation.json").read_text(), where="test") == found


def test_the_sheet_shows_the_closest_first_and_marks_copies() -> None:
    from ganetics.generation.sheet import TILE, closest_pairs
    from ganetics.metrics.copies import Copies

    train = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    train[1] = 200
    fake = torch.arange(5, dtype=torch.uint8).mul(20).reshape(5, 1, 1, 1).expand(-1, -1, 8, 8)
    closeness = np.array([2.0, 0.3, 1.5, 0.9, 3.0])
    copies = Copies(closeness, np.array([0, 1, 2, 3, 0]), np.zeros(5, dtype=bool))
    control = Copies(closeness[:2] + 1, np.array([0, 1]), np.zeros(2, dtype=bool))
    sheet = np.asarray(Image.open(io.BytesIO(closest_pairs(fake, train, copies, real=fake[:2], control=control))))
    assert np.count_nonzero((sheet[..., 0] > 150) & (sheet[..., 1] < 90)) > 50
    top = np.flatnonzero((sheet == 20).all(axis=2).sum(axis=1) >= TILE)[0]
    line = sheet[top + TILE // 2, :, 0]
    # left to right: 0.3, 0.9, 1.5, 2.0; generated, then its training image; of two near to one the nearer alone
    tiles = [int(line[20 + pair * (2 * TILE + 24) + turn * (TILE + 4) + TILE // 2]) for pair in range(4)
             for turn in range(2)]  # fmt: skip
    assert tiles == [20, 200, 60, 0, 40, 0, 0, 0]
