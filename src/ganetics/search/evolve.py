"""Genetic programming of tied losses, generation by generation.

Who is proposed depends on the configuration and on the results of earlier generations alone, in the order of their
indices: not on which worker was faster, nor on how often the search was killed. So the archive is all there is to a
search's state.
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
from ganetics.search.screen import difference, screen, signature_of
from ganetics.search.selection import Individual, alive, elite, tournament
from ganetics.search.variation import MUTATIONS, Grammar, crossover, ramped

NEARLY_THE_SAME = 0.2
"""Difference of slopes up to which two losses are not two finalists."""
PROPOSALS = 20_000
"""Trees drawn for one candidate before the generation is closed without it."""


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

    Use it in turns: :meth:`generation` gives the candidates of the next generation, :meth:`add` takes their results, in
    order.

    Raises:
        InputError: as many elites as candidates in a generation, or more: nobody would be left to train.
    """

    def __init__(self, config: SearchConfig) -> None:
        if config.elites >= config.population:
            raise InputError(f"elites: must be fewer than the population ({config.population}), got {config.elites}")
        self.config = config
        self.grammar = Grammar(max_depth=config.max_depth, max_size=config.max_size)
        self.population: list[Individual] = []
        """The elites of the generation before and the last generation: who can have children."""
        self._last: list[Individual] = []
        self._seen: set[str] = set()
        self._count = 0

    def generation(self, number: int) -> list[Candidate]:
        """Return the candidates of generation ``number``; all those before must have been added.

        There are fewer, or none, where no more trees within the limits can be found that train differently.

        Raises:
            InputError: not even the first generation has one, or a guess is wrong.
        """
        # elites stay with the result they have: a second training would be another candidate's time
        self.population = elite(self.population, self.config.elites) + self._last
        self._last = []
        made = self._guesses() if number == 0 else []
        parents = alive(self.population)
        size = self.config.population - (0 if number == 0 else self.config.elites)
        while len(made) < size:
            candidate = self._propose(self._count + len(made), number, parents)
            if candidate is None:
                break
            made.append(candidate)
        if number == 0 and not made:
            raise InputError(
                f"search: none of {PROPOSALS} trees passed the screen within max_depth {self.config.max_depth} and "
                f"max_size {self.config.max_size}"
            )
        return made

    def add(self, candidate: Candidate, outcome: Outcome) -> float:
        """Take a candidate's outcome; return its fitness, infinite for a failure."""
        fitness = outcome.log_fid + self.config.parsimony * complexity(candidate.expression)
        self._last.append(Individual(candidate.index, candidate.expression, fitness))
        self._count += 1
        return fitness

    def _guesses(self) -> list[Candidate]:
        """Guesses are trained whatever the screen says of them; of twins the first."""
        made: list[Candidate] = []
        for guess in guessed(self.config):
            if (signature := signature_of(guess)) not in self._seen:
                self._seen.add(signature)
                made.append(self._candidate(len(made), 0, guess, "guess"))
        return made

    def _propose(self, index: int, number: int, parents: Sequence[Individual]) -> Candidate | None:
        """Draw trees until the screen lets one pass that has not been trained before; None: there seems to be none."""
        random = numpy_generator(self.config.seed, "proposal", number, index)
        rejected: Counter[str] = Counter()
        for _ in range(PROPOSALS):
            tied, origin, ancestors = self._draw(parents, random)
            verdict = screen(tied, max_depth=self.config.max_depth, max_size=self.config.max_size)
            reason = verdict.reason or ("twin" if verdict.signature in self._seen else None)
            if reason is None:
                self._seen.add(verdict.signature)
                return self._candidate(index, number, tied, origin, ancestors, rejected)
            rejected[reason] += 1
        return None

    def _draw(self, parents: Sequence[Individual], random: np.random.Generator) -> tuple[Tied, str, tuple[int, ...]]:
        config, grammar = self.config, self.grammar
        if not parents:  # the first generation, or all before have failed
            return Tied(ramped(grammar, random)), "random", ()
        first = tournament(parents, random, size=config.tournament)
        if random.random() < config.crossover:
            second = tournament(parents, random, size=config.tournament)
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
    """Yield generation after generation, the last one cut to ``limit`` candidates in all; end when there is no more."""
    number, total = 0, 0
    while limit is None or total < limit:
        made = search.generation(number)
        if not made:
            return
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


def best(lines: Sequence[dict[str, Any]], count: int, *, beside: Sequence[Expression] = ()) -> list[dict[str, Any]]:
    """Return the lines of the best ``count`` trained candidates that are not nearly the same loss, best first.

    A search ends in variations of one theme; of these the best stands for all, so that the last round compares losses
    and not constants. What nearly is one of ``beside`` is left out, too.
    """
    trained = sorted(
        (line for line in lines if line["fitness"] is not None), key=lambda line: (line["fitness"], line["index"])
    )
    chosen: list[dict[str, Any]] = []
    known = list(beside)
    for line in trained:
        if len(chosen) == count:
            break
        expression = parse(line["expression"])
        if all(difference(expression, other) > NEARLY_THE_SAME for other in known):
            chosen.append(line)
            known.append(expression)
    return chosen
