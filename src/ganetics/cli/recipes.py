"""The recipe that a command line asks for."""

from __future__ import annotations

from ganetics import _check
from ganetics.records import Recipe, from_json, to_json


def chosen_recipe(
    name: str | None, dataset: str, *, before: Recipe | None = None, image_size: int | None = None
) -> Recipe:
    """Return the recipe called ``name``, else that of the run to go on with, else the dataset's own.

    Raises:
        InputError: no such recipe, or neither a named dataset nor a folder.
    """
    from ganetics.training import RECIPES, recipe_for

    if name is not None:
        return RECIPES[_check.one_of("recipe", name, RECIPES)]
    if before is not None:
        return before
    found = recipe_for(dataset)
    large = found.name == "images-32" and image_size is not None and image_size > 40
    return RECIPES["images-64"] if large else found


def changed(recipe: Recipe, **changes: float | str | None) -> Recipe:
    """Return the recipe with the fields that are not None changed.

    Raises:
        InputError: a value is out of range; names the field.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    return from_json(Recipe, to_json({**recipe.model_dump(mode="json"), **given}), where="recipe")
