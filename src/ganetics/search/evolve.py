"""The search itself: a deterministic steady state in which losses are born, climb rungs, and have children.

The unit is a trial, one training run. Trial n is decided from the configuration, from the trials decided before it, and
from the *results* of trials up to n - lag: not from which worker was faster, nor from how often the search was killed.
So up to ``lag`` trials can run at once without a barrier, and the archive is all there is to a search's state.
Candidates climb the rungs of :mod:`ganetics.search.rungs`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from ganetics._check import InputError
from ganetics._random import numpy_generator, seed_of
from ganetics.expressions.text import to_text
from ganetics.expressions.tree import Expression
from ganetics.search.config import SearchConfig
from ganetics.search.guesses import guessed
from ganetics.search.objectives import FAILED, Objectives, best_first, hypervolume, nondominated, objectives
from ganetics.search.pairs import PAIRS, as_pairs, nodes
from ganetics.search.rungs import Candidate, Climb, Level, Run, Trial
from ganetics.search.screen import difference, screen, signature_of
from ganetics.search.surrogate import FEWEST, MEMORY, predictions, shape
from ganetics.search.variation import GRAMMARS, cross, mutate, random_expression

NEARLY_THE_SAME = 0.2
"""Difference of slopes up to which two losses are not two finalists."""
PROPOSALS = 20_000
"""Trees drawn for one candidate before the search gives up."""
BETTER = 1e-3
"""Relative growth of the front's hypervolume that counts as progress."""
Drawn = tuple[Expression, str, tuple[int, ...]]
"""A loss, its origin, and the numbers of its parents."""


class Search:
    """The search's state: a pure function of the configuration and the results so far.

    :meth:`decide` gives the next trial, :meth:`commit` takes results in the order of the trials; at most ``lag``
    trials may be open.

    Raises:
        InputError: a guess is wrong.
    """

    def __init__(self, config: SearchConfig) -> None:
        self.config = config
        self.grammar = replace(GRAMMARS[config.mode], max_depth=config.max_depth, max_size=config.max_size)
        self.candidates: list[Candidate] = []
        self.trials: list[Trial] = []
        self.results: list[float] = []
        """Log Fréchet distances of committed trials."""
        self._shown = 0
        self._climbs: list[Climb] = []
        self._levels = [Level() for _ in config.rungs]
        self._guesses = deque(guessed(config))
        self._queue: deque[tuple[Candidate, int, Run, bool]] = deque()
        self._scored = [rung.scored for rung in config.rungs]
        self._runs = [[(rate, n) for n in range(rung.seeds) for rate in rung.rates] for rung in config.rungs]
        self._seen: set[str] = set()
        self._seeds = [seed_of(config.seed, "training", number) for number in range(config.rungs[-1].seeds)]
        self._finished: dict[int, Objectives] = {}
        self._front: list[Objectives] = []
        self._best: float | None = None
        self._ranked: list[int] | None = None
        """Of those that finished the last rung; None: to be made."""
        self._population: list[Candidate] | None = None
        self._hypervolume, self._better_at = 0.0, 0

    @property
    def open(self) -> int:
        """Trials that are decided and not committed."""
        return len(self.trials) - len(self.results)

    def decide(self, recorded: Candidate | None = None) -> Trial | None:
        """Return the next trial; None if the front has long not got better, or no other loss can be found.

        Args:
            recorded: the candidate that the archive has for this trial, if it was a candidate's first: then nothing is
                drawn or screened again.

        Raises:
            InputError: not even one tree passed the screen.
        """
        index = len(self.trials)
        self._show(index - self.config.lag + 1)
        if self.config.plateau is not None and self.stale >= self.config.plateau:
            return None
        if not self._queue and not self._promote() and not self._bear(index, recorded):
            return None
        candidate, rung, run, born = self._queue.popleft()
        trial = Trial(index, candidate, born, rung, self.config.rungs[rung].steps, run, self._seeds[run[1]])
        self.trials.append(trial)
        return trial

    def commit(self, log_fid: float) -> None:
        """Take the result of the first open trial: log Fréchet distance, infinite for a failure."""
        trial = self.trials[len(self.results)]
        self.results.append(min(log_fid, FAILED))
        if trial.steps == self.config.rungs[-1].steps and log_fid < FAILED:
            self._best = log_fid if self._best is None else min(self._best, log_fid)

    def settle(self) -> None:
        """Look at all committed results: the search is over."""
        self._show(len(self.results))

    @property
    def stale(self) -> int:
        """Trials, of those looked at, since the front last got better."""
        return self._shown - self._better_at

    @property
    def front(self) -> list[Objectives]:
        """The points, of those that finished the last rung, that no other dominates."""
        return list(self._front)

    @property
    def best(self) -> float | None:
        """The smallest log Fréchet distance of a committed trial of all steps; None: there is none."""
        return self._best

    def nondominated(self) -> list[Candidate]:
        """Return those that finished the last rung and are on the front, best quality first."""
        kept = [number for number, point in self._finished.items() if point in self._front]
        return [self.candidates[n] for n in sorted(kept, key=lambda n: (self._finished[n].quality, n))]

    def most_robust(self) -> list[Candidate]:
        """Return the one on the front whose worst run is the best; nobody if it is empty."""
        worst = sorted(self.nondominated(), key=lambda one: self._finished[one.number].robustness)
        return worst[:1]

    def ranking(self) -> Iterator[Candidate]:
        """Yield all candidates that finished a rung without failing, best first: the higher rung counts first."""
        last = len(self._levels) - 1
        if self._ranked is None:
            self._ranked = best_first(self._finished)
        yield from (self.candidates[number] for number in self._ranked)
        for rung in range(last - 1, -1, -1):
            for score, number in self._levels[rung].finished:
                if score < FAILED and not self._has_finished(self._climbs[number], rung + 1):
                    yield self.candidates[number]

    def finished(self) -> list[int]:
        """Return how many have finished each rung."""
        return [len(level.finished) for level in self._levels]

    def hopeless(self, candidate: Candidate) -> bool:
        """Tell whether a candidate is through, or far from going on: its states need not be kept."""
        climb = self._climbs[candidate.number]
        if not self._has_finished(climb, climb.rung):
            return False
        level = self._levels[climb.rung].finished
        place = bisect_left(level, (self._score(climb, climb.rung), candidate.number))
        return climb.rung == len(self._levels) - 1 or place >= self.config.promote * len(level) + 2 * self.config.lag

    def _show(self, count: int) -> None:
        for index in range(self._shown, min(count, len(self.results))):
            trial = self.trials[index]
            climb = self._climbs[trial.candidate.number]
            climb.values.setdefault(self._scored[trial.rung], {})[trial.run] = self.results[index]
            self._shown = index + 1
            if not self._missing(climb, trial.rung):
                self._finish(climb, trial.rung)

    def _finish(self, climb: Climb, rung: int) -> None:
        number = climb.candidate.number
        self._levels[rung].add(self._score(climb, rung), number)
        self._population = None
        if rung < len(self._levels) - 1:
            return
        point = objectives(climb.values[self._scored[rung]], climb.candidate.complexity)
        if point.quality >= FAILED:
            return
        self._finished[number], self._ranked = point, None
        points = [*self._front, point]
        self._front = [one for one, kept in zip(points, nondominated(points), strict=True) if kept]
        grown = hypervolume(self._front, self.config)
        if grown > self._hypervolume * (1 + BETTER):
            self._hypervolume, self._better_at = grown, self._shown

    def _score(self, climb: Climb, rung: int) -> float:
        """Mean log Fréchet distance over the rung's seeds at rate 1, and parsimony; :data:`FAILED` if one failed."""
        found = climb.values[self._scored[rung]]
        values = [found[1.0, number] for number in range(self.config.rungs[rung].seeds)]
        if max(values) >= FAILED:
            return FAILED
        return math.fsum(values) / len(values) + self.config.parsimony * climb.candidate.complexity

    def _missing(self, climb: Climb, rung: int) -> list[Run]:
        """Return the rung's runs that have no result: one scored the same way in a lower rung counts."""
        done = climb.values.get(self._scored[rung], {})
        return [run for run in self._runs[rung] if run not in done]

    def _has_finished(self, climb: Climb, rung: int) -> bool:
        return climb.rung > rung or (climb.rung == rung and not self._missing(climb, rung))

    def _promote(self) -> bool:
        for rung in range(len(self._levels) - 2, -1, -1):
            if (number := self._levels[rung].promoted(self.config.promote)) is not None:
                climb = self._climbs[number]
                climb.rung = rung + 1
                self._queue.extend((climb.candidate, rung + 1, run, False) for run in self._missing(climb, rung + 1))
                return True
        return False

    def _bear(self, index: int, recorded: Candidate | None) -> bool:
        candidate = recorded if recorded is not None else self._propose(index)
        if candidate is None:
            return False
        self._seen.add(candidate.signature)
        self.candidates.append(candidate)
        climb = Climb(candidate)
        self._climbs.append(climb)
        runs = self._missing(climb, 0)
        self._queue.extend((candidate, 0, run, run == runs[0]) for run in runs)
        return True

    def _propose(self, index: int) -> Candidate | None:
        """Return the next guess, or draw trees until the screen lets one pass that trains differently from all before.

        Guesses are trained whatever the screen says of them; of twins the first. A guess that the archive has was seen.
        """
        while self._guesses:
            guess = self._guesses.popleft()
            if (signature := signature_of(guess)) not in self._seen:
                return self._candidate(guess, signature, "guess")
        random = numpy_generator(self.config.seed, "proposal", index)
        # one way for all draws of a candidate: small changes of good losses are always the most promising
        immigrant = random.random() < self.config.immigrants
        immigrant = immigrant or len(self.candidates) < self.config.population or not self._parents()
        crossed = random.random() < self.config.crossover
        rejected: Counter[str] = Counter()
        drawn: dict[str, Drawn] = {}
        for _ in range(PROPOSALS):
            expression, origin, ancestors = self._random(random) if immigrant else self._child(random, crossed=crossed)
            verdict = screen(expression, max_depth=self.config.max_depth, max_size=self.config.max_size)
            twin = verdict.signature in self._seen or verdict.signature in drawn
            reason = verdict.reason or ("twin" if twin else None)
            if reason is not None:
                rejected[reason] += 1
                continue
            drawn[verdict.signature] = expression, origin, ancestors
            if len(drawn) == self.config.choices:
                break
        if not drawn:
            if not self.candidates:
                raise InputError(
                    f"search: none of {PROPOSALS} trees passed the screen within max_depth {self.config.max_depth} "
                    f"and max_size {self.config.max_size}"
                )
            return None
        signature = list(drawn)[self._most_promising([expression for expression, _, _ in drawn.values()])]
        rejected["choice"] += len(drawn) - 1
        return self._candidate(drawn[signature][0], signature, *drawn[signature][1:], +rejected)

    def _most_promising(self, expressions: Sequence[Expression]) -> int:
        """Return the place of the loss of which most is expected; the first, while too little is known."""
        first = max(0, len(self.candidates) - MEMORY)
        known = [climb for climb in self._climbs[first:] if self._has_finished(climb, 0)]
        if len(expressions) == 1 or len(known) < FEWEST:
            return 0
        for climb in known:
            if climb.shape is None:
                climb.shape = shape(climb.candidate.expression)
        shapes = np.array([shape(expression) for expression in expressions])
        remembered = np.array([climb.shape for climb in known])
        return int(predictions(shapes, remembered, [self._score(climb, 0) for climb in known]).argmin())

    def _candidate(
        self,
        expression: Expression,
        signature: str,
        origin: str,
        parents: tuple[int, ...] = (),
        rejected: Counter[str] | None = None,
    ) -> Candidate:
        found = dict(sorted((rejected or {}).items()))
        text = to_text(expression)
        size = nodes(expression, self.config.mode)
        return Candidate(len(self.candidates), text, size, signature, origin, parents, found)

    def _random(self, random: np.random.Generator) -> Drawn:
        return random_expression(self.grammar, random), "random", ()

    def _child(self, random: np.random.Generator, *, crossed: bool) -> Drawn:
        first = self._tournament(self._parents(), random)
        if crossed:
            second = self._tournament(self._parents(), random)
            child = cross(first.expression, second.expression, self.grammar, random)
            return self._in_mode(child, first), "crossover", (first.number, second.number)
        child, origin = mutate(first.expression, self.grammar, random)
        return self._in_mode(child, first), origin, (first.number,)

    def _in_mode(self, child: Expression, parent: Candidate) -> Expression:
        return as_pairs(child, parent.expression) if self.config.mode == PAIRS else child

    def _parents(self) -> list[Candidate]:
        if self._population is None:
            self._population = [found for found, _ in zip(self.ranking(), range(self.config.population), strict=False)]
        return self._population

    def _tournament(self, parents: Sequence[Candidate], random: np.random.Generator) -> Candidate:
        """Return the best of those drawn, with replacement; ``parents`` are best first."""
        return parents[int(random.integers(len(parents), size=self.config.tournament).min())]


def finalists(search: Search, *, beside: Sequence[Expression] = ()) -> list[Candidate]:
    """Return the losses for the last round: of the front, and if they are few the next best, best quality first.

    A search ends in variations of one theme; of these the best stands for all, so that the last round compares losses
    and not constants. What nearly is one of ``beside`` is left out, too. With more on the front than there is room
    for, its most robust member has a place.
    """
    front = search.nondominated()
    chosen: list[Candidate] = []
    known = list(beside)
    for candidate in dict.fromkeys(chain(front[:1], search.most_robust(), front, search.ranking())):
        if len(chosen) == search.config.finalists:
            break
        if all(difference(candidate.expression, other) > NEARLY_THE_SAME for other in known):
            chosen.append(candidate)
            known.append(candidate.expression)
    return chosen
