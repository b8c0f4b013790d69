"""Polishing: better constants for a loss whose form is found, by CMA-ES (Hansen 2016, arXiv 1604.00772).

Steps are relative: a constant c becomes c·exp(x), so that it keeps its sign and its order of magnitude; a zero becomes
x itself. CMA-ES learns from the order of the values of a round alone, so a monotone change of them, or noise that is
common to the round (all its candidates trained with the same seeds), changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from cmaes import CMA

from ganetics import _check
from ganetics._random import seed_of
from ganetics.expressions.primitives import Array
from ganetics.expressions.tree import Call, Constant, Expression, Separate, Tied, Tree, complexity, depth, nodes, trees
from ganetics.search.screen import screen, signature_of

STEP = 0.25
"""Standard deviation of x in the first round: two of three constants stay within a quarter of themselves."""
LARGEST_STEP = math.log(100.0)
"""Of x in all: no constant grows or shrinks by more than a hundred times, so none overflows."""
SMALLEST_POPULATION = 4
"""With fewer, CMA-ES takes its mean from one candidate alone and learns no covariance."""
REJECTED = ""
"""The signature that the screen gives a loss that it rejects."""


class Polish:
    """An optimiser of an expression's constants. It trains nothing: :meth:`ask` and :meth:`tell` in turns.

    A round has ``population`` candidates. To be trained are those that the screen lets pass and that differ from the
    elite and from each other by signature. Of the others, one that is rejected, or is the elite again, counts as a
    failure, and a twin as what it is a twin of. The state is a function of the arguments and of the values told.

    Args:
        expression: the elite. Without constants, or with none that does anything, there is nothing to ask.
        budget: candidates in all, trained or not; whole rounds only.
        population: candidates of a round, at least 4.
        seed: of the draws.

    Raises:
        InputError: the population is below 4, or the budget below the population.

    >>> from ganetics.expressions.text import parse
    >>> polish = Polish(parse("p**3 + sqrt(4*y/p)"), budget=60, population=6, seed=0)
    >>> while not polish.done:
    ...     polish.tell([abs(constants(candidate)[0] - 7.5) for candidate in polish.ask()])
    >>> polish.best_value < 0.5
    True
    """

    def __init__(self, expression: Expression, *, budget: int, population: int, seed: int) -> None:
        _check.number("population", population, low=SMALLEST_POPULATION)
        _check.number("budget", budget, low=population)
        self.expression = expression
        self.best: Expression | None = None
        """Of those told, the first with the smallest value; None until one did not fail. Values of different rounds can
        be compared if all rounds were trained with the same seeds."""
        self.best_value = math.inf
        self._start = constants(expression)
        self._rounds = budget // population if self._start else 0
        self._own = signature_of(expression)
        size = max(1, len(self._start))  # without constants it is never used
        self._cma = CMA(
            mean=np.zeros(size),
            sigma=STEP,
            bounds=np.full((size, 2), (-LARGEST_STEP, LARGEST_STEP)),
            population_size=population,
            seed=seed_of(seed, "polish") >> 31,  # of 32 bits
        )
        self._drawn: list[tuple[Array, str]] = []
        self._asked: dict[str, Expression] = {}
        self._next_round()

    @property
    def done(self) -> bool:
        """Tell whether there is nothing more to ask."""
        return not self._asked

    def ask(self) -> list[Expression]:
        """Return the candidates to train now, at most ``population``; the same until they are told; none if done."""
        return list(self._asked.values())

    def tell(self, values: Sequence[float]) -> None:
        """Take the values of the candidates of :meth:`ask`, in their order: lower is better, infinite for a failure.

        Raises:
            InputError: not one value a candidate, or nothing was asked.
        """
        if self.done or len(values) != len(self._asked):
            raise _check.InputError(
                f"polish: must be told {len(self._asked)} values, one a candidate, got {len(values)}"
            )
        told = {
            signature: float(value) if math.isfinite(value) else math.inf
            for signature, value in zip(self._asked, values, strict=True)
        }
        for signature, value in told.items():
            if value < self.best_value:
                self.best, self.best_value = self._asked[signature], value
        if min(told.values()) < math.inf:  # of nothing but failures the order says nothing
            self._cma.tell([(x, told.get(signature, math.inf)) for x, signature in self._drawn])
        self._next_round()

    def _next_round(self) -> None:
        """Draw rounds until one has something to train, or no more may be drawn."""
        self._asked = {}
        while not self._asked and self._rounds:
            self._rounds -= 1
            self._drawn = []
            for _ in range(self._cma.population_size):
                x: Array = self._cma.ask()
                candidate = with_constants(self.expression, [_moved(c, d) for c, d in zip(self._start, x, strict=True)])
                signature = self._signature(candidate)
                self._drawn.append((x, signature))
                if signature not in (REJECTED, self._own):
                    self._asked.setdefault(signature, candidate)

    def _signature(self, candidate: Expression) -> str:
        # the elite's own size is the limit: it is not what is polished
        levels = max(depth(tree) for tree in trees(candidate))
        return screen(candidate, max_depth=levels, max_size=complexity(candidate)).signature


def constants(expression: Expression) -> list[float]:
    """Return the constants of an expression, tree after tree, each from left to right.

    >>> from ganetics.expressions.text import parse
    >>> constants(parse("2*p**2 - y*p/3"))
    [2.0, 3.0]
    """
    return [node.value for tree in trees(expression) for _, node in nodes(tree) if isinstance(node, Constant)]


def with_constants(expression: Expression, values: Sequence[float]) -> Expression:
    """Return the expression with other constants, in the order of :func:`constants`.

    Raises:
        ValueError: not as many values as constants.
    """
    if len(values) != len(constants(expression)):
        raise ValueError(f"values must be {len(constants(expression))}, got {len(values)}")
    rest = iter(values)
    filled = [_filled(tree, rest) for tree in trees(expression)]
    return Tied(*filled) if isinstance(expression, Tied) else Separate(*filled)


def _filled(tree: Tree, values: Iterator[float]) -> Tree:
    if isinstance(tree, Constant):
        return Constant(next(values))
    if isinstance(tree, Call):
        return Call(tree.primitive, tuple(_filled(argument, values) for argument in tree.arguments))
    return tree


def _moved(constant: float, step: float) -> float:
    """Return a constant moved by a step, to 4 digits, as a mutation gives it."""
    return float(f"{constant * math.exp(step) if constant else step:.4g}")
