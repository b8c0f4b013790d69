from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ganetics._check import InputError
from ganetics.models import build_gan
from ganetics.training.recipes import RECIPES, recipe_for


@pytest.mark.parametrize("name", sorted(set(RECIPES) - {"paper"}))
def test_every_recipe_builds_and_is_named_by_its_key(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.name == name
    if recipe.image_size > 64:
        recipe = recipe.model_copy(update={"width": 1})
    gan = build_gan(recipe, generator=torch.Generator())
    with torch.no_grad():
        images = gan.generator(torch.zeros(2, recipe.latent_dim))
    assert images.shape == (2, recipe.channels, recipe.image_size, recipe.image_size)


@pytest.mark.parametrize("name", ["digits", "mnist", "cifar10"])
def test_the_rate_is_the_one_that_the_sweep_chose(name: str) -> None:
    summary = json.loads((Path(__file__).parents[2] / f"results/rates-{name}/summary.json").read_text())
    assert RECIPES[name].learning_rate == pytest.approx(summary["chosen_learning_rate"], rel=0.01)
    rates = sorted(map(float, next(iter(summary["fid"].values()))))
    assert rates[0] < RECIPES[name].learning_rate < rates[-1]  # bracketed


def test_recipe_for_a_dataset_or_a_folder(tmp_path: Path) -> None:
    assert recipe_for("mnist").name == "mnist"
    assert recipe_for(str(tmp_path)).name == "images-32"
    with pytest.raises(InputError, match="unknown dataset 'minst', nearest: mnist"):
        recipe_for("minst")
