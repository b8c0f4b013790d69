"""Genetic programming of tied losses, generation by generation.

Who is proposed depends on the configuration and on the results of earlier generations alone, in the order of their indices:
not on which worker was faster, nor on how often the search was killed. So the archive is all there is to a search's state.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganetics._check import InputError
from ganetics._random import numpy_generator, seed_of
from ganetics.catalogue import expression_of
from ganetics.expressions.text import parse, to_text
from ganetics.expressions.tree import Expression, Tied, complexity
from ganetics.records import Outcome, SearchConfig
from ganetics.search.screen import screen
from ganetics.search.selection import Individual, elite, tournament
from ganetics.search.variation import MUTATIONS, Grammar, crossover, ramped

PROPOSALS = 20_000
"""Trees drawn for one candidate before the search gives up."""


@dataclass(frozen=True)
class Candidate:
    """A loss to be trained, and how it came about."""

    index: int
    generation: int
    expression: Tied
    origin: str
    """"guess", "random", "crossover", "subtree", "point" or "constant"."""
    parents: tuple[int, ...]
    rejected: dict[str, int]
    """What the screen rejected on the way to it, by reason."""
    seed: int
    """Of its training: one seed a generation, so that its members are compared under equal conditions."""


class Search:
    """The search's state: a pure function of the configuration and the results so far.

    Use it in turns: :meth:`generation` gives the candidates of the next generation, :meth:`add` takes a result, in order.
    """

    def __init__(self, config: SearchConfig) -> None:
        self.config = config
        self.grammar = Grammar(max_depth=config.max_depth, max_size=config.max_size)
        self.population: list[Individual] = []
        self.results: list[Individual] = []
        self._seen: set[str] = set()

    def generation(self, number: int) -> list[Candidate]:
        """Return the candidates of generation ``number``; those before must have been added."""
        if number == 0:
            return self._first()
        config = self.config
        keep = elite(self.population, config.elites)
        trained = self.results[len(self.results) - self._size(number - 1) :]
        # elites stay with the result they have: a second training would be another candidate's time
        self.population = keep + [one for one in trained if one not in keep]
        start = len(self.results)
        return [self._propose(start + i, number) for i in range(self._size(number))]

    def add(self, candidate: Candidate, outcome: Outcome) -> float:
        """Take a candidate's outcome; return its fitness, infinite for a failure."""
        fitness = outcome.log_fid + self.config.parsimony * complexity(candidate.expression)
        individual = Individual(candidate.index, candidate.expression, fitness)
        self.results.append(individual)
        if candidate.generation == 0:
            self.population.append(individual)
        return fitness

    def _size(self, number: int) -> int:
        """How many of a generation are trained: all of the first, all but the elites of the others."""
        return self.config.population - (0 if number == 0 else self.config.elites)

    def _first(self) -> list[Candidate]:
        guesses = guessed(self.config)[: self.config.population]
        for guess in guesses:
            self._seen.add(_signature(guess))
        made = [self._candidate(i, 0, guess, "guess") for i, guess in enumerate(guesses)]
        while len(made) < self.config.population:
            made.append(self._propose(len(made), 0))
        return made

    def _propose(self, index: int, number: int) -> Candidate:
        """Draw trees until the screen lets one pass that has not been trained before."""
        random = numpy_generator(self.config.seed, "proposal", number, index)
        rejected: Counter[str] = Counter()
        for _ in range(PROPOSALS):
            tied, origin, parents = self._draw(number, random)
            verdict = screen(tied, max_depth=self.config.max_depth, max_size=self.config.max_size)
            reason = verdict.reason or ("twin" if verdict.signature in self._seen else None)
            if reason is None:
                self._seen.add(verdict.signature)
                return self._candidate(index, number, tied, origin, parents, rejected)
            rejected[reason] += 1
        raise InputError(
            f"search: none of {PROPOSALS} trees passed the screen within max_depth {self.config.max_depth} and "
            f"max_size {self.config.max_size}"
        )

    def _draw(self, number: int, random: np.random.Generator) -> tuple[Tied, str, tuple[int, ...]]:
        config, grammar = self.config, self.grammar
        if number == 0 or not elite(self.population, 1):
            return Tied(ramped(grammar, random)), "random", ()
        first = tournament(self.population, random, size=config.tournament)
        if random.random() < config.crossover:
            second = tournament(self.population, random, size=config.tournament)
            tree = crossover(first.expression.tree, second.expression.tree, grammar, random)
            return Tied(tree), "crossover", (first.index, second.index)
        origin = str(random.choice(list(MUTATIONS)))
        return Tied(MUTATIONS[origin](first.expression.tree, grammar, random)), origin, (first.index,)

    def _candidate(
        self,
        index: int,
        number: int,
        expression: Tied,
        origin: str,
        parents: tuple[int, ...] = (),
        rejected: Counter[str] | None = None,
    ) -> Candidate:
        seed = seed_of(self.config.seed, "training", number)
        return Candidate(index, number, expression, origin, parents, dict(sorted((rejected or {}).items())), seed)


def candidates(search: Search, limit: int | None) -> Iterator[list[Candidate]]:
    """Yield generation after generation, the last one cut to ``limit`` candidates in all."""
    number, total = 0, 0
    while limit is None or total < limit:
        made = search.generation(number)
        made = made if limit is None else made[: limit - total]
        yield made
        number, total = number + 1, total + len(made)


def guessed(config: SearchConfig) -> list[Tied]:
    """Return the losses that the first generation begins with.

    Raises:
        InputError: a guess is neither a name nor an expression, or not tied.
    """
    found: list[Tied] = []
    for text in config.guesses:
        expression: Expression | None = expression_of(text)
        if not isinstance(expression, Tied):
            raise InputError(f"guesses: must be tied losses (in y and p), got {text!r}")
        found.append(expression)
    return found


def trial_line(candidate: Candidate, outcome: Outcome, fitness: float) -> dict[str, Any]:
    """Return the archive's line of a trained candidate."""
    return {
        "kind": "trial",
        "index": candidate.index,
        "generation": candidate.generation,
        "expression": to_text(candidate.expression),
        "complexity": complexity(candidate.expression),
        "origin": candidate.origin,
        "parents": list(candidate.parents),
        "rejected": candidate.rejected,
        "seed": candidate.seed,
        "fitness": fitness if math.isfinite(fitness) else None,
        "outcome": outcome.model_dump(mode="json"),
    }


def best(lines: Sequence[dict[str, Any]], count: int, *, without: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """Return the lines of the best ``count`` trained candidates, best first; ``without``: signatures left out."""
    alive = [line for line in lines if line["fitness"] is not None]
    alive.sort(key=lambda line: (line["fitness"], line["index"]))
    return [line for line in alive if _signature(parse(line["expression"])) not in without][:count]


def _signature(expression: Expression) -> str:
    return screen(expression, max_depth=10**6, max_size=10**6).signature
