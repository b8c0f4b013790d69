"""Variation: children keep to the grammar and its limits, and depend on their generator alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from ganetics.expressions.primitives import PRIMITIVES
from ganetics.expressions.text import parse, to_text
from ganetics.expressions.tree import Call, Constant, Tied, Tree, Variable, depth, nodes, replace, size, subtree
from ganetics.search.variation import (
    MUTATIONS,
    Grammar,
    crossover,
    mutate_constant,
    mutate_point,
    mutate_subtree,
    ramped,
    random_constant,
    random_tree,
)

GRAMMARS = {
    "default": Grammar(),
    "small": Grammar(max_depth=3, max_size=6),
    "other": Grammar(variables=("x",), functions={"add": 1, "tanh": 2, "relu": 1}, max_depth=4, constants=0.6),
}
SEEDS = range(150)

Maker = Callable[[Grammar, np.random.Generator], Tree]


def parents(grammar: Grammar, random: np.random.Generator) -> tuple[Tree, Tree]:
    return ramped(grammar, random), ramped(grammar, random)


def _crossed(grammar: Grammar, random: np.random.Generator) -> Tree:
    one, two = parents(grammar, random)
    return crossover(one, two, grammar, random)


def _mutated(name: str) -> Maker:
    return lambda grammar, random: MUTATIONS[name](ramped(grammar, random), grammar, random)


MAKERS: dict[str, Maker] = {"ramped": ramped, "crossover": _crossed, **{name: _mutated(name) for name in MUTATIONS}}


@pytest.fixture(params=GRAMMARS)
def grammar(request: pytest.FixtureRequest) -> Grammar:
    return GRAMMARS[request.param]


def assert_of(tree: Tree, grammar: Grammar) -> None:
    assert depth(tree) <= grammar.max_depth
    assert size(tree) <= grammar.max_size
    for _, node in nodes(tree):
        match node:
            case Constant(value):
                assert math.isfinite(value)
                assert value == float(f"{value:.4g}")
            case Variable(name):
                assert name in grammar.variables
            case Call(name, arguments):
                assert name in grammar.functions
                assert len(arguments) == PRIMITIVES[name].arity


@pytest.mark.parametrize("maker", MAKERS)
def test_trees_keep_to_the_grammar_and_its_limits(maker: str, grammar: Grammar) -> None:
    for seed in SEEDS:
        assert_of(MAKERS[maker](grammar, np.random.default_rng(seed)), grammar)


@pytest.mark.parametrize("maker", MAKERS)
def test_trees_depend_on_the_generators_state_alone(maker: str, grammar: Grammar) -> None:
    made = [MAKERS[maker](grammar, np.random.default_rng(seed)) for seed in SEEDS]
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        assert MAKERS[maker](grammar, random) == made[seed]
        assert MAKERS[maker](grammar, random) is not made[seed]
    assert len(set(made)) > len(made) / 4


@pytest.mark.parametrize("maker", MAKERS)
def test_trees_survive_text(maker: str) -> None:
    for seed in SEEDS:
        tree = Tied(MAKERS[maker](GRAMMARS["default"], np.random.default_rng(seed)))
        assert parse(to_text(tree)) == tree


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("text", ["p", "2.5", "p + y", "p**3 + sqrt(3.985*y/p)", "exp(exp(exp(p*y)))"])
def test_every_mutation_changes_every_tree(name: str, text: str) -> None:
    tree = parse("p").tree if text == "p" else parse(text).tree  # type: ignore[union-attr]
    children = [MUTATIONS[name](tree, Grammar(), np.random.default_rng(seed)) for seed in range(60)]
    assert sum(child != tree for child in children) >= 58
    assert len(set(children)) > 3


def test_a_tree_at_its_limits_still_has_children() -> None:
    grammar = Grammar(max_depth=4, max_size=7)
    full = parse("(p + y)*(p - y)").tree  # type: ignore[union-attr]
    for name, mutate in MUTATIONS.items():
        children = {mutate(full, grammar, np.random.default_rng(seed)) for seed in range(40)}
        assert len(children - {full}) > 10, name
    assert len({crossover(full, full, grammar, np.random.default_rng(seed)) for seed in range(40)}) > 5


def changed_place(old: Tree, new: Tree) -> tuple[tuple[int, ...], Tree]:
    """Return the smallest subtree in which two trees differ: where, and the new one's."""
    path: tuple[int, ...] = ()
    while isinstance(old, Call) and isinstance(new, Call) and old.primitive == new.primitive:
        differing = [i for i, (a, b) in enumerate(zip(old.arguments, new.arguments, strict=True)) if a != b]
        if len(differing) != 1:
            break
        path = (*path, differing[0])
        old, new = old.arguments[differing[0]], new.arguments[differing[0]]
    return path, new


def test_crossover_puts_one_subtree_of_the_second_into_the_first() -> None:
    grammar = Grammar()
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        one, two = parents(grammar, random)
        child = crossover(one, two, grammar, random)
        if child == one:
            continue
        gifts = {node for _, node in nodes(two)}
        path, _ = changed_place(one, child)
        # the exchanged place is the smallest that differs, or one above it that has the rest in common
        places = [path[:length] for length in range(len(path) + 1)]
        fitting = [place for place in places if subtree(child, place) in gifts]
        assert any(replace(one, place, subtree(child, place)) == child for place in fitting)


def test_point_mutation_changes_one_node() -> None:
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        tree = ramped(Grammar(), random)
        child = mutate_point(tree, Grammar(), random)
        differing = [
            (old, new)
            for (_, old), (_, new) in zip(nodes(tree), nodes(child), strict=True)
            if (old.primitive if isinstance(old, Call) else old) != (new.primitive if isinstance(new, Call) else new)
        ]
        assert len(differing) == 1


def test_constant_mutation_scales_one_constant() -> None:
    tree = parse("2*p + 3*y + 0*p").tree  # type: ignore[union-attr]
    factors = []
    for seed in range(400):
        child = mutate_constant(tree, Grammar(), np.random.default_rng(seed))
        old, new = ([node.value for _, node in nodes(t) if isinstance(node, Constant)] for t in (tree, child))
        (index,) = [i for i in range(3) if old[i] != new[i]]
        factors.append(new[index] / (old[index] or 1.0))
    logs = np.log(factors)
    assert abs(logs.mean()) < 0.06
    assert abs(logs.std() - 0.3) < 0.04


def test_subtree_mutation_can_reach_the_root() -> None:
    tree = parse("p*y").tree  # type: ignore[union-attr]
    children = [mutate_subtree(tree, Grammar(), np.random.default_rng(seed)) for seed in range(200)]
    assert any(not isinstance(child, Call) for child in children)
    assert any(isinstance(child, Call) and child.primitive != "mul" for child in children)


def test_functions_are_drawn_as_often_as_their_weights_say() -> None:
    grammar, random = Grammar(), np.random.default_rng(0)
    roots = [random_tree(grammar, random, levels=2, full=True) for _ in range(6000)]
    counts = Counter(root.primitive for root in roots if isinstance(root, Call))
    total = sum(grammar.functions.values())
    for name, weight in grammar.functions.items():
        expected = 6000 * weight / total
        assert abs(counts[name] - expected) < 5 * math.sqrt(expected), name


def test_full_trees_are_full_and_grown_ones_are_not_deeper() -> None:
    random = np.random.default_rng(0)
    for levels in range(1, 6):
        for _ in range(40):
            full = random_tree(Grammar(), random, levels=levels, full=True)
            inner = {path for path, node in nodes(full) if isinstance(node, Call)}
            assert {len(path) for path, _ in nodes(full) if path not in inner} == {levels - 1}
            assert depth(random_tree(Grammar(), random, levels=levels, full=False)) <= levels


def test_leaves_are_constants_as_often_as_the_grammar_says() -> None:
    for share in (0.0, 0.25, 1.0):
        random = np.random.default_rng(0)
        leaves = [
            node
            for _ in range(300)
            for _, node in nodes(random_tree(Grammar(constants=share), random, levels=4, full=True))
            if not isinstance(node, Call)
        ]
        found = sum(isinstance(leaf, Constant) for leaf in leaves) / len(leaves)
        assert abs(found - share) < 0.05


def test_constants_are_short_and_of_the_size_of_one() -> None:
    random = np.random.default_rng(0)
    values = [random_constant(random).value for _ in range(2000)]
    assert all(value == float(f"{value:.4g}") for value in values)
    assert 0.45 < sum(value in (0.5, 1.0, 2.0, 3.0, 4.0) for value in values) / 2000 < 0.55
    assert min(values) < -3
    assert max(map(abs, values)) < 10
