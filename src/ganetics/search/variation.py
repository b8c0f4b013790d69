"""New trees from nothing and from old ones (Koza 1992; Poli, Langdon, McPhee 2008, chapters 2 and 4).

Every function draws from the generator it is given and nothing else, so a search can be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ganetics.expressions.primitives import PRIMITIVES
from ganetics.expressions.tree import Call, Constant, Path, Tree, Variable, depth, nodes, replace, size, subtree

ATTEMPTS = 20
"""Draws of a child that fits the limits before the parent itself is returned."""


@dataclass(frozen=True)
class Grammar:
    """What trees are made of.

    Attributes:
        variables: names that leaves can have.
        functions: primitives and how often each is drawn, relative to the others.
        max_depth: levels, at most.
        max_size: nodes, at most.
        constants: share of the leaves that are constants.
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

    def fits(self, tree: Tree) -> bool:
        """Tell whether the tree keeps to the limits."""
        return depth(tree) <= self.max_depth and size(tree) <= self.max_size


Random = np.random.Generator


def random_constant(random: Random) -> Constant:
    """Return a small whole number or half (half of the draws), or a normal one of 4 digits."""
    if random.random() < 0.5:
        return Constant(float(random.choice([0.5, 1.0, 2.0, 3.0, 4.0])))
    return Constant(float(f"{random.normal(0.0, 2.0):.4g}"))


def random_leaf(grammar: Grammar, random: Random) -> Tree:
    """Return a variable or a constant."""
    if random.random() < grammar.constants:
        return random_constant(random)
    return Variable(str(random.choice(list(grammar.variables))))


def random_tree(grammar: Grammar, random: Random, *, levels: int, full: bool) -> Tree:
    """Return a random tree of at most ``levels`` levels; ``full``: every branch reaches them ("full", else "grow")."""
    if levels <= 1 or (not full and random.random() < 0.3):
        return random_leaf(grammar, random)
    names = list(grammar.functions)
    weights = np.array([grammar.functions[name] for name in names], dtype=np.float64)
    name = names[int(random.choice(len(names), p=weights / weights.sum()))]
    arguments = (random_tree(grammar, random, levels=levels - 1, full=full) for _ in range(PRIMITIVES[name].arity))
    return Call(name, tuple(arguments))


def ramped(grammar: Grammar, random: Random) -> Tree:
    """Return a tree of ramped half-and-half: 2 to 6 levels, grown or full, each as likely."""
    while True:
        tree = random_tree(grammar, random, levels=int(random.integers(2, 7)), full=bool(random.random() < 0.5))
        if grammar.fits(tree):
            return tree


def crossover(one: Tree, two: Tree, grammar: Grammar, random: Random) -> Tree:
    """Return ``one`` with a random subtree exchanged for one of ``two``; inner nodes nine times as likely as leaves."""
    for _ in range(ATTEMPTS):
        child = replace(one, _pick(one, random), subtree(two, _pick(two, random)))
        if grammar.fits(child) and child != one:
            return child
    return one


def mutate_subtree(tree: Tree, grammar: Grammar, random: Random) -> Tree:
    """Return the tree with a random subtree exchanged for a new one of 1 to 4 levels."""
    for _ in range(ATTEMPTS):
        new = random_tree(grammar, random, levels=int(random.integers(1, 5)), full=False)
        child = replace(tree, _pick(tree, random), new)
        if grammar.fits(child) and child != tree:
            return child
    return tree


def mutate_point(tree: Tree, grammar: Grammar, random: Random) -> Tree:
    """Return the tree with one node exchanged for another of the same arity."""
    places = list(nodes(tree))
    for _ in range(ATTEMPTS):
        path, node = places[int(random.integers(len(places)))]
        child = replace(tree, path, _other(node, grammar, random))
        if child != tree:
            return child
    return tree


def mutate_constant(tree: Tree, grammar: Grammar, random: Random) -> Tree:
    """Return the tree with one constant scaled by a log-normal factor (σ 0.3); with none, a point mutation."""
    places = [(path, node) for path, node in nodes(tree) if isinstance(node, Constant)]
    if not places:
        return mutate_point(tree, grammar, random)
    path, node = places[int(random.integers(len(places)))]
    value = node.value if node.value != 0 else 1.0
    return replace(tree, path, Constant(float(f"{value * np.exp(random.normal(0.0, 0.3)):.4g}")))


MUTATIONS = {"subtree": mutate_subtree, "point": mutate_point, "constant": mutate_constant}
"""By name, as in the archive; one is drawn for each mutated child, each as likely."""


def _other(node: Tree, grammar: Grammar, random: Random) -> Tree:
    if not isinstance(node, Call):
        return random_leaf(grammar, random)
    arity = len(node.arguments)
    names = [name for name in grammar.functions if PRIMITIVES[name].arity == arity]
    return Call(str(random.choice(names)), node.arguments)


def _pick(tree: Tree, random: Random) -> Path:
    places = list(nodes(tree))
    inner = [path for path, node in places if isinstance(node, Call)]
    leaves = [path for path, node in places if not isinstance(node, Call)]
    choice = inner if inner and random.random() < 0.9 else leaves
    return choice[int(random.integers(len(choice)))]
