"""The recipe that a command line asks for."""

from __future__ import annotations

from pathlib import Path

from ganetics import _check
from ganetics.records import Recipe, from_values


def chosen_recipe(
    name: str | None, dataset: str, *, before: Recipe | None = None, image_size: int | None = None
) -> Recipe:
    """Return the recipe called ``name``, else that of the run to go on with, else the dataset's own.

    A folder's own is of one channel where all its images are gray.

    Raises:
        InputError: no such recipe, or neither a named dataset nor a folder of images.
    """
    from ganetics.data import NAMED, channels_of
    from ganetics.training import RECIPES, recipe_for

    if name is not None:
        return RECIPES[_check.one_of("recipe", name, RECIPES)]
    if before is not None:
        return before
    found = recipe_for(dataset)
    if dataset in NAMED:
        return found
    if image_size is not None and image_size > 40:
        found = RECIPES["images-64"]
    return found.model_copy(update={"channels": channels_of(Path(dataset).resolve())})


def changed(recipe: Recipe, **changes: float | str | None) -> Recipe:
    """Return the recipe with the fields that are not None changed; more steps are expected to take longer.

    Raises:
        InputError: a value is out of range; names the field.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    found = from_values(Recipe, {**recipe.model_dump(), **given}, where="recipe")
    longer = max(1.0, found.steps / recipe.steps)
    return found.model_copy(update={"seconds": recipe.seconds * longer})
