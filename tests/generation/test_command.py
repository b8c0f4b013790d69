"""The command of a run makes the run again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from ganetics._check import InputError
from ganetics.generation.about import About, stored_about, write_about
from ganetics.generation.command import beyond_command, train_command
from ganetics.generation.fit import FitConfig, configuration
from ganetics.records import Penalty, Recipe, from_values
from ganetics.training import RECIPES
from ganetics.trial import TrialData, load_trial_data


@pytest.fixture(scope="module")
def data() -> TrialData:
    return load_trial_data("digits", None, RECIPES["digits"])


def config_of(
    data: TrialData, recipe: Recipe, dataset: str = "digits", loss: str = "ganetic", **given: Any
) -> FitConfig:
    return configuration(dataset, loss, recipe, data, **{"seed": 0, **given})


def test_only_what_differs_from_the_named_recipe_is_said(data: TrialData) -> None:
    config = config_of(data, RECIPES["digits"])
    assert train_command(config) == "ganetics train RUN --dataset digits --loss ganetic --seed 0"
    changed = {"steps": 7, "learning_rate": 1e-4, "penalties": (Penalty(kind="r1", weight=0.5, every=4),)}
    config = config_of(data, RECIPES["digits"].model_copy(update=changed), loss="(p - y)**2", seed=3)
    assert train_command(config, About(licence="CC BY 4.0")) == (
        "ganetics train RUN --dataset digits --loss '(p - y)**2+r1:0.5/4' --steps 7 --rate 0.0001 --seed 3 "
        "--licence 'CC BY 4.0'"
    )
    assert beyond_command(config) == ()


def test_of_own_images_the_place_is_not_told_and_gray_ones_choose_their_recipe_by_size(
    data: TrialData, tmp_path: Path
) -> None:
    folder = tmp_path / "secret" / "my eyes"
    folder.mkdir(parents=True)
    colour, gray = RECIPES["images-64"], RECIPES["images-64"].model_copy(update={"channels": 1})
    for recipe, said in ((colour, "--recipe images-64"), (gray, "--image-size 64")):
        command = train_command(config_of(data, recipe, str(folder), groups=r"p\d+", accept_audit=True))
        assert "secret" not in command
        words = shlex.split(command)
        assert words[3:5] == ["--dataset", "my eyes"]
        assert (r"p\d+" in words, "--accept-audit" in words, said in command) == (True, True, True)
        assert ("--recipe" in words) != ("--image-size" in words)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"width": 3}, ("width",)),
        ({"beta1": 0.1, "eval_samples": 30}, ("beta1", "eval_samples")),
        ({"name": "own"}, ("recipe",)),
        ({"seconds": 99.0, "classes": 10}, ()),
    ],
)
def test_what_no_option_sets_is_named(changes: dict[str, Any], told: tuple[str, ...], data: TrialData) -> None:
    assert beyond_command(config_of(data, RECIPES["digits"].model_copy(update=changes))) == told


def test_what_an_option_cannot_take_away_is_named(data: TrialData) -> None:
    recipe = RECIPES["images-64"].model_copy(update={"ema_half_life": None, "channels": 1})
    assert beyond_command(config_of(data, recipe, "medmnist:pathmnist")) == ("ema_half_life",)


def test_what_is_stated_is_kept_and_can_be_changed(tmp_path: Path) -> None:
    assert stored_about(tmp_path) is None
    for text in ("CC BY-SA 3.0", "research only"):
        write_about(tmp_path, About(licence=f" {text} "))
        found = stored_about(tmp_path)
        assert found is not None
        assert found.licence == text
    (tmp_path / "about.json").write_text("{")
    with pytest.raises(InputError, match=r"about\.json: "):
        stored_about(tmp_path)


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "a\x1b[31m", "x" * 501])
def test_a_licence_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match="train: licence: "):
        from_values(About, {"licence": text}, where="train")
