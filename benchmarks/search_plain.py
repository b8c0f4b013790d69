"""The paper's way of searching, to compare ours with: generations, every candidate trained in full, one rate, one seed.

How the paper's authors set their genetic programming is not published; this is plain Koza: ramped trees, tournaments of
four, half of the children by crossover, two elites. It has the same screen and the same variation as ours.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ganetics._random import numpy_generator, seed_of
from ganetics.execution import Executor, RunFolder
from ganetics.expressions.text import parse, to_text
from ganetics.expressions.tree import Expression, complexity
from ganetics.records import Recipe
from ganetics.search.screen import screen
from ganetics.search.variation import GRAMMARS, cross, mutate, random_expression
from ganetics.trial import TrialJob, TrialReply, run_job

POPULATION, ELITES, TOURNAMENT, CROSSOVER, PARSIMONY = 30, 2, 4, 0.5, 0.002
GRAMMAR = GRAMMARS["tied"]


@dataclass(frozen=True)
class Individual:
    index: int
    expression: Expression
    fitness: float


@dataclass
class Plain:
    """The search's state."""

    seed: int
    population: list[Individual] = field(default_factory=list)
    last: list[Individual] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    count: int = 0

    def generation(self, number: int) -> list[tuple[Expression, dict[str, int]]]:
        """Return the next generation, with what the screen rejected on the way to each."""
        alive = [one for one in self.population if math.isfinite(one.fitness)]
        self.population = sorted(alive, key=lambda one: (one.fitness, one.index))[:ELITES] + self.last
        self.last = []
        parents = [one for one in self.population if math.isfinite(one.fitness)]
        size = POPULATION - (ELITES if number else 0)
        return [self._propose(number, place, parents) for place in range(size)]

    def add(self, expression: Expression, log_fid: float) -> None:
        """Take a candidate's result."""
        self.last.append(Individual(self.count, expression, log_fid + PARSIMONY * complexity(expression)))
        self.count += 1

    def _propose(self, number: int, place: int, parents: list[Individual]) -> tuple[Expression, dict[str, int]]:
        random = numpy_generator(self.seed, "plain", number, place)
        rejected: Counter[str] = Counter()

        def parent() -> Expression:
            drawn = random.integers(len(parents), size=TOURNAMENT)
            return min((parents[int(i)] for i in drawn), key=lambda one: (one.fitness, one.index)).expression

        while True:
            if not parents:
                child = random_expression(GRAMMAR, random)
            elif random.random() < CROSSOVER:
                child = cross(parent(), parent(), GRAMMAR, random)
            else:
                child, _ = mutate(parent(), GRAMMAR, random)
            verdict = screen(child)
            reason = verdict.reason or ("twin" if verdict.signature in self.seen else None)
            if reason is None:
                self.seen.add(verdict.signature)
                return child, dict(rejected)
            rejected[reason] += 1


def search_plainly(
    run: RunFolder, executor: Executor, *, recipe: Recipe, data_dir: str, seed: int, trials: int
) -> Iterator[int]:
    """Run the search, or go on with it; yields the number of trials done."""
    lines = run.archive.replay()
    search = Plain(seed)
    done = number = 0
    while done < trials:
        made = search.generation(number)[: trials - done]
        for (expression, _), line in zip(made, lines[done:], strict=False):
            search.add(expression, _log_fid(line))
        known = max(0, min(len(lines) - done, len(made)))
        rest = made[known:]
        training = seed_of(seed, "plain training", number)
        jobs = (TrialJob(to_text(loss), recipe, "mnist", data_dir, training) for loss, _ in rest)
        results = executor.map_in_order(run_job, jobs, seconds=20 * recipe.seconds)
        for (expression, rejected), completed in zip(rest, results, strict=True):
            fid = None
            if isinstance(completed.value, TrialReply) and completed.value.outcome.metrics is not None:
                fid = completed.value.outcome.metrics["fid"]
            line = {"expression": to_text(expression), "generation": number, "rejected": rejected, "fid": fid}
            run.timings.append({"cpu_seconds": completed.cpu_seconds})
            run.archive.append(line)
            search.add(parse(line["expression"]), _log_fid(line))
            yield search.count
        done, number = done + len(made), number + 1


def incumbents(lines: list[dict[str, Any]], seconds: list[float]) -> list[tuple[float, str]]:
    """Return when (core seconds) which loss became the best so far."""
    best, spent, found = math.inf, 0.0, []
    for line, cost in zip(lines, seconds, strict=True):
        spent += cost
        fitness = _log_fid(line) + PARSIMONY * complexity(parse(line["expression"]))
        if fitness < best:
            best = fitness
            found.append((spent, str(line["expression"])))
    return found


def _log_fid(line: dict[str, Any]) -> float:
    return math.inf if line["fid"] is None else math.log(line["fid"])
