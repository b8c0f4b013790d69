"""A search among losses of pairs: what it trains, what it keeps, and what is made of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ganetics._check import InputError
from ganetics._random import numpy_generator
from ganetics.catalogue import expression_of, loss_named_or_parsed, paired_expression_of
from ganetics.cli.guesses import guesses_given
from ganetics.cli.losses_given import contenders_given
from ganetics.expressions.separate import mirrored, negated
from ganetics.expressions.text import parse
from ganetics.expressions.tree import Separate, size
from ganetics.losses import RelativisticPairing
from ganetics.report.search import write_search_report
from ganetics.search import SearchResult
from ganetics.search.config import SearchConfig
from ganetics.search.evolve import Search
from ganetics.search.finals import rivals
from ganetics.search.guesses import guessed
from ganetics.search.pairs import as_pairs, trained_as
from ganetics.trial import TrialJob, TrialReply

FOUND = "relativistic-pairing(real: softplus(-x) - x*0.6666; fake: x; generator: abs(x) - x*abs(x))"


@pytest.fixture(scope="session")
def pairs(config: SearchConfig) -> SearchConfig:
    changes = {"mode": "pairs", "guesses": (FOUND, "hinge"), "rivals": ("relativistic-pairing", "hinge")}
    return config.model_copy(update=changes)


@pytest.fixture(scope="session")
def done(
    pairs: SearchConfig,
    fakes: ModuleType,
    search: Callable[..., SearchResult],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[str]]:
    """Return the folder of a search, and the losses that it had trained."""
    folder, trained = tmp_path_factory.mktemp("pairs") / "run", []

    def trial(job: TrialJob) -> TrialReply:
        trained.append(job.loss)
        reply: TrialReply = fakes.trial(job)
        return reply

    search(folder, pairs, job=trial)
    return folder, trained


def test_every_candidate_is_trained_in_pairs(done: tuple[Path, list[str]]) -> None:
    folder, trained = done
    lines = [json.loads(line) for line in (folder / "archive.jsonl").read_text().splitlines()]
    born = [line["born"] for line in lines if "born" in line]
    assert len(born) > 5
    assert {one["origin"] for one in born} > {"guess", "random", "crossover"}
    for one in born:
        base = parse(one["expression"])
        assert isinstance(base, Separate)
        assert base.fake == mirrored(base.real)
    assert {f"relativistic-pairing({one['expression']})" for one in born} <= set(trained)
    others = {loss for loss in trained if not loss.startswith("relativistic-pairing(")}
    assert others == {"relativistic-pairing", "hinge"}
    assert isinstance(loss_named_or_parsed(trained[0]), RelativisticPairing)


def test_it_goes_on_to_the_same_result(
    done: tuple[Path, list[str]], pairs: SearchConfig, search: Callable[..., SearchResult], tmp_path: Path
) -> None:
    folder = done[0]
    lines = (folder / "archive.jsonl").read_text().splitlines(keepends=True)
    for kept in (7, len(lines) - 3):
        part = tmp_path / str(kept)
        part.mkdir()
        for name in ("config.json", "environment.json"):
            if (folder / name).exists():
                (part / name).write_bytes((folder / name).read_bytes())
        (part / "archive.jsonl").write_text("".join(lines[:kept]))
        search(part, pairs)
        for name in ("archive.jsonl", "hall_of_fame.json"):
            assert (part / name).read_bytes() == (folder / name).read_bytes()


def test_its_hall_of_fame_is_read_as_losses_of_pairs(done: tuple[Path, list[str]], tmp_path: Path) -> None:
    fame = json.loads((done[0] / "hall_of_fame.json").read_text())
    found = [entry for entry in fame if entry["name"] is None]
    rivals_of = {entry["name"]: entry for entry in fame if entry["name"] is not None}
    assert len(found) == 2
    assert set(rivals_of) == {"relativistic-pairing", "hinge"}
    for entry in [*found, rivals_of["relativistic-pairing"]]:
        base = parse(entry["expression"])
        assert isinstance(base, Separate)
        assert entry["paired"] is True
        assert entry["complexity"] == size(base.real) + size(base.generator)
        assert (entry["latex"], entry["mathml"]) == (None, None)
    # the search has trained pairs of hinge, which hinge itself is not
    hinge = rivals_of["hinge"]
    assert (hinge["expression"], hinge["complexity"]) == ("real: relu(1 - x); fake: relu(1 + x); generator: -x", 10)
    assert ("paired" in hinge, hinge["candidate"], hinge["search_fid"]) == (False, None, None)
    (file := tmp_path / "run" / "hall_of_fame.json").parent.mkdir()
    file.write_text(json.dumps(fame))
    losses = [one.loss for one in contenders_given(f"@{file}")]
    assert losses == [entry["name"] or f"relativistic-pairing({entry['expression']})" for entry in fame]
    (best,) = contenders_given(f"best=@{file}")
    assert best.loss == f"relativistic-pairing({found[0]['expression']})"
    assert isinstance(loss_named_or_parsed(best.loss), RelativisticPairing)
    assert guesses_given([], file, mode="pairs") == tuple(losses)
    assert guesses_given([], file, mode="separate") == ("hinge",)
    with pytest.raises(InputError, match=r"--guess: @.*: must be no losses of pairs but in pairs mode, got 'relativ"):
        guesses_given([f"@{file}"], None, mode="tied")


def test_the_page_says_how_pairs_are_used(done: tuple[Path, list[str]]) -> None:
    page = write_search_report(done[0]).read_text(encoding="utf-8")
    assert "of x = real − generated logit" in page
    assert "relativistic-pairing(real: " in page
    assert "the discriminator&#39;s term, scaled" in page
    assert "the fake term" not in page
    assert "difference x of two logits; second line" in page
    assert "--mode pairs" in page
    assert "def generator_loss(fake_logits: torch.Tensor, real_logits: torch.Tensor)" in page


def test_what_a_search_begins_with_is_what_pairs_are_taken_of(pairs: SearchConfig) -> None:
    first, second = guessed(pairs)
    assert first == parse("real: softplus(-x) - x*0.6666; fake: softplus(x) - -x*0.6666; generator: abs(x) - x*abs(x)")
    assert second == parse("real: relu(1 - x); fake: relu(1 + x); generator: -x")
    (tied,) = guessed(pairs.model_copy(update={"guesses": ("non-saturating",)}))
    assert tied == parse("real: softplus(-x); fake: softplus(x); generator: softplus(-x)")
    with pytest.raises(InputError, match="guesses: must be losses that are expressions, got 'relativistic-average'"):
        guessed(pairs.model_copy(update={"guesses": ("relativistic-average",)}))
    with pytest.raises(InputError, match="guesses: must be no losses of pairs but in pairs mode, got 'relativistic-pa"):
        guessed(pairs.model_copy(update={"mode": "separate"}))


def test_rivals_that_are_no_pairs_keep_no_finalist_out(pairs: SearchConfig) -> None:
    names, known = rivals(pairs.model_copy(update={"rivals": ("relativistic-pairing", "hinge", "wasserstein")}))
    assert names == ["relativistic-pairing", "hinge", "wasserstein"]
    base = paired_expression_of("relativistic-pairing")
    assert base is not None
    assert known == [as_pairs(base)]
    assert rivals(pairs.model_copy(update={"mode": "separate"}))[1] == [expression_of("hinge")]


def test_a_change_of_the_fake_term_alone_is_not_lost() -> None:
    before = as_pairs(parse("real: -x; fake: x; generator: -x"))
    changed = parse("real: -x; fake: relu(1 + x); generator: -x")
    assert as_pairs(changed, before) == parse("real: relu(1 - x); fake: relu(1 + x); generator: -x")
    assert as_pairs(changed) == before


def test_random_losses_are_seldom_the_same(pairs: SearchConfig) -> None:
    search = Search(pairs.model_copy(update={"guesses": ()}))
    random = numpy_generator(0, "test")
    found: list[Any] = [search._random(random)[0] for _ in range(60)]
    assert len(set(found)) > 50
    assert all(one.fake == mirrored(one.real) for one in found)
    assert sum(one.generator == negated(one.fake) for one in found) > 5
    assert trained_as("p", "tied") == "p"
