"""The last round: who is in it, on which seeds."""

from __future__ import annotations

from typing import Any

import pytest

from ganetics._check import InputError
from ganetics.records import Outcome, SearchConfig
from ganetics.search.evolve import Search
from ganetics.search.finals import Final, final_line, plan

TEXTS = ["p - 2*y*p", "exp(p) - 3*y*p", "3*(p**3 + sqrt(4*y/p))", "(y - p)**2", "p*p - 2.5*y*p", "exp(p) - 2.97*y*p"]
FITNESS = [3.0, 2.0, 1.0, None, 2.5, 2.1]


@pytest.fixture(scope="module")
def trials() -> list[dict[str, Any]]:
    return [
        {"index": index, "expression": text, "fitness": fitness}
        for index, (text, fitness) in enumerate(zip(TEXTS, FITNESS, strict=True))
    ]


def test_the_best_and_the_rivals_meet_at_every_rate_and_seed(
    config: SearchConfig, trials: list[dict[str, Any]]
) -> None:
    finals = plan(config, trials)
    losses = [TEXTS[1], TEXTS[4], "ganetic", "hinge"]  # the best of all nearly is the rival ganetic, and 5 nearly is 1
    assert [final.index for final in finals] == list(range(16))
    assert [final.loss for final in finals] == losses * 4
    assert [final.name for final in finals] == [None, None, "ganetic", "hinge"] * 4
    assert [final.rate for final in finals] == ([0.5] * 4 + [1.0] * 4) * 2
    assert finals[0].seed == finals[7].seed != finals[8].seed == finals[15].seed


def test_previews_are_of_the_first_seed_and_all_different(config: SearchConfig, trials: list[dict[str, Any]]) -> None:
    previews = [final.preview for final in plan(config, trials)]
    assert previews[8:] == [None] * 8
    assert previews[0] == "previews/finalist-1-rate-1.png"
    assert previews[6] == "previews/ganetic-rate-2.png"
    assert len(set(previews[:8])) == 8


def test_seeds_of_the_last_round_are_those_of_no_generation(config: SearchConfig, trials: list[dict[str, Any]]) -> None:
    search = Search(config)
    seeds = set()
    for number in range(3):
        for candidate in search.generation(number):
            seeds.add(candidate.seed)
            search.add(candidate, Outcome(step=0, seed=0, metrics={"fid": 1.0}, data="", extractor="", recipe=""))
    assert len(seeds) == 3
    assert not seeds & {final.seed for final in plan(config, trials)}


def test_nobody_may_be_left(config: SearchConfig, trials: list[dict[str, Any]]) -> None:
    assert plan(config.model_copy(update={"rivals": ()}), []) == []
    assert plan(config.model_copy(update={"rivals": (), "finalists": 0}), trials) == []
    alone = plan(config.model_copy(update={"finalists": 100}), trials)
    assert [final.loss for final in alone[:5]] == [TEXTS[1], TEXTS[4], TEXTS[0], "ganetic", "hinge"]


def test_rivals_are_of_the_catalogue_and_once(config: SearchConfig) -> None:
    twice = plan(config.model_copy(update={"rivals": ("hinge", "hinge")}), [])
    assert [final.name for final in twice] == ["hinge"] * 4
    with pytest.raises(InputError, match="unknown rival 'p - 2"):
        plan(config.model_copy(update={"rivals": ("p - 2*y*p",)}), [])


def test_lines_hold_the_expression_or_the_name_of_a_loss_that_has_none(config: SearchConfig) -> None:
    outcome = Outcome(step=1, seed=2, metrics={"fid": 1.0}, data="", extractor="", recipe="")
    failed = outcome.model_copy(update={"metrics": None})
    finals = plan(config.model_copy(update={"rivals": ("ganetic", "ganetic-batch-sum")}), [])
    lines = [final_line(final, outcome) for final in finals[:2]]
    assert [line["expression"] for line in lines] == ["p**3 + sqrt(3.985*y/p)", "ganetic-batch-sum"]
    assert [line["name"] for line in lines] == ["ganetic", "ganetic-batch-sum"]
    evolved = Final(0, "(y - p)**2", None, 0.5, 2, "previews/a.png")
    assert final_line(evolved, outcome)["preview"] == "previews/a.png"
    assert final_line(evolved, failed)["preview"] is None
    assert final_line(evolved, failed)["name"] is None
