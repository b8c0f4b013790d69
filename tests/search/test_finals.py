"""The last round: who is in it, on which seeds."""

from __future__ import annotations

import pytest

from ganetics._check import InputError
from ganetics._random import seed_of
from ganetics.catalogue import expression_of
from ganetics.records import Outcome
from ganetics.search.config import SearchConfig
from ganetics.search.finals import Final, plan, rivals
from ganetics.search.lines import final_line

TEXTS = ["exp(p) - 3*y*p", "(y - p)**2"]


def test_finalists_and_rivals_meet_at_every_rate_and_seed(config: SearchConfig) -> None:
    finals = plan(config, TEXTS)
    assert [final.index for final in finals] == list(range(16))
    assert [final.loss for final in finals] == [*TEXTS, "ganetic", "hinge"] * 4
    assert [final.name for final in finals] == [None, None, "ganetic", "hinge"] * 4
    assert [final.rate for final in finals] == ([0.5] * 4 + [1.0] * 4) * 2
    assert finals[0].seed == finals[7].seed != finals[8].seed == finals[15].seed


def test_previews_are_of_the_first_seed_and_all_different(config: SearchConfig) -> None:
    previews = [final.preview for final in plan(config, TEXTS)]
    assert previews[8:] == [None] * 8
    assert previews[0] == "previews/finalist-1-rate-1.png"
    assert previews[6] == "previews/ganetic-rate-2.png"
    assert len(set(previews[:8])) == 8


def test_seeds_of_the_last_round_are_fresh(config: SearchConfig) -> None:
    trained = {seed_of(config.seed, "training", number) for number in range(100)}
    assert not trained & {final.seed for final in plan(config, TEXTS)}


def test_nobody_may_be_left(config: SearchConfig) -> None:
    assert plan(config.model_copy(update={"rivals": ()}), []) == []
    assert [final.name for final in plan(config, [])] == ["ganetic", "hinge"] * 4


def test_rivals_are_of_the_catalogue_and_once(config: SearchConfig) -> None:
    three = config.model_copy(update={"rivals": ("hinge", "ganetic-batch-sum", "hinge")})
    assert rivals(three) == (["hinge", "ganetic-batch-sum"], [expression_of("hinge")])
    with pytest.raises(InputError, match="unknown rival 'p - 2"):
        plan(config.model_copy(update={"rivals": ("p - 2*y*p",)}), [])


def test_lines_hold_the_expression_or_the_name_of_a_loss_that_has_none(config: SearchConfig) -> None:
    outcome = Outcome(step=1, seed=2, metrics={"fid": 1.0}, data="", extractor="", recipe="")
    failed = outcome.model_copy(update={"metrics": None})
    finals = plan(config.model_copy(update={"rivals": ("ganetic", "ganetic-batch-sum")}), [])
    lines = [final_line(final, outcome) for final in finals[:2]]
    assert [line["expression"] for line in lines] == ["p**3 + sqrt(3.985*y/p)", "ganetic-batch-sum"]
    assert [line["name"] for line in lines] == ["ganetic", "ganetic-batch-sum"]
    evolved = Final(0, "(y - p)**2", "(y - p)**2", False, None, 0.5, 2, "previews/a.png")
    assert final_line(evolved, outcome)["preview"] == "previews/a.png"
    assert final_line(evolved, failed)["preview"] is None
    assert final_line(evolved, failed)["name"] is None
