"""Polishing: what may be asked, what the optimiser learns from the answers, and that it finds what there is to find."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from cmaes import CMA
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics._check import InputError
from ganetics._random import seed_of
from ganetics.catalogue import expression_of
from ganetics.expressions.text import parse, to_text
from ganetics.expressions.tree import Expression, complexity
from ganetics.search.polish import LARGEST_STEP, STEP, Polish, constants, with_constants
from ganetics.search.screen import screen, signature_of

ELITES = {
    "one constant": "p**3 + sqrt(3.985*y/p)",
    "a negative one": "p**2 + (-0.7)*y*(p + 0.5*p**2)",
    "a zero": "p**2 - 0.7*y*p + 0*p",
    "often rejected": "p - 1.2*y*p",
    "separate": "real: 0.5*(x - 1)**2; fake: 0.5*x**2; generator: 0.5*(x - 1)**2",
    "evolved": "exp(abs(p))*sqrt(3.781)**3 - (y*0.9754*log(p) - sqrt(sqrt(3.781)**3))",
    "larger than the screen's limit": "sin(sin(sin(sin(sin(p))))) + sqrt(3.985*y/p) + (p + p + p) + (p + p + p + p)",
}
NEVER_REJECTED = "real: 0.5*softplus(-x); fake: 3*softplus(x); generator: softplus(-x) + 0*x"
Value = Callable[[Expression], float]


@pytest.fixture(params=ELITES.values(), ids=ELITES)
def elite(request: pytest.FixtureRequest) -> Expression:
    return parse(request.param)


def near(*target: float) -> Value:
    """Return how far an expression's constants are from these, in relative terms: a sphere in the coordinates."""
    return lambda one: sum(math.log(c / t) ** 2 for c, t in zip(constants(one), target, strict=True))


def sideways(one: Expression) -> float:
    """A value that all constants change, with its least far off."""
    return sum(math.sin(k + 1.0 + 3.0 * c) + c / (k + 2) for k, c in enumerate(constants(one)))


def driven(polish: Polish, value: Value) -> list[list[Expression]]:
    """Answer until it is done; return what was asked, round by round."""
    rounds = []
    while not polish.done:
        rounds.append(polish.ask())
        polish.tell([value(candidate) for candidate in rounds[-1]])
    return rounds


def test_candidates_are_the_elite_but_for_its_constants(elite: Expression) -> None:
    start = constants(elite)
    seen: set[tuple[float, ...]] = set()
    for seed in range(8):
        for candidate in (
            c for asked in driven(Polish(elite, budget=30, population=6, seed=seed), sideways) for c in asked
        ):
            values = constants(candidate)
            assert with_constants(candidate, start) == elite
            assert parse(to_text(candidate)) == candidate
            assert all(value == float(f"{value:.4g}") for value in values)
            assert all(
                math.copysign(1, new) == math.copysign(1, old) for old, new in zip(start, values, strict=True) if old
            )
            seen.add(tuple(values))
    assert len(seen) > 100
    for i, old in enumerate(start):  # each of the constants is moved, a zero to both sides
        signs = {math.copysign(1, values[i] - old) for values in seen}
        assert signs == {-1, 1}


def test_size_is_not_what_is_polished() -> None:
    elite = parse(ELITES["larger than the screen's limit"])
    assert screen(elite).reason == "too large"
    assert len(Polish(elite, budget=6, population=6, seed=0).ask()) == 6


def test_only_what_trains_differently_is_asked(elite: Expression) -> None:
    for seed in range(8):
        for asked in driven(Polish(elite, budget=30, population=6, seed=seed), sideways):
            signatures = [signature_of(candidate) for candidate in asked]
            assert len({*signatures, signature_of(elite)}) == len(asked) + 1
            assert all(screen(c, max_depth=64, max_size=complexity(elite)).reason is None for c in asked)


def test_first_steps_are_as_large_as_said() -> None:
    elite = parse(NEVER_REJECTED)
    moves = []
    for seed in range(300):
        polish = Polish(elite, budget=6, population=6, seed=seed)
        for half, three, zero in map(constants, polish.ask()):
            moves.append([math.log(half / 0.5), math.log(three / 3), zero])
    found = np.array(moves)
    assert np.abs(found.mean(axis=0)).max() < 0.03
    assert np.abs(np.cov(found.T) - STEP**2 * np.eye(3)).max() < 0.006


@pytest.mark.parametrize(
    ("name", "value", "rejections", "twins"),
    [
        ("often rejected", sideways, 50, 0),
        ("one constant", near(5.0), 0, 20),  # the steps get smaller than what the signature tells apart
        ("separate", sideways, 0, 0),
        ("a zero", sideways, 0, 0),
    ],
)
def test_it_is_cma_es_with_what_is_not_trained_ranked_last(
    name: str, value: Value, rejections: int, twins: int
) -> None:
    """Against the library driven by hand, which gives every draw of a round a value."""
    elite = parse(ELITES[name])
    start, own = constants(elite), signature_of(elite)
    for seed in range(10):
        asked = driven(Polish(elite, budget=90, population=6, seed=seed), value)
        bounds = np.full((len(start), 2), (-LARGEST_STEP, LARGEST_STEP))
        draws = seed_of(seed, "polish") >> 31
        cma = CMA(mean=np.zeros(len(start)), sigma=STEP, bounds=bounds, population_size=6, seed=draws)
        for trained in asked:
            told, known = [], {}
            for _ in range(6):
                x = cma.ask()
                moved = [c * math.exp(d) if c else d for c, d in zip(start, x, strict=True)]
                candidate = with_constants(elite, [float(f"{new:.4g}") for new in moved])
                signature = signature_of(candidate)
                if screen(candidate).reason is None and signature != own:
                    twins -= signature in known
                    known.setdefault(signature, candidate)
                told.append((x, value(known[signature]) if signature in known else math.inf))
                rejections -= signature not in known
            assert list(known.values()) == trained
            cma.tell(told)
        assert len(asked) == 15
    assert rejections <= 0
    assert twins <= 0  # as many as this case is for, at least


def test_it_finds_the_constants() -> None:
    """Within 20 rounds nearer than the best of as many draws around the elite by far; for every seed."""
    elite, target = parse("2*p**2 - 3*y*p + exp(-1.5*p)"), near(3.1, 2.2, -1.1)
    for seed in range(5):
        polish = Polish(elite, budget=160, population=8, seed=seed)
        driven(polish, target)
        drawn = [Polish(elite, budget=8, population=8, seed=1000 + 20 * seed + k).ask() for k in range(20)]
        blind = min(target(candidate) for asked in drawn for candidate in asked)
        assert polish.best is not None
        assert target(polish.best) == polish.best_value < min(1e-3, blind / 5)


def test_a_zero_and_signs_are_found_where_they_can_be() -> None:
    polish = Polish(parse("-0.7*y*p + p**2 + 0*p**3"), budget=240, population=8, seed=0)
    driven(polish, lambda one: (constants(one)[0] + 1.2) ** 2 + (constants(one)[1] + 0.4) ** 2)
    assert polish.best is not None
    assert np.allclose(constants(polish.best), [-1.2, -0.4], atol=0.03)


def test_only_the_order_of_a_round_counts(elite: Expression) -> None:
    """So noise common to a round, and every monotone scale, leave no trace."""

    def asked(scale: Callable[[list[float], int], list[float]]) -> list[list[Expression]]:
        polish, rounds = Polish(elite, budget=36, population=6, seed=3), []
        while not polish.done:
            rounds.append(polish.ask())
            polish.tell(scale([sideways(candidate) for candidate in rounds[-1]], len(rounds)))
        return rounds

    plain = asked(lambda values, _: values)
    assert len(plain) == 6
    assert asked(lambda values, number: [math.exp(value) + 100 * number for value in values]) == plain
    assert asked(lambda values, _: [-value for value in values]) != plain


def test_a_failure_is_the_worst_of_its_round() -> None:
    def asked(failure: float | None) -> list[list[Expression]]:
        polish, rounds = Polish(parse(NEVER_REJECTED), budget=36, population=6, seed=3), []
        while not polish.done:
            rounds.append(polish.ask())
            values = [sideways(candidate) for candidate in rounds[-1]]
            assert len(values) == 6  # so no other counts as a failure
            polish.tell([value if failure is None or value < max(values) else failure for value in values])
        return rounds

    assert asked(math.inf) == asked(math.nan) == asked(-math.inf) == asked(None)


def test_of_nothing_but_failures_nothing_is_learnt() -> None:
    elite = parse(ELITES["separate"])
    moves = []
    for seed in range(60):
        rounds = driven(Polish(elite, budget=36, population=6, seed=seed), lambda _: math.inf)
        moves += [np.log(np.divide(constants(candidate), constants(elite))) for candidate in rounds[-1]]
    assert np.abs(np.mean(moves, axis=0)).max() < 0.06
    assert np.abs(np.std(moves, axis=0) - STEP).max() < 0.04


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.lists(st.floats(0, 10) | st.just(math.inf), min_size=6, max_size=6), min_size=4, max_size=4),
    st.sampled_from(sorted(ELITES)),
    st.integers(0, 2**63 - 1),
)
def test_the_values_told_are_all_there_is_to_its_state(values: list[list[float]], name: str, seed: int) -> None:
    elite = parse(ELITES[name])
    going, told = Polish(elite, budget=24, population=6, seed=seed), []
    while not going.done:
        resumed = Polish(elite, budget=24, population=6, seed=seed)
        for one in told:
            resumed.tell(one)
        assert resumed.ask() == going.ask() == going.ask()
        assert (resumed.best, resumed.best_value) == (going.best, going.best_value)
        told.append(values[len(told)][: len(going.ask())])
        going.tell(told[-1])
    assert 1 <= len(told) <= 4


def test_seeds_differ() -> None:
    firsts = [
        tuple(Polish(parse(ELITES["one constant"]), budget=6, population=6, seed=seed).ask()) for seed in range(20)
    ]
    assert len(set(firsts)) == 20


def test_the_best_is_the_first_of_the_smallest_of_all_rounds() -> None:
    polish = Polish(parse(NEVER_REJECTED), budget=23, population=5, seed=0)
    assert (polish.best, polish.best_value) == (None, math.inf)
    polish.tell([math.inf] * 5)
    assert polish.best is None
    second = polish.ask()
    polish.tell([3.0, 2.0, math.inf, 2.0, 4.0])
    assert (polish.best, polish.best_value) == (second[1], 2.0)
    polish.tell([2.0, 5.0, 2.5, 3.0, 4.0])
    assert polish.best == second[1]
    fourth = polish.ask()
    polish.tell([2.0, 5.0, 2.5, 1.0, 4.0])
    assert (polish.best, polish.best_value) == (fourth[3], 1.0)
    assert polish.done  # 20 of 23: a fifth round would be more than the budget
    assert polish.ask() == []


@pytest.mark.parametrize(
    "text",
    ["(y - p)**2 + p", "p**2 - y*p + 3", "3*(y - p)**2", "p**2 - y*p + sqrt(2) - 0*(3 - y/y)", "4*(p - y) + 5 - 3*p/2"],
    ids=["no constants", "a summand", "a factor", "several", "the screen rejects them all"],
)
def test_with_nothing_to_polish_it_is_done_at_once(text: str) -> None:
    polish = Polish(parse(text), budget=60, population=6, seed=0)
    assert polish.done
    assert polish.ask() == []
    assert polish.best is None
    with pytest.raises(InputError, match="must be told 0 values"):
        polish.tell([])


def test_no_constant_moves_by_more_than_a_hundred_times() -> None:
    elite = parse("p**3 + sqrt(3*y/p) + 0*p")
    polish = Polish(elite, budget=600, population=6, seed=0)
    asked = [constants(c) for one in driven(polish, lambda one: -sum(constants(one))) for c in one]
    assert max(three for three, _ in asked) > 200
    assert max(three for three, _ in asked) <= 300.0
    assert max(zero for _, zero in asked) <= 4.606


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("ganetic", True),
        ("non-saturating", True),
        ("hinge", True),
        ("f-pearson", True),
        ("wasserstein", False),  # has no constants
        ("f-js", False),  # as summands alone
    ],
)
def test_losses_of_the_catalogue_are_polished_where_they_can_be(name: str, some: bool) -> None:
    expression = expression_of(name)
    assert expression is not None
    assert Polish(expression, budget=6, population=6, seed=0).done != some


@pytest.mark.parametrize(
    ("budget", "population", "message"),
    [(18, 3, "population must be at least 4, got 3"), (5, 6, "budget must be at least 6, got 5")],
)
def test_wrong_numbers_are_refused(budget: int, population: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Polish(parse(ELITES["separate"]), budget=budget, population=population, seed=0)


def test_a_wrong_number_of_values_is_refused_and_changes_nothing() -> None:
    polish = Polish(parse(NEVER_REJECTED), budget=18, population=6, seed=0)
    before = polish.ask()
    with pytest.raises(InputError, match="must be told 6 values, one a candidate, got 5"):
        polish.tell([0.0] * 5)
    assert polish.ask() == before


def test_constants_are_put_where_they_were_read(elite: Expression) -> None:
    other = [100.0 + i for i in range(len(constants(elite)))]
    assert with_constants(elite, constants(elite)) == elite
    assert constants(with_constants(elite, other)) == other
    with pytest.raises(ValueError, match="values must be"):
        with_constants(elite, [*other, 1.0])


def test_constants_are_in_the_order_of_the_text() -> None:
    assert constants(parse("real: 2*x + 3; fake: 4 - x; generator: tanh(5*x)/6")) == [2, 3, 4, 5, 6]
