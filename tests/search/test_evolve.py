"""The search itself: who is tried when follows from the configuration and the results seen, and from nothing else."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ganetics._check import InputError
from ganetics.catalogue import expression_of
from ganetics.expressions.primitives import Array
from ganetics.expressions.text import parse, to_text
from ganetics.expressions.tree import Separate, Tied, complexity, trees
from ganetics.search import evolve
from ganetics.search.config import Rung, SearchConfig
from ganetics.search.evolve import NEARLY_THE_SAME, Search, finalists
from ganetics.search.guesses import guessed
from ganetics.search.objectives import FAILED, Objectives
from ganetics.search.rungs import Candidate, Trial
from ganetics.search.screen import difference, screen, signature_of
from ganetics.search.surrogate import FEWEST

Run = tuple[float, int]
Judge = Callable[[Trial], float]
NOBODY = math.inf


def chance(*name: object) -> float:
    return int(hashlib.sha256(repr(name).encode()).hexdigest()[:8], 16) / 2**32


def judged(trial: Trial, *, failing: float = 1 / 6, salt: str = "") -> float:
    name = trial.candidate.text, trial.rung, trial.run, salt
    return math.inf if chance("fails", *name) < failing else 6 * chance(*name)


def driven(search: Search, judge: Judge = judged, *, until: int, scripted: bool = False) -> Search:
    """Go on with a search as its driver does: as many trials open as may be, results in their order."""
    while len(search.results) < until:
        while search.open < search.config.lag and len(search.trials) < until:
            if search.decide(made_up(len(search.candidates)) if scripted else None) is None:
                until = len(search.trials)
        if search.open:
            search.commit(judge(search.trials[len(search.results)]))
    return search


def made_up(number: int) -> Candidate:
    """Return a candidate that is never drawn nor screened."""
    return Candidate(number, f"{number + 2}*y*p", 3 + number % 5, str(number), "random")


def places(search: Search) -> list[tuple[int, int, Run]]:
    return [(trial.candidate.number, trial.rung, trial.run) for trial in search.trials]


def texts(search: Search) -> list[tuple[str, int, Run]]:
    return [(trial.candidate.text, trial.rung, trial.run) for trial in search.trials]


def changed(config: SearchConfig, **changes: Any) -> SearchConfig:
    return SearchConfig.model_validate({**config.model_dump(), **changes})


@pytest.fixture(scope="module")
def wide(config: SearchConfig) -> SearchConfig:
    return changed(config, trials=150, guesses=("ganetic", "(y - p)**2"))


@pytest.fixture(scope="module")
def searched(wide: SearchConfig) -> Search:
    return driven(Search(wide), until=150)


# --- successive halving


class Halving:
    """The rules said again, from the paper: everything is looked up anew in the results seen, at every decision."""

    def __init__(self, config: SearchConfig, share: tuple[int, int]) -> None:
        self.config, self.share = config, share
        self.decided: list[tuple[int, int, Run]] = []
        self.results: list[float] = []
        self.queue: list[tuple[int, int, Run]] = []
        self.reached: list[int] = []  # of each candidate the rung that it is on the way to
        self.known: dict[tuple[int, Rung, Run], float] = {}

    def decide(self) -> None:
        seen = max(0, len(self.decided) - self.config.lag + 1)
        rungs, self.known = self.config.rungs, {}
        for (number, rung, run), value in zip(self.decided[:seen], self.results[:seen], strict=True):
            for other in rungs:
                if (other.steps, other.samples) == (rungs[rung].steps, rungs[rung].samples):
                    self.known[number, other, run] = value
        if not self.queue:
            number, to = self.promoted() or (len(self.reached), 0)
            self.reached[number : number + 1] = [to]
            runs = [(rate, seed) for seed in range(rungs[to].seeds) for rate in rungs[to].rates]
            self.queue = [(number, to, run) for run in runs if (number, rungs[to], run) not in self.known]
        self.decided.append(self.queue.pop(0))

    def promoted(self) -> tuple[int, int] | None:
        for rung in reversed(range(len(self.config.rungs) - 1)):
            arrived = [number for number, reached in enumerate(self.reached) if reached >= rung]
            finished = sorted((score, n) for n in arrived if (score := self.score(n, rung)) is not None)
            room = len(finished) * self.share[0] // self.share[1]
            if sum(self.reached[number] > rung for number in arrived) >= room:
                continue
            for score, number in finished[:room]:
                if self.reached[number] == rung and score < FAILED:
                    self.reached[number] = rung + 1
                    return number, rung + 1
        return None

    def score(self, number: int, rung: int) -> float | None:
        plan = self.config.rungs[rung]
        runs = [(rate, seed) for rate in plan.rates for seed in range(plan.seeds)]
        if any((number, plan, run) not in self.known for run in runs):
            return None
        values = [self.known[number, plan, (1.0, seed)] for seed in range(plan.seeds)]
        if max(values) == math.inf:
            return FAILED
        return math.fsum(values) / len(values) + self.config.parsimony * made_up(number).complexity


RUNGS = st.lists(
    st.builds(
        Rung,
        steps=st.sampled_from([10, 20, 40]),
        seeds=st.integers(1, 3),
        rates=st.sampled_from([(1.0,), (1.0,), (0.5, 1.0), (3.0, 1.0, 0.3)]),
        samples=st.sampled_from([None, None, 20]),
    ),
    min_size=1,
    max_size=4,
).map(lambda rungs: sorted(rungs, key=lambda rung: (rung.steps, rung.seeds)))


@given(
    rungs=RUNGS,
    share=st.sampled_from([(1, 2), (1, 3), (1, 4), (2, 3)]),
    lag=st.integers(1, 9),
    failing=st.sampled_from([0.0, 0.2, 0.9]),
    salt=st.integers(0, 10**6),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_promotion_is_asynchronous_successive_halving(
    rungs: list[Rung], share: tuple[int, int], lag: int, failing: float, salt: int, config: SearchConfig
) -> None:
    def value(number: int, rung: int, run: Run) -> float:
        name = number, rung, run, salt
        return math.inf if chance("fails", *name) < failing else round(6 * chance(*name), 1)  # with ties

    assume(rungs[-1].steps == 40)
    try:
        config = changed(config, rungs=rungs, promote=share[0] / share[1], lag=lag)
    except ValidationError:
        assume(False)
    found = driven(
        Search(config), lambda trial: value(trial.candidate.number, trial.rung, trial.run), until=60, scripted=True
    )
    expected = Halving(config, share)
    for _ in range(60):
        expected.decide()
        expected.results.append(value(*expected.decided[-1]))
    assert places(found) == expected.decided


def test_who_is_promoted_when(config: SearchConfig) -> None:
    """Half of those that finished go on, the best first, and never more than half; a failed one never does."""
    config = changed(config, rungs=[{"steps": 10}, {"steps": 40}], lag=1)
    values = [3.0, 2.0, math.inf, 2.5, 1.0, math.inf, math.inf, 2.6, math.inf, math.inf]
    found = driven(
        Search(config),
        lambda trial: values[trial.candidate.number] if trial.rung == 0 else 5.0,
        until=15,
        scripted=True,
    )
    assert [(number, rung) for number, rung, _ in places(found)] == [
        (0, 0), (1, 0), (1, 1), (2, 0), (3, 0), (3, 1), (4, 0), (5, 0), (4, 1), (6, 0), (7, 0), (7, 1), (8, 0), (9, 0),
        (0, 1),
    ]  # fmt: skip
    assert found.finished() == [10, 4]


@pytest.mark.parametrize("lag", [1, 3, 8])
def test_a_result_is_seen_exactly_lag_trials_later(lag: int, config: SearchConfig) -> None:
    """A perfect result brings its loss up as soon as it may be seen, and changes nothing before."""
    config = changed(config, rungs=[{"steps": 10}, {"steps": 40}], lag=lag)

    def searched_with(perfect: int | None) -> Search:
        return driven(Search(config), lambda t: 0.0 if t.index == perfect else 5.0, until=60, scripted=True)

    def first_change(perfect: int) -> int | None:
        runs = zip(places(searched_with(None)), places(searched_with(perfect)), strict=True)
        return next((n for n, (one, other) in enumerate(runs) if one != other), None)

    rung_0 = [n for n, (_, rung, _) in enumerate(places(searched_with(None))) if rung == 0]
    changes = [(n, change) for n in rung_0[5:25] if (change := first_change(n)) is not None]
    assert all(change >= n + lag for n, change in changes)
    assert sum(change == n + lag for n, change in changes) >= 3


def test_proposals_see_no_later_results_either(wide: SearchConfig) -> None:
    config, exactly = changed(wide, rungs=[{"steps": 40}]), []
    plain = texts(driven(Search(config), until=24))
    for perfect in range(8, 18, 2):
        found = texts(driven(Search(config), lambda t, at=perfect: 0.0 if t.index == at else judged(t), until=24))
        first = next((n for n, (one, other) in enumerate(zip(found, plain, strict=True)) if one != other), math.inf)
        assert first >= perfect + config.lag
        exactly.append(first == perfect + config.lag)
    assert sum(exactly) > 1


def test_all_climb_the_same_rungs_on_the_same_seeds(searched: Search, wide: SearchConfig) -> None:
    seeds = {(trial.run[1], trial.seed) for trial in searched.trials}
    assert len(seeds) == len({seed for _, seed in seeds}) == 3
    assert all(trial.steps == wide.rungs[trial.rung].steps for trial in searched.trials)
    runs: dict[tuple[int, int], list[Run]] = {}
    for number, rung, run in places(searched):
        runs.setdefault((number, rung), []).append(run)
    for (_, rung), found in [*runs.items()][:-1]:  # the last may be under way
        two, rest = [(1.0, 0), (1.0, 1)], [(0.5, 0), (0.5, 1), (0.5, 2), (1.0, 2)]
        assert found == ([(1.0, 0)], two, two, rest)[rung]
    assert sum(rung == 3 for _, rung in runs) >= 3
    assert [trial.born for trial in searched.trials] == [
        trial.rung == 0 and trial.run == (1.0, 0) for trial in searched.trials
    ]


# --- births


def naive_ranking(search: Search, seen: int) -> list[int]:
    """Return who can have children, best first, from the first so many results."""
    rungs, values = search.config.rungs, {}
    for trial, result in zip(search.trials[:seen], search.results, strict=False):
        values[trial.candidate.number, trial.rung, trial.run] = result

    def complete(number: int, rung: int) -> dict[Run, float] | None:
        known = {
            run: value for (n, r, run), value in values.items() if n == number and rungs[r].steps == rungs[rung].steps
        }
        wanted = [(rate, seed) for rate in rungs[rung].rates for seed in range(rungs[rung].seeds)]
        at_all = any((number, rung, run) in values for run in wanted)
        return {run: known[run] for run in wanted} if at_all and set(wanted) <= set(known) else None

    ranking: list[int] = []
    numbers = range(len(search.candidates))
    for rung in range(len(rungs) - 1, -1, -1):
        found = {n: runs for n in numbers if n not in ranking and (runs := complete(n, rung))}
        higher = {n for n in found if any(complete(n, above) for above in range(rung + 1, len(rungs)))}
        if rung == len(rungs) - 1:
            points = {}
            for n, runs in found.items():
                means = [sum(runs[rate, seed] for seed in (0, 1, 2)) / 3 for rate in (0.5, 1.0)]
                if min(means) < FAILED:
                    points[n] = (min(means), max(runs.values()))
            while points:
                front = [
                    n for n, p in points.items()
                    if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points.values())
                ]  # fmt: skip
                ranking += sorted(front, key=lambda n: (points[n][0], n))
                points = {n: p for n, p in points.items() if n not in front}
            continue
        scores = {}
        for n in set(found) - higher:
            at_one = [found[n][1.0, seed] for seed in range(rungs[rung].seeds)]
            if max(at_one) < FAILED:
                scores[n] = sum(at_one) / len(at_one) + search.config.parsimony * search.candidates[n].complexity
        ranking += sorted(scores, key=lambda n: (scores[n], n))
    return ranking


def test_the_ranking_is_by_rung_then_front_then_score(wide: SearchConfig, searched: Search) -> None:
    search, compared = Search(wide), 0
    for until in range(5, 150, 7):
        driven(search, until=until)
        seen = len(search.trials) - wide.lag
        expected = naive_ranking(search, seen)
        assert [one.number for one in search.ranking()] == expected
        compared += len(search.finished()) == 4 and search.finished()[3] > 1
    assert compared > 5
    assert texts(search) == texts(searched)[: len(search.trials)]


@pytest.mark.parametrize(("population", "tournament"), [(5, 2), (12, 1)])
def test_parents_are_of_the_best_that_were_seen(population: int, tournament: int, wide: SearchConfig) -> None:
    config = changed(wide, population=population, tournament=tournament)
    search = driven(Search(config), until=150)
    used: Counter[int] = Counter()
    for trial in search.trials:
        if trial.born and trial.candidate.parents:
            best = naive_ranking(search, trial.index - wide.lag + 1)[:population]
            assert set(trial.candidate.parents) <= set(best)
            used.update(best.index(parent) for parent in trial.candidate.parents)
    assert used.total() > 20
    assert set(used) == set(range(population))


def test_tournaments_are_won_by_the_best(wide: SearchConfig) -> None:
    shares = []
    for tournament in (1, 20):
        config = changed(wide, tournament=tournament, immigrants=0, choices=1, rungs=[{"steps": 40}])
        search = driven(Search(config), lambda t: 0.0 if t.index == 0 else 1.0 + chance(t.index), until=60)
        children = [one.parents for one in search.candidates if one.parents]
        shares.append(sum(0 in parents for parents in children) / len(children))
    assert shares[0] < 0.6 < 0.9 < shares[1]


def test_where_all_have_failed_new_trees_are_drawn(wide: SearchConfig) -> None:
    search = driven(Search(wide), lambda _: math.inf, until=30)
    assert [one.origin for one in search.candidates] == ["guess"] * 2 + ["random"] * 28
    assert (search.best, search.front, list(search.ranking()), finalists(search)) == (None, [], [], [])


def test_who_fails_at_all_rates_of_the_last_rung_is_nobodys_parent_and_no_finalist(wide: SearchConfig) -> None:
    """It was good enough to come there, and is simpler than all others."""
    config = changed(wide, guesses=("p - 2*y*p", "(y - p)**2"), rungs=[{"steps": 10}, {"steps": 40}], lag=1)

    def judge(trial: Trial) -> float:
        return 0.0 if trial.rung == 0 and trial.index == 0 else math.inf if trial.rung else 5.0

    search = driven(Search(config), judge, until=50)
    search.settle()
    assert (search.trials[2].candidate.number, search.trials[2].rung) == (0, 1)
    assert search.finished()[1] > 5
    assert search.front == []
    assert list(search.ranking()) != []
    failed = {trial.candidate.number for trial in search.trials if trial.rung}
    assert not failed & {one.number for one in (*search.ranking(), *finalists(search))}
    parents = [one.parents for one in search.candidates if one.parents]
    assert len(parents) > 10
    assert not any(0 in both for both in parents)


@pytest.mark.parametrize("mode", ["tied", "separate"])
def test_everything_trained_passes_the_screen_and_trains_differently(mode: str, wide: SearchConfig) -> None:
    config = changed(wide, mode=mode)
    search = driven(Search(config), until=100)
    expressions = [one.expression for one in search.candidates]
    for expression, one in zip(expressions, search.candidates, strict=True):
        assert isinstance(expression, Tied if mode == "tied" else Separate)
        assert one.signature == signature_of(expression)
        assert one.complexity == complexity(expression) == sum(map(complexity_of_tree, trees(expression)))
        if one.origin != "guess":
            found = screen(expression, max_depth=config.max_depth, max_size=config.max_size)
            assert (found.reason, found.signature) == (None, one.signature)
    assert len({one.signature for one in search.candidates}) == len(expressions) > 20
    origins = {one.origin for one in search.candidates}
    assert origins <= {"guess", "random", "crossover", "subtree", "point", "constant", "copy"}
    assert {"guess", "random", "crossover"} < origins


def complexity_of_tree(tree: Any) -> int:
    return 1 + sum(map(complexity_of_tree, getattr(tree, "arguments", ())))


def test_a_candidate_tells_how_it_came_about(searched: Search) -> None:
    for number, one in enumerate(searched.candidates):
        assert one.number == number
        assert len(one.parents) == {"guess": 0, "random": 0, "crossover": 2}.get(one.origin, 1)
        assert all(parent < number for parent in one.parents)
        assert list(one.rejected) == sorted(one.rejected)
        assert one.text == to_text(one.expression)
    assert sum("twin" in one.rejected for one in searched.candidates) > 3
    assert sum(sum(one.rejected.values()) for one in searched.candidates) > 100


@pytest.mark.parametrize(
    ("shares", "origins"),
    [
        ({"crossover": 1.0, "immigrants": 0.0}, {"crossover"}),
        ({"crossover": 0.0, "immigrants": 0.0}, {"subtree", "point", "constant"}),
        ({"immigrants": 1.0}, {"random"}),
    ],
)
def test_candidates_are_made_in_the_shares_asked_for(
    shares: dict[str, float], origins: set[str], wide: SearchConfig
) -> None:
    search = driven(Search(changed(wide, **shares)), lambda t: chance(t.index), until=60)
    assert {one.origin for one in search.candidates[wide.population + 1 :]} == origins


def test_the_first_are_random(wide: SearchConfig) -> None:
    search = driven(Search(changed(wide, population=9, guesses=("ganetic",))), lambda t: chance(t.index), until=40)
    assert [one.origin for one in search.candidates[:9]] == ["guess"] + ["random"] * 8


def test_of_the_losses_drawn_the_most_promising_is_tried(wide: SearchConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as enough is known; before, and with a choice of one, it is the first drawn."""
    config = changed(wide, rungs=[{"steps": 40}], lag=1)
    asked = []

    def predictions(shapes: Array, known: Array, scores: Sequence[float]) -> Array:
        asked.append((len(shapes), len(known), list(scores)))
        return -np.arange(len(shapes)) if len(asked) == 1 else np.arange(len(shapes))

    monkeypatch.setattr(evolve, "predictions", predictions)
    last, first = (driven(Search(changed(config, choices=n)), until=FEWEST + 1) for n in (4, 1))
    results = [
        result + config.parsimony * one.complexity for one, result in zip(last.candidates, last.results, strict=True)
    ]
    assert asked == [(4, FEWEST, [min(result, FAILED) for result in results[:FEWEST]])]
    assert texts(last)[:FEWEST] == texts(first)[:FEWEST]
    assert texts(last)[FEWEST] != texts(first)[FEWEST]
    assert last.candidates[FEWEST].rejected["choice"] == 3
    assert "choice" not in first.candidates[FEWEST].rejected
    again = driven(Search(changed(config, choices=4)), until=FEWEST + 1)  # of these the first is the most promising
    assert texts(again) == texts(first)


def test_proposals_follow_from_configuration_and_results_alone(wide: SearchConfig, searched: Search) -> None:
    again = driven(Search(wide), until=150)
    assert texts(again) == texts(searched)
    assert [vars(one).keys() and one.rejected for one in again.candidates] == [
        one.rejected for one in searched.candidates
    ]
    other = driven(Search(changed(wide, seed=1)), until=20)
    assert texts(other)[2:] != texts(searched)[2:20]
    assert {trial.seed for trial in other.trials}.isdisjoint(trial.seed for trial in searched.trials)


# --- guesses


def test_guesses_come_first_and_of_twins_the_first(config: SearchConfig) -> None:
    guesses = ("2*y*p - p", "(y - p)**2", "p*p - 2*y*p", "ganetic", "3*(y - p)**2", "p + y", "ganetic", "p**3")
    search = driven(Search(changed(config, guesses=guesses)), until=20)
    assert [one.text for one in search.candidates if one.origin == "guess"] == [
        "2*y*p - p",  # whatever the screen says: the optimum falls
        "(y - p)**2",  # its twin comes third
        "p**3 + sqrt(3.985*y/p)",
        "p + y",
        "p**3",
    ]
    assert "guess" not in [one.origin for one in search.candidates[5:]]


def test_no_random_tree_is_a_guesss_twin(config: SearchConfig) -> None:
    """What is drawn next without a guess is not drawn with it."""
    first = driven(Search(changed(config, guesses=(), lag=9)), until=3)
    # the generator of a trial does not depend on the others, so trial 1 draws again what was made for it
    twin = f"3*({first.candidates[1].text})"
    second = driven(Search(changed(config, guesses=(twin,), lag=9)), until=3)
    assert second.candidates[1].text != first.candidates[1].text
    assert second.candidates[1].rejected["twin"] >= 1
    assert second.candidates[2].text == first.candidates[2].text


def test_in_separate_mode_tied_guesses_are_three_terms(config: SearchConfig) -> None:
    guesses = ("least-squares", "hinge", "real: -x; fake: x; generator: -x", "-(y*log(p) + (1 - y)*log(1 - p))")
    found = guessed(changed(config, mode="separate", guesses=guesses))
    assert all(isinstance(one, Separate) for one in found)
    assert to_text(found[3]) == "real: softplus(-x); fake: softplus(x); generator: softplus(-x)"
    assert signature_of(found[3]) == signature_of(parse(guesses[3]))
    assert found[0] == expression_of("least-squares")
    assert to_text(found[2]) == guesses[2]


@pytest.mark.parametrize(
    ("mode", "guess", "message"),
    [
        ("tied", "hinge", "guesses: must be tied losses .* in tied mode, got 'hinge'"),
        ("tied", "real: -x; fake: x; generator: -x", "guesses: must be tied losses"),
        ("tied", "relativistic-average", "guesses: must be losses that are expressions, got 'relativistic-average'"),
        ("separate", "ganetic-batch-sum", "guesses: must be losses that are expressions"),
        ("separate", "p + q", "unknown variable 'q'"),
    ],
)
def test_guesses_that_do_not_fit_are_refused(mode: str, guess: str, message: str, config: SearchConfig) -> None:
    with pytest.raises(InputError, match=message):
        Search(changed(config, mode=mode, guesses=("ganetic", guess)))


# --- ends


def test_a_front_that_has_long_not_got_better_is_the_end(config: SearchConfig) -> None:
    better, plateau, lag = 6, 10, 3
    config = changed(config, rungs=[{"steps": 40}], lag=lag, plateau=plateau)

    def judge(trial: Trial) -> float:
        """Return what gets better, then never again but by a trifle; of candidates that are ever more complex."""
        return 5.0 - 0.1 * trial.index if trial.index <= better else 5.0 - 0.1 * better - 1e-5 * trial.index

    def candidate(search: Search) -> Candidate:
        return Candidate(len(search.candidates), "y*p", 5, str(len(search.candidates)), "random")

    search = Search(config)
    for _ in range(50):
        while search.open < lag and search.decide(candidate(search)) is not None:
            pass
        if not search.open:
            break
        search.commit(judge(search.trials[len(search.results)]))
    # the first decision that sees 10 results after the better one, which is number 6 of 0, 1 …
    assert len(search.trials) == better + plateau + lag
    assert search.stale == plateau
    search.settle()
    assert search.stale == len(search.trials) - better - 1


def test_where_nothing_passes_the_screen_nothing_is_searched(
    config: SearchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evolve, "PROPOSALS", 50)
    with pytest.raises(InputError, match="none of 50 trees passed the screen within max_depth 7 and max_size 2"):
        Search(changed(config, guesses=(), max_size=2)).decide()


def test_where_no_other_loss_is_left_there_is_no_trial(config: SearchConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evolve, "PROPOSALS", 200)
    search = Search(changed(config, guesses=("p - 2*y*p",), max_size=5, max_depth=3, crossover=1, trials=500))
    driven(search, until=500)
    assert 1 <= len(search.trials) < 500
    assert search.decide() is None


@pytest.mark.parametrize(("promote", "lag"), [(0.1, 1), (0.25, 4)])
def test_hopeless_is_who_is_through_or_far_behind(promote: float, lag: int, config: SearchConfig) -> None:
    config = changed(config, promote=promote, lag=lag, rungs=[{"steps": steps, "seeds": 2} for steps in (10, 20, 40)])
    search = Search(config)
    counts: Counter[str] = Counter()
    for until in range(20, 260, 20):
        driven(search, until=until, scripted=True)
        for one, state in zip(search.candidates, hopes(search, len(search.trials) - lag), strict=True):
            counts[state] += 1
            assert search.hopeless(one) == (state in ("far behind", "through")), (state, one.number)
    assert set(counts) == {"far behind", "through", "not", "at work"}


def hopes(search: Search, seen: int) -> list[str]:
    """Return what may be expected of each candidate of a search of two runs a rung."""
    values: dict[tuple[int, int], list[float]] = {}
    for trial, result in zip(search.trials[:seen], search.results, strict=False):
        values.setdefault((trial.rung, trial.candidate.number), []).append(result)
    price = [search.config.parsimony * one.complexity for one in search.candidates]
    scores = {
        (rung, number): FAILED if max(found) == FAILED else sum(found) / 2 + price[number]
        for (rung, number), found in values.items()
        if len(found) == 2
    }
    states = []
    for number in range(len(search.candidates)):
        reached = max(trial.rung for trial in search.trials if trial.candidate.number == number)
        if (reached, number) not in scores:
            states.append("at work")
        elif reached == 2:
            states.append("through")
        else:
            level = sorted((score, n) for (rung, n), score in scores.items() if rung == reached)
            room = search.config.promote * len(level) + 2 * search.config.lag
            states.append("far behind" if level.index((scores[reached, number], number)) >= room else "not")
    return states


# --- finalists


def finished(config: SearchConfig, points: dict[str, tuple[float, float]]) -> Search:
    """Return a search whose candidates have finished the last rung with this quality (at rate 1) and robustness."""
    config = changed(config, guesses=tuple(points), rungs=[{"steps": 40, "rates": (1.0, 0.5)}], lag=1)
    search = driven(
        Search(config), lambda trial: points[trial.candidate.text][trial.rate == 0.5], until=2 * len(points)
    )
    search.settle()
    assert [one.text for one in search.candidates] == list(points)
    return search


POINTS = {
    "3*(p**3 + sqrt(4*y/p))": (1.0, 6.0),  # the best, nearly is a rival
    "exp(p) - 3*y*p": (2.0, 7.0),  # the best that is none; of the same complexity as the next
    "exp(p) - 2.97*y*p": (2.1, 6.9),  # nearly is the one before
    "p*p - 2.5*y*p": (2.5, 6.5),
    "(y - p)**2": (4.0, 4.5),  # the most robust
    "p - 2*y*p": (5.0, 5.5),
    "log(p) - 3*y*p*p*p": (math.inf, math.inf),
}


def test_finalists_are_the_front_without_what_is_nearly_another(config: SearchConfig) -> None:
    search = finished(changed(config, finalists=10), POINTS)
    texts = list(POINTS)
    beside = [parse("p**3 + sqrt(3.985*y/p)")]
    assert [one.text for one in search.nondominated()] == [texts[0], texts[1], texts[2], texts[3], texts[4]]
    assert [one.text for one in finalists(search, beside=beside)] == [texts[4], texts[1], texts[3], texts[5]]
    assert [one.text for one in finalists(search)] == [texts[0], texts[4], texts[1], texts[3], texts[5]]
    for one in finalists(search):
        assert all(difference(one.expression, other.expression) > NEARLY_THE_SAME for other in finalists(search)
                   if other is not one)  # fmt: skip


@pytest.mark.parametrize(("room", "chosen"), [(0, []), (1, [0]), (2, [0, 4]), (3, [0, 4, 1])])
def test_where_there_is_little_room_the_most_robust_has_a_place(
    room: int, chosen: list[int], config: SearchConfig
) -> None:
    search = finished(changed(config, finalists=room), POINTS)
    assert [list(POINTS).index(one.text) for one in finalists(search)] == chosen


def test_where_few_have_finished_the_next_best_fill_the_places(config: SearchConfig) -> None:
    config = changed(config, guesses=tuple(POINTS)[1:6], finalists=4, promote=0.25, lag=1,
                     rungs=[{"steps": 10}, {"steps": 40}])  # fmt: skip
    search = driven(Search(config), lambda t: POINTS[t.candidate.text][0], until=6)
    search.settle()
    assert search.finished() == [5, 1]
    assert [list(POINTS).index(one.text) for one in finalists(search)] == [1, 3, 4, 5]


def test_the_front_is_of_quality_robustness_and_complexity(config: SearchConfig) -> None:
    search = finished(config, POINTS)
    assert set(search.front) == {
        Objectives(*point, complexity(parse(text))) for text, point in list(POINTS.items())[:5]
    }
    assert [one.text for one in search.most_robust()] == ["(y - p)**2"]
    assert search.best == 1.0
