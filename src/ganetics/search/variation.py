"""New losses from nothing and from old ones (Koza 1992; Poli, Langdon, McPhee 2008, chapters 2 and 4).

Whole losses first (:func:`random_expression`, :func:`cross`, :func:`mutate`), then the trees they are made of. Every
function draws from the generator it is given and nothing else, so a search can be repeated.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np

from ganetics.expressions.primitives import PRIMITIVES
from ganetics.expressions.separate import mirrored, negated
from ganetics.expressions.text import TERMS
from ganetics.expressions.tree import (
    Call,
    Constant,
    Expression,
    Path,
    Separate,
    Tied,
    Tree,
    Variable,
    depth,
    nodes,
    replace,
    size,
    subtree,
    trees,
    variables,
)

ATTEMPTS = 20
"""Draws of a child that fits the limits before the parent itself is returned."""
SAME, SATURATING = 1 / 2, 1 / 4
"""Shares of them whose generator has the real term, and the fake term with the opposite sign."""
WHOLE = 1 / 4
"""Share of separate children of two parents that take over a whole term, not a part of one."""
TOGETHER = 1 / 2
"""Share of mutations of a separate loss that terms which are equal, or mirror images, undergo together."""


@dataclass(frozen=True)
class Grammar:
    """What trees are made of.

    Attributes:
        variables: names that leaves can have; ``x`` makes terms of separate losses.
        functions: primitives and how often each is drawn, relative to the others.
        max_depth: levels of a tree, at most.
        max_size: nodes of a tree, at most; a separate loss has three trees.
        constants: share of the leaves that are constants.
        mirrored: share of random separate losses whose fake term is the real term of −x.
    """

    variables: tuple[str, ...] = ("y", "p")
    functions: Mapping[str, float] = field(
        default_factory=lambda: {
            "add": 4, "sub": 4, "mul": 4, "div": 2, "neg": 1, "square": 1, "cube": 1, "sqrt": 2, "log": 2,
            "exp": 1, "abs": 0.5, "tanh": 0.5, "sin": 0.5, "cos": 0.5, "maximum": 0.25, "minimum": 0.25,
        }
    )  # fmt: skip
    max_depth: int = 7
    max_size: int = 25
    constants: float = 0.25
    mirrored: float = 1 / 3

    def fits(self, item: Tree | Expression) -> bool:
        """Tell whether the tree, or each tree of the expression, keeps to the limits."""
        parts = trees(item) if isinstance(item, Tied | Separate) else (item,)
        return all(size(tree) <= self.max_size and depth(tree) <= self.max_depth for tree in parts)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.functions)

    @cached_property
    def _cumulative(self) -> list[float]:
        weights = np.array(list(self.functions.values()), dtype=np.float64)
        sums = (weights / weights.sum()).cumsum()
        found: list[float] = (sums / sums[-1]).tolist()
        return found

    def function(self, random: Random) -> str:
        """Draw a primitive (as ``Generator.choice`` does, in a twentieth of the time)."""
        return self._names[bisect(self._cumulative, random.random())]


TIED = Grammar()
SEPARATE = Grammar(
    variables=("x",),
    functions={
        "add": 4, "sub": 4, "mul": 3, "div": 1, "neg": 3, "square": 2, "cube": 0.5, "sqrt": 1, "log": 1, "exp": 1,
        "abs": 0.5, "tanh": 0.5, "sin": 0.25, "cos": 0.25, "sigmoid": 2, "softplus": 3, "relu": 3,
        "maximum": 0.5, "minimum": 0.5,
    },
)  # fmt: skip
"""The weights are ours: hinge, Wasserstein, least squares and cross-entropy are a few nodes each."""
GRAMMARS: Mapping[str, Grammar] = {
    "tied": TIED,
    "separate": SEPARATE,
    "pairs": dataclasses.replace(SEPARATE, mirrored=1.0),
}
"""By the search's mode."""

Random = np.random.Generator
T = TypeVar("T")


def random_expression(grammar: Grammar, random: Random) -> Expression:
    """Return a loss of random trees: of one, or of three if the grammar's variable is ``x``.

    Three trees that know nothing of each other are seldom a loss, so half of the generators have the real term, a
    quarter the opposite of the fake term (as in minimax), and a third of the fake terms mirror the real one. These
    shares are our own.
    """
    if "x" not in grammar.variables:
        return Tied(ramped(grammar, random))
    while True:
        real = _random_term(grammar, random)
        fake = mirrored(real) if random.random() < grammar.mirrored else _random_term(grammar, random)
        share = random.random()
        if share < SAME + SATURATING:
            generator = real if share < SAME else negated(fake)
        else:
            generator = _random_term(grammar, random)
        expression = Separate(real, fake, generator)
        if grammar.fits(expression):
            return expression


def cross(one: Expression, two: Expression, grammar: Grammar, random: Random) -> Expression:
    """Return ``one`` with a part of ``two``: a subtree; of a separate loss in the same term, or that term as a whole.

    Raises:
        TypeError: one is tied and the other separate.
    """
    if isinstance(one, Tied) and isinstance(two, Tied):
        return Tied(crossover(one.tree, two.tree, grammar, random))
    if not (isinstance(one, Separate) and isinstance(two, Separate)):
        raise TypeError("parents must be both tied or both separate")
    for _ in range(ATTEMPTS):
        term = _one_of(TERMS, random)
        mine, theirs = getattr(one, term), getattr(two, term)
        tree = theirs if random.random() < WHOLE else crossover(mine, theirs, grammar, random)
        if grammar.fits(tree) and tree != mine:
            return dataclasses.replace(one, **{term: tree})
    return one


def mutate(expression: Expression, grammar: Grammar, random: Random) -> tuple[Expression, str]:
    """Return the loss with one mutation, and its name: of :data:`MUTATIONS`, or "copy".

    Of a separate loss one term is mutated; in half of the cases terms that were the same, or its mirror image, stay so.
    "copy" makes one term follow from another: see :func:`copies`.
    """
    if isinstance(expression, Tied):
        name = _one_of(tuple(MUTATIONS), random)
        return Tied(MUTATIONS[name](expression.tree, grammar, random)), name
    name = _one_of((*MUTATIONS, "copy"), random)
    if name == "copy":
        if made := copies(expression, grammar):
            return _one_of(made, random), name
        name = _one_of(tuple(MUTATIONS), random)
    term = _one_of(TERMS, random)
    old = getattr(expression, term)
    new = MUTATIONS[name](old, grammar, random)
    alone = dataclasses.replace(expression, **{term: new})
    if random.random() < TOGETHER:
        together = Separate(*(_followed(tree, old, new) for tree in trees(expression)))
        return (together if grammar.fits(together) else alone), name
    return alone, name


def copies(loss: Separate, grammar: Grammar) -> list[Separate]:
    """Return the loss with one term made from another, where that changes it and fits the limits.

    The generator's from the real term, or as the opposite of the fake one; the fake and the real one as each other's
    mirror image.
    """
    made = (
        dataclasses.replace(loss, generator=loss.real),
        dataclasses.replace(loss, generator=negated(loss.fake)),
        dataclasses.replace(loss, fake=mirrored(loss.real)),
        dataclasses.replace(loss, real=mirrored(loss.fake)),
    )
    return [child for child in made if child != loss and grammar.fits(child)]


def random_constant(random: Random) -> Constant:
    """Return a small whole number or half (half of the draws), or a normal one of 4 digits."""
    if random.random() < 0.5:
        return Constant(_one_of((0.5, 1.0, 2.0, 3.0, 4.0), random))
    return Constant(float(f"{random.normal(0.0, 2.0):.4g}"))


def random_leaf(grammar: Grammar, random: Random) -> Tree:
    """Return a variable or a constant."""
    if random.random() < grammar.constants:
        return random_constant(random)
    return Variable(_one_of(grammar.variables, random))


def random_tree(grammar: Grammar, random: Random, *, levels: int, full: bool) -> Tree:
    """Return a random tree of at most ``levels`` levels; ``full``: every branch reaches them ("full", else "grow")."""
    if levels <= 1 or (not full and random.random() < 0.3):
        return random_leaf(grammar, random)
    name = grammar.function(random)
    arguments = [random_tree(grammar, random, levels=levels - 1, full=full) for _ in range(PRIMITIVES[name].arity)]
    return Call(name, tuple(arguments))


def ramped(grammar: Grammar, random: Random) -> Tree:
    """Return a tree of ramped half-and-half: 2 to 6 levels, grown or full, each as likely."""
    while True:
        tree = random_tree(grammar, random, levels=int(random.integers(2, 7)), full=bool(random.random() < 0.5))
        if grammar.fits(tree):
            return tree


def crossover(one: Tree, two: Tree, grammar: Grammar, random: Random) -> Tree:
    """Return ``one`` with a random subtree exchanged for one of ``two``; inner nodes nine times as likely as leaves."""
    here, there = _places(one), _places(two)
    for _ in range(ATTEMPTS):
        child = replace(one, _pick(here, random), subtree(two, _pick(there, random)))
        if grammar.fits(child) and child != one:
            return child
    return one


def mutate_subtree(tree: Tree, grammar: Grammar, random: Random) -> Tree:
    """Return the tree with a random subtree exchanged for a new one of 1 to 4 levels."""
    places = _places(tree)
    for _ in range(ATTEMPTS):
        new = random_tree(grammar, random, levels=int(random.integers(1, 5)), full=False)
        child = replace(tree, _pick(places, random), new)
        if grammar.fits(child) and child != tree:
            return child
    return tree


def mutate_point(tree: Tree, grammar: Grammar, random: Random) -> Tree:
    """Return the tree with one node exchanged for another of the same arity."""
    places = list(nodes(tree))
    for _ in range(ATTEMPTS):
        path, node = _one_of(places, random)
        child = replace(tree, path, _other(node, grammar, random))
        if child != tree:
            return child
    return tree


def mutate_constant(tree: Tree, grammar: Grammar, random: Random) -> Tree:
    """Return the tree with one constant scaled by a log-normal factor (σ 0.3); with none, a point mutation."""
    places = [(path, node) for path, node in nodes(tree) if isinstance(node, Constant)]
    if not places:
        return mutate_point(tree, grammar, random)
    path, node = _one_of(places, random)
    value = node.value if node.value != 0 else 1.0
    return replace(tree, path, Constant(float(f"{value * np.exp(random.normal(0.0, 0.3)):.4g}")))


MUTATIONS = {"subtree": mutate_subtree, "point": mutate_point, "constant": mutate_constant}
"""By name, as in the archive; one is drawn for each mutated child, each as likely."""


def _random_term(grammar: Grammar, random: Random) -> Tree:
    while True:
        tree = ramped(grammar, random)
        if variables(tree):
            return tree


def _followed(tree: Tree, old: Tree, new: Tree) -> Tree:
    if tree == old:
        return new
    return mirrored(new) if tree == mirrored(old) else tree


def _other(node: Tree, grammar: Grammar, random: Random) -> Tree:
    if not isinstance(node, Call):
        return random_leaf(grammar, random)
    arity = len(node.arguments)
    names = [name for name in grammar.functions if PRIMITIVES[name].arity == arity]
    return Call(_one_of(names, random), node.arguments)


def _places(tree: Tree) -> tuple[list[Path], list[Path]]:
    """Return the paths of the calls and of the leaves."""
    inner: list[Path] = []
    leaves: list[Path] = []
    for path, node in nodes(tree):
        (inner if isinstance(node, Call) else leaves).append(path)
    return inner, leaves


def _pick(places: tuple[list[Path], list[Path]], random: Random) -> Path:
    inner, leaves = places
    return _one_of(inner if inner and random.random() < 0.9 else leaves, random)


def _one_of(choices: Sequence[T], random: Random) -> T:
    return choices[int(random.integers(len(choices)))]
