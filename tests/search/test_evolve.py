"""Evolution: proposals follow from configuration and archive, and everybody in them is new."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ganetics._check import InputError
from ganetics.expressions.text import parse, to_text
from ganetics.expressions.tree import Tied, complexity, depth, size
from ganetics.records import Outcome, SearchConfig
from ganetics.search.evolve import NEARLY_THE_SAME, Candidate, Search, best, candidates, trial_line
from ganetics.search.screen import difference, screen, signature_of

GENERATIONS, POPULATION, ELITES = 4, 12, 3
CHILDREN = POPULATION - ELITES
Line = dict[str, Any]


def chance(*name: object) -> float:
    return int(hashlib.sha256(repr(name).encode()).hexdigest()[:8], 16) / 2**32


def outcome(candidate: Candidate, *, failing: float = 0.2, salt: str = "") -> Outcome:
    name = to_text(candidate.expression), candidate.seed, salt
    metrics = None if chance("fails", *name) < failing else {"fid": math.exp(5 * chance(*name))}
    return Outcome(step=1, seed=candidate.seed, metrics=metrics, data="", extractor="", recipe="")


def evolved(
    config: SearchConfig, judge: Callable[[Candidate], Outcome] = outcome, *, generations: int = GENERATIONS
) -> Iterator[Line]:
    search = Search(config)
    for number in range(generations):
        for candidate in search.generation(number):
            result = judge(candidate)
            # as it comes back from the archive
            yield json.loads(json.dumps(trial_line(candidate, result, search.add(candidate, result))))


@pytest.fixture(scope="module")
def wide(config: SearchConfig) -> SearchConfig:
    return config.model_copy(update={"population": POPULATION, "elites": ELITES, "guesses": ("ganetic", "(y - p)**2")})


@pytest.fixture(scope="module")
def lines(wide: SearchConfig) -> list[Line]:
    return list(evolved(wide))


def generation(lines: list[Line], number: int) -> list[Line]:
    return [line for line in lines if line["generation"] == number]


def test_generations_have_their_sizes_and_their_seeds(lines: list[Line]) -> None:
    assert [line["index"] for line in lines] == list(range(POPULATION + 3 * CHILDREN))
    for number in range(GENERATIONS):
        members = generation(lines, number)
        assert len(members) == (POPULATION if number == 0 else CHILDREN)
        assert len({line["seed"] for line in members}) == 1
    assert len({line["seed"] for line in lines}) == GENERATIONS


def test_proposals_follow_from_configuration_and_results_alone(wide: SearchConfig, lines: list[Line]) -> None:
    assert list(evolved(wide)) == lines
    other_seed = list(evolved(wide.model_copy(update={"seed": 1}), generations=1))
    assert [line["expression"] for line in other_seed[2:]] != [line["expression"] for line in lines[2:POPULATION]]


def test_a_result_changes_later_generations_and_no_earlier_one(wide: SearchConfig, lines: list[Line]) -> None:
    def judge(candidate: Candidate) -> Outcome:
        return outcome(candidate, salt="other" if candidate.generation == 1 else "")

    changed = list(evolved(wide, judge))
    texts = [[line["expression"] for line in run] for run in (lines, changed)]
    same = POPULATION + CHILDREN
    assert texts[0][:same] == texts[1][:same]
    assert texts[0][same:] != texts[1][same:]


def test_parents_are_the_elites_and_the_last_generation(wide: SearchConfig, lines: list[Line]) -> None:
    fitness = {line["index"]: math.inf if line["fitness"] is None else line["fitness"] for line in lines}
    population = [line["index"] for line in generation(lines, 0)]
    used = []
    for number in range(1, GENERATIONS):
        members = generation(lines, number)
        parents = {parent for line in members for parent in line["parents"]}
        assert parents <= set(population)
        used.append(len(parents))
        elites = sorted(population, key=lambda index: (fitness[index], index))[:ELITES]
        population = elites + [line["index"] for line in members]
    assert min(used) >= 5


def test_elites_can_have_children_for_ever(wide: SearchConfig) -> None:
    """The first guess is by far the best: with it as an elite it stays a parent, without elites it does not."""

    def judge(candidate: Candidate) -> Outcome:
        fid = 1e-6 if candidate.index == 0 else 1.0 + chance(candidate.index)
        return outcome(candidate, failing=0).model_copy(update={"metrics": {"fid": fid}})

    for elites in (1, 0):
        run = list(evolved(wide.model_copy(update={"elites": elites, "tournament": 8}), judge))
        parents = [{p for line in generation(run, n) for p in line["parents"]} for n in range(1, GENERATIONS)]
        assert [0 in members for members in parents] == [True, elites == 1, elites == 1]


@pytest.mark.parametrize("failing", [0.5, 0.9])
def test_failures_have_no_children_while_others_live(wide: SearchConfig, failing: float) -> None:
    run = list(evolved(wide, lambda candidate: outcome(candidate, failing=failing)))
    fitness = {line["index"]: line["fitness"] for line in run}
    assert sum(value is None for value in fitness.values()) > 10
    with_parents = [line for line in run if line["parents"]]
    assert len(with_parents) > 10
    for line in with_parents:
        assert all(fitness[parent] is not None for parent in line["parents"])


def test_where_all_have_failed_new_trees_are_drawn(wide: SearchConfig) -> None:
    run = list(evolved(wide, lambda candidate: outcome(candidate, failing=1), generations=2))
    assert len(run) == POPULATION + CHILDREN
    assert {line["origin"] for line in run[2:]} == {"random"}
    assert all(line["parents"] == [] for line in run)


def test_everything_trained_passes_the_screen_and_trains_differently(wide: SearchConfig, lines: list[Line]) -> None:
    expressions = [parse(line["expression"]) for line in lines]
    for expression, line in zip(expressions, lines, strict=True):
        assert isinstance(expression, Tied)
        assert screen(expression, max_depth=wide.max_depth, max_size=wide.max_size).reason is None
        assert depth(expression.tree) <= wide.max_depth
        assert line["complexity"] == complexity(expression) == size(expression.tree) <= wide.max_size
    assert len({signature_of(expression) for expression in expressions}) == len(lines)


def test_the_archive_tells_how_everybody_came_about(lines: list[Line]) -> None:
    origins = [line["origin"] for line in lines]
    assert origins[:POPULATION] == ["guess"] * 2 + ["random"] * (POPULATION - 2)
    assert set(origins[POPULATION:]) == {"crossover", "subtree", "point", "constant"}
    for line in lines:
        assert len(line["parents"]) == {"guess": 0, "random": 0, "crossover": 2}.get(line["origin"], 1)
        assert set(line["rejected"]) <= {"variables", "steep", "target", "optimum", "twin", "not finite", "too large"}
    assert sum(sum(line["rejected"].values()) for line in lines[2:POPULATION]) > 100
    assert any("twin" in line["rejected"] for line in lines[POPULATION:])


@pytest.mark.parametrize(("share", "origins"), [(1.0, {"crossover"}), (0.0, {"subtree", "point", "constant"})])
def test_children_are_made_in_the_shares_asked_for(wide: SearchConfig, share: float, origins: set[str]) -> None:
    run = list(evolved(wide.model_copy(update={"crossover": share}), generations=2))
    assert len(run) == POPULATION + CHILDREN
    assert {line["origin"] for line in run[POPULATION:]} <= origins


def test_fitness_is_log_distance_and_a_price_for_size(wide: SearchConfig, lines: list[Line]) -> None:
    for line in lines:
        metrics = line["outcome"]["metrics"]
        if metrics is None:
            assert line["fitness"] is None
        else:
            assert line["fitness"] == pytest.approx(math.log(metrics["fid"]) + 0.002 * line["complexity"])


def test_guesses_are_all_in_the_first_generation_and_of_twins_the_first(config: SearchConfig) -> None:
    guesses = ("2*y*p - p", "(y - p)**2", "p*p - 2*y*p", "ganetic", "3*(y - p)**2", "p + y", "p**3", "p*y + p")
    made = Search(config.model_copy(update={"guesses": guesses})).generation(0)
    assert [to_text(candidate.expression) for candidate in made] == [
        "2*y*p - p",  # whatever the screen says: the optimum falls
        "(y - p)**2",  # its twin comes third
        "p**3 + sqrt(3.985*y/p)",
        "p + y",
        "p**3",
        "p*y + p",
    ]  # more than the population of 5
    assert [candidate.index for candidate in made] == list(range(6))


def test_no_random_tree_is_a_guesss_twin(config: SearchConfig) -> None:
    """What is drawn next without a guess is not drawn with it."""
    first = Search(config.model_copy(update={"guesses": ()})).generation(0)
    # the generator of a place does not depend on the others, so place 1 draws again what was made for it
    twin = f"3*({to_text(first[1].expression)})"
    second = Search(config.model_copy(update={"guesses": (twin,)})).generation(0)
    assert second[1].expression != first[1].expression
    assert second[1].rejected["twin"] >= 1
    assert second[2:] == first[2:]


def test_the_last_generation_is_cut(config: SearchConfig) -> None:
    for limit, sizes in ((3, [3]), (5, [5]), (11, [5, 4, 2])):
        search = Search(config)
        made = []
        for members in candidates(search, limit):
            made.append(len(members))
            for candidate in members:
                search.add(candidate, outcome(candidate))
        assert made == sizes


@pytest.mark.parametrize("elites", [5, 6])
def test_elites_must_leave_room(config: SearchConfig, elites: int) -> None:
    with pytest.raises(InputError, match="elites: must be fewer than the population"):
        Search(config.model_copy(update={"elites": elites}))


def test_the_best_are_the_best_of_those_that_are_not_nearly_the_same(lines: list[Line]) -> None:
    alive = sorted((line for line in lines if line["fitness"] is not None), key=lambda line: line["fitness"])
    expressions = {line["index"]: parse(line["expression"]) for line in alive}
    beside = [parse("p - 2*y*p"), expressions[alive[2]["index"]]]
    expected: list[Line] = []
    for line in alive:
        others = beside + [expressions[one["index"]] for one in expected]
        if min(difference(expressions[line["index"]], other) for other in others) > NEARLY_THE_SAME:
            expected.append(line)
    assert 3 < len(expected) < len(alive) - 1
    assert alive[2] not in expected
    assert best(lines, 1000, beside=beside) == expected
    assert best(lines[::-1], 3, beside=beside) == expected[:3]
    assert best(lines, 0) == []


def test_of_equals_the_earlier_one_is_better(lines: list[Line]) -> None:
    alive = [{**line, "fitness": 1.0} for line in lines if line["fitness"] is not None]
    assert [line["index"] for line in best(alive[::-1], 1)] == [alive[0]["index"]]
