"""Rungs: as text and back, and those that a recipe has."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics._check import InputError
from ganetics.search.config import Rung, SearchConfig
from ganetics.search.ladder import RATES, ladder, parse_rungs, rungs_text
from ganetics.training import RECIPES


@given(
    rungs=st.lists(
        st.builds(
            Rung,
            steps=st.integers(1, 10**7),
            seeds=st.integers(1, 99),
            rates=st.lists(
                st.floats(0, exclude_min=True, allow_infinity=False, allow_nan=False), min_size=1, max_size=4
            ).map(tuple),
            samples=st.none() | st.integers(10, 10**6),
        ),
        min_size=1,
        max_size=4,
    ).map(tuple)
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_rungs_survive_as_text(rungs: tuple[Rung, ...]) -> None:
    assert parse_rungs(rungs_text(rungs)) == rungs


def test_rungs_are_read_as_people_write_them() -> None:
    assert parse_rungs(" 150x1:2000 , 600x3@0.3/1/3.0 ") == (
        Rung(steps=150, seeds=1, samples=2000),
        Rung(steps=600, seeds=3, rates=(0.3, 1.0, 3.0)),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be STEPSxSEEDS"),
        ("600", "must be STEPSxSEEDS.*got '600'"),
        ("150x1,,600x3", "must be STEPSxSEEDS.*got ''"),
        ("0x1", "must be STEPSxSEEDS"),
        ("150x-1", "must be STEPSxSEEDS"),
        ("150x1@1/", "must be STEPSxSEEDS.*got '150x1@1/'"),
        ("150x1@1..2", "must be STEPSxSEEDS"),
        ("150x1@0/1", r"150x1@0/1: rates\.0: Input should be greater than 0"),
        ("150x1:9", "150x1:9: samples: Input should be greater than or equal to 10"),
        ("9" * 5000 + "x1", "steps: "),
    ],
)
def test_rungs_that_are_none_are_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^rungs: [^\n]*{message}[^\n]*$"):
        parse_rungs(text)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("steps", [None, *range(1, 20)])
def test_every_recipe_of_any_length_has_rungs_to_climb(name: str, steps: int | None, config: SearchConfig) -> None:
    recipe = RECIPES[name] if steps is None else RECIPES[name].model_copy(update={"steps": steps})
    rungs = ladder(recipe)
    SearchConfig.model_validate({**config.model_dump(), "recipe": recipe, "rungs": rungs})
    assert rungs[-1] == Rung(steps=recipe.steps, seeds=3, rates=RATES)
    assert all(rung.samples is None for rung in rungs if rung.steps == recipe.steps and len(rung.rates) > 1)
    assert parse_rungs(rungs_text(rungs)) == rungs


def test_the_default_is_what_the_readme_says() -> None:
    recipe = RECIPES["mnist"]
    found = [(rung.steps, rung.seeds, rung.rates) for rung in ladder(recipe)]
    eighth, half, whole = recipe.steps // 8, recipe.steps // 2, recipe.steps
    assert found == [(eighth, 1, (1.0,)), (half, 1, (1.0,)), (whole, 2, (1.0,)), (whole, 3, (0.3, 1.0, 3.0))]
    assert SearchConfig.model_fields["promote"].default == 1 / 4
