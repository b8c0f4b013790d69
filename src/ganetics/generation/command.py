"""The command that makes a training run again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import PurePath

from ganetics.data import NAMED, is_named
from ganetics.generation.about import About
from ganetics.generation.results import EVALUATE_EVERY, FitConfig
from ganetics.records import Penalty, Recipe
from ganetics.training import RECIPES

OPTIONS: Mapping[str, str] = {
    "image_size": "--image-size",
    "steps": "--steps",
    "learning_rate": "--rate",
    "rate_half_life": "--rate-half-life",
    "ema_half_life": "--ema-half-life",
    "augment": "--augment",
    "precision": "--precision",
}
"""Field of a recipe → the option that changes it."""
OTHERWISE = {"schema_version", "name", "channels", "classes", "penalties", "seconds"}
"""Fields that follow from the images, the loss and other options."""


def train_command(config: FitConfig, about: About | None = None) -> str:
    """Return the ``ganetics train`` command of a run in one line, with the run's folder as ``RUN``.

    Of images of one's own the last part of their path is named alone: a command is there to be published.
    """
    recipe, base = config.recipe, RECIPES.get(config.recipe.name)
    place = config.dataset if is_named(config.dataset) else PurePath(config.dataset).name
    words = ["ganetics", "train", "RUN", "--dataset", place]
    if config.groups is not None:
        words += ["--groups", config.groups]
    # where the images are gray and the recipe is not, nobody has named it: it was chosen by their size
    by_size = base is not None and base.channels != recipe.channels
    if config.dataset != recipe.name and not by_size:
        words += ["--recipe", recipe.name]
    words += ["--loss", config.loss + "".join(f"+{penalty.text}" for penalty in _own_penalties(recipe, base))]
    for field, option in OPTIONS.items():
        value = getattr(recipe, field)
        if value is not None and (base is None or value != getattr(base, field) or (by_size and field == "image_size")):
            words += [option, str(value)]
    words += ["--seed", str(config.seed)]
    if recipe.classes:
        words.append("--conditional")
    if config.patience is not None:
        words += ["--patience", str(config.patience)]
    if config.evaluate_every != EVALUATE_EVERY:
        words += ["--evaluate-every", str(config.evaluate_every)]
    if config.accept_audit:
        words.append("--accept-audit")
    if about is not None:
        words += ["--licence", about.licence]
    return shlex.join(words)


def beyond_command(config: FitConfig) -> tuple[str, ...]:
    """Return the fields of the run's recipe that differ from the named one's and that no option sets."""
    recipe, base = config.recipe, RECIPES.get(config.recipe.name)
    if base is None:
        return ("recipe",)
    fixed = set(Recipe.model_fields) - OTHERWISE - set(OPTIONS)
    unset = {field for field in OPTIONS if getattr(recipe, field) is None}
    other_channels = {"channels"} if config.dataset in NAMED else set()
    looked_at = fixed | unset | other_channels
    return tuple(sorted(field for field in looked_at if getattr(recipe, field) != getattr(base, field)))


def _own_penalties(recipe: Recipe, base: Recipe | None) -> tuple[Penalty, ...]:
    known = () if base is None else base.penalties
    return tuple(penalty for penalty in recipe.penalties if penalty not in known)
