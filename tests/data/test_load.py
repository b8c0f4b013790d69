from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ganetics._check import InputError
from ganetics.data import channels_of, load, resolved
from ganetics.training.recipes import recipe_for


def test_unknown_names_suggest_the_nearest() -> None:
    said = "nearest: digits; and no folder, .csv or .npz of images is called so"
    with pytest.raises(InputError, match=rf"^unknown dataset 'digit', {said}$"):
        load("digit", split="train")
    with pytest.raises(InputError, match=r"^unknown split 'valid', nearest: validation, all$"):
        load("digits", split="valid")


@pytest.mark.parametrize("dataset", ["./digit", "digit/", "digit.csv", "digit.NPZ"])
def test_a_path_with_nothing_there_is_no_unknown_name(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert recipe_for(dataset).name == "images-32"
    with pytest.raises(InputError, match=rf"^{dataset}: no such folder or file; must be a folder of images"):
        load(dataset, split="train")


def test_the_list_of_the_known_says_all_that_can_be_given() -> None:
    known = "known: cifar10, digits, medmnist:NAME, mnist; and no folder, .csv or .npz of images is called so"
    for check in (recipe_for, channels_of):
        with pytest.raises(InputError, match=rf"^unknown dataset 'nope', {known}$"):
            check("nope")


def test_what_looks_like_a_path_is_one(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=rf"^{tmp_path}/digit: no such folder or file; must be a folder of images, or a .csv or .npz file$",
    ):
        load(f"{tmp_path}/digit", split="train")
    (tmp_path / "digit").touch()
    with pytest.raises(
        InputError, match=rf"^{tmp_path}/digit: must be a folder of images, or a .csv or .npz file, got another file$"
    ):
        load(f"{tmp_path}/digit", split="train")


def test_a_folder_here_needs_no_slash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "digit").mkdir()
    for number in range(2):
        Image.new("L", (3, 4)).save(tmp_path / "digit" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    assert load("digit", split="all").identity.name == "digit"
    monkeypatch.chdir(tmp_path / "digit")
    assert load(".", split="all").identity == load(str(tmp_path / "digit"), split="all").identity


def test_a_folder_is_resolved_and_a_name_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("images", "mnist"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images.csv").touch()
    names = ("images", "./images", "mnist", "./mnist", "images.csv", "digits", "absent", "medmnist:x")
    expected = [str(tmp_path.resolve() / name) for name in ("images", "images", "mnist", "images.csv")]
    assert [resolved(name) for name in names] == [
        *expected[:2],
        "mnist",
        *expected[2:],
        "digits",
        "absent",
        "medmnist:x",
    ]


def test_named_sets_have_their_own_size_and_channels() -> None:
    assert len(load("digits", split="test", image_size=8, channels=1)) == 300
    with pytest.raises(InputError, match=r"^image size of digits must be 8, got 28$"):
        load("digits", split="test", image_size=28)
    with pytest.raises(InputError, match=r"^channels of digits must be 1, got 3$"):
        load("digits", split="test", channels=3)


def test_groups_of_what_has_no_file_names_are_refused(tmp_path: Path) -> None:
    for dataset in ("digits", "medmnist:x", str(tmp_path / "x.npz")):
        with pytest.raises(InputError, match=r"^groups: [^\n]+, got 'p"):
            load(dataset, split="train", data_dir=tmp_path, groups=r"p\d+")
