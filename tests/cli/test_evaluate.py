from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from ganetics import data
from ganetics._check import InputError
from ganetics.cli.evaluate import evaluate

FIGURES = {"fid", "kid", "kid_std", "precision", "recall", "density", "coverage", "n", "n_real", "floor", "floor_n"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANETICS_CACHE", str(tmp_path / "cache"))


def write(folder: Path, images: torch.Tensor) -> Path:
    folder.mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image[0].numpy()).save(folder / f"{index:04d}.png")
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    digits = data.load("digits", split="all").images
    parts = {"real": digits[:120], "fake": digits[120:240], "train": digits[240:360]}
    return {name: write(tmp_path / name, images) for name, images in parts.items()}


def run(*arguments: object) -> tuple[str, str]:
    """Return what the command printed on standard output and error; its InputError passes through."""
    app = typer.Typer()
    app.command()(evaluate)
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def given(folders: dict[str, Path], *names: str) -> list[object]:
    return ["--extractor", "digits-classifier", *(x for name in names for x in (f"--{name}", folders[name]))]


def test_json_is_one_object_with_all_figures(folders: dict[str, Path]) -> None:
    out, _ = run(*given(folders, "real", "fake"), "--json")
    found = json.loads(out)
    assert found.keys() >= FIGURES | {"extractor", "resize", "skipped"}
    assert "copy_rate" not in found
    assert (found["n"], found["n_real"], found["skipped"]) == (120, 120, 0)
    assert found["extractor"]["name"] == "digits-classifier"


def test_training_folder_adds_the_copy_rate(folders: dict[str, Path]) -> None:
    out, _ = run(*given(folders, "real", "fake", "train"), "--json")
    assert 0 <= json.loads(out)["copy_rate"] <= 1


def test_the_sheet_of_the_closest_pairs_is_written(folders: dict[str, Path], tmp_path: Path) -> None:
    plain, _ = run(*given(folders, "real", "fake", "train"), "--json")
    out, _ = run(*given(folders, "real", "fake", "train"), "--json", "--sheet", tmp_path / "pairs.png")
    assert out == plain
    with Image.open(tmp_path / "pairs.png") as sheet:
        assert sheet.width > sheet.height / 2 > 100
    low, high = json.loads(out)["copy_rate_interval"]
    assert 0 <= low <= json.loads(out)["copy_rate"] <= high < 0.2
    for options in ([*given(folders, "real", "fake"), "--sheet", tmp_path / "x.png"],
                    [*given(folders, "real", "fake", "train"), "--sheet", tmp_path / "x.jpg"]):  # fmt: skip
        with pytest.raises(InputError, match=r"^--sheet: must be a \.png file, of a comparison with --train, got"):
            run(*options)
    assert not list(tmp_path.glob("x.*"))


def test_what_is_replayed_is_flagged_in_the_table(folders: dict[str, Path]) -> None:
    for file in folders["fake"].iterdir():
        (folders["fake"] / file.name).write_bytes((folders["train"] / file.name).read_bytes())
    out, _ = run(*given(folders, "real", "fake", "train"))
    words = " ".join(out.split())
    assert (
        "copy rate 1.000 of 120 generated images those that count as copies of training images; 95 %: 0.9697 to"
        in words
    )
    assert "In words: most generated images look like real ones to this network (precision)" in words
    assert "control 0.0" in words
    assert "found 1.000 the same of training images as they are" in words


def test_the_groups_of_training_images_can_be_told(folders: dict[str, Path]) -> None:
    for side, first in (("train", 0), ("real", 29)):
        for number, file in enumerate(sorted(folders[side].iterdir())):
            file.rename(file.with_name(f"p{first + number // 4:02d}_{file.name}"))
    out, told = run(*given(folders, "real", "fake", "train"), "--groups", r"^p\d+", "--json")
    assert json.loads(out)["train_groups"] == 30
    assert "--real: 1 of its groups are in --train too: their images are not held out" in " ".join(told.split())
    with pytest.raises(InputError, match=r"^--groups: belongs to a comparison with --train, whose images"):
        run(*given(folders, "real", "fake"), "--groups", r"^p\d+")


def test_the_two_forms_are_not_mixed(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^--fake: belongs to an evaluation of folders, without --run, got "):
        run("--run", tmp_path, "--fake", folders["fake"])
    with pytest.raises(InputError, match=r"^--split: belongs to an evaluation of a run, with --run, got test$"):
        run(*given(folders, "real", "fake"), "--split", "test")
    with pytest.raises(InputError, match=r"^--utility: belongs to an evaluation of a run"):
        run(*given(folders, "real", "fake"), "--utility")
    with pytest.raises(InputError, match=r"^evaluate: needs --run RUN, or --real DIR and --fake DIR$"):
        run("--real", folders["real"])


def test_a_run_is_sampled_and_compared(command: Any, train_run: Any, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(train_run.path, tmp_path / "run"))
    found = command("evaluate", "--run", copied, "--split", "test", "--count", 50, "--json").json
    assert (found["split"], found["n"], found["n_real"], found["looks"]) == ("test", 50, 300, 1)
    assert found == json.loads((copied / "evaluation.json").read_text())
    card = (copied / "card.md").read_text()
    assert f"{found['n']} generated, {found['n_real']} real test images" in card
    assert (copied / "closest.png").exists()
    ended = command("evaluate", "--run", copied, "--split", "test")
    assert ended.status == 0
    assert "50 generated" not in ended.out
    assert f"closest pairs: {copied / 'closest.png'}" in " ".join(ended.out.split()).replace("\n", "")
    assert f"--split test: looked at 2 times since {found['first_look']}" in ended.err
    assert "moved by a pixel" in ended.err  # an eighth of a digit's width: not found, and said


def test_of_a_run_what_cannot_be_is_told_in_one_line(command: Any, train_run: Any, tmp_path: Path) -> None:
    before = train_run.files()
    for options, told in (
        (("--utility",), "utility: "),
        (("--count", 6000), "count must be at most 5000, got 6000"),
        (("--extractor", "vgg"), "unknown extractor 'vgg'"),
        (("--weights", tmp_path / "none", "--extractor", "efficientnet-lite0"), str(tmp_path / "none")),
    ):
        ended = command("evaluate", "--run", train_run.path, *options)
        assert (ended.status, told in ended.complaint) == (2, True), ended.err
    assert train_run.files() == before
    assert command("evaluate", "--run", tmp_path).status == 2


def test_real_images_that_were_trained_on_are_counted_and_named(folders: dict[str, Path]) -> None:
    alone = json.loads(run(*given(folders, "real", "fake", "train"), "--json")[0])
    assert alone["held_out_duplicates"] == 0
    for name in ("0003.png", "0050.png"):
        (folders["train"] / f"copy-{name}").write_bytes((folders["real"] / name).read_bytes())
    out, err = run(*given(folders, "real", "fake", "train"), "--json")
    found = json.loads(out)
    assert found["held_out_duplicates"] == 2
    assert "--real: 2 of 120 real images are training images too" in err


def test_table_states_n_extractor_and_floor(folders: dict[str, Path]) -> None:
    out, _ = run(*given(folders, "real", "fake", "train"))
    words = " ".join(out.split())
    assert "120 generated and 120 real images, 120 training images; digits-classifier, resize: none." in words
    assert "two halves of 60 real images" in words
    for figure in ("FID", "KID", "precision", "recall", "density", "coverage", "copy rate"):
        assert figure in out


def test_bad_image_is_named_skipped_and_counted(folders: dict[str, Path]) -> None:
    (folders["fake"] / "0007.png").write_bytes(b"not an image")
    out, err = run(*given(folders, "real", "fake"), "--json")
    found = json.loads(out)
    assert (found["n"], found["skipped"]) == (119, 1)
    assert "--fake" in err
    assert "0007.png" in err


def test_few_images_warn(folders: dict[str, Path], tmp_path: Path) -> None:
    few = write(tmp_path / "few", data.load("digits", split="all").images[400:410])
    out, err = run(*given(folders, "real"), "--fake", few, "--json")
    assert json.loads(out)["n"] == 10
    assert "--fake: only 10 images" in err
    assert "--real" not in err


def test_other_sizes_need_an_image_size(folders: dict[str, Path], tmp_path: Path) -> None:
    large = data.load("digits", split="all").images[:60].repeat_interleave(2, 2).repeat_interleave(2, 3)
    fake = write(tmp_path / "large", large)
    with pytest.raises(InputError, match="8x8, got 16x16: give --image-size"):
        run(*given(folders, "real"), "--fake", fake)
    out, _ = run(*given(folders, "real"), "--fake", fake, "--image-size", 8, "--json")
    assert json.loads(out)["n"] == 60


@pytest.mark.parametrize("name", ["real", "fake"])
def test_missing_folder_is_one_line(folders: dict[str, Path], name: str) -> None:
    folders[name] = folders[name] / "absent"
    with pytest.raises(InputError, match=rf"^--{name}: must be a folder of images, got [^\n]+absent$"):
        run(*given(folders, "real", "fake"))


def test_unknown_extractor_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="unknown extractor 'vgg'"):
        run("--real", folders["real"], "--fake", folders["fake"], "--extractor", "vgg")
