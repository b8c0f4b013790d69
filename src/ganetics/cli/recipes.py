"""The recipe that a command line asks for."""

from __future__ import annotations

import math
from pathlib import Path

from ganetics import _check
from ganetics.records import Recipe, from_values

BY_SIZE = ("images-32", "images-64", "images-128", "images-256")
"""The recipes of folders."""


def chosen_recipe(
    name: str | None,
    dataset: str,
    *,
    before: Recipe | None = None,
    image_size: int | None = None,
    data_dir: Path | None = None,
) -> Recipe:
    """Return the recipe called ``name``, else that of the run to go on with, else the dataset's own.

    That of somebody's own images is of one channel where all of them are gray.

    Raises:
        InputError: no such recipe, or neither a named dataset nor images.
    """
    from ganetics.data import NAMED, channels_of, resolved
    from ganetics.training import RECIPES, recipe_for

    if name is not None:
        return RECIPES[_check.one_of("recipe", name, RECIPES)]
    if before is not None:
        return before
    found = recipe_for(dataset)
    if dataset in NAMED:
        return found
    if image_size is not None:
        # the one whose size is nearest, as a ratio; among equals the smaller
        found = min((RECIPES[name] for name in BY_SIZE), key=lambda one: abs(math.log(one.image_size / image_size)))
    return found.model_copy(update={"channels": channels_of(resolved(dataset), data_dir=data_dir)})


def changed(recipe: Recipe, **changes: float | str | None) -> Recipe:
    """Return the recipe with the fields that are not None changed; more steps are expected to take longer.

    Raises:
        InputError: a value is out of range; names the field.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    found = from_values(Recipe, {**recipe.model_dump(), **given}, where="recipe")
    longer = max(1.0, found.steps / recipe.steps)
    return found.model_copy(update={"seconds": recipe.seconds * longer})
