"""Variation: children keep to the grammar and its limits, and depend on their generator alone."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace as changed

import numpy as np
import pytest

from ganetics.expressions.primitives import PRIMITIVES
from ganetics.expressions.separate import mirrored, negated, separated
from ganetics.expressions.standard import STANDARD
from ganetics.expressions.text import TERMS, parse, to_text, tree_to_text
from ganetics.expressions.tree import (
    Call,
    Constant,
    Expression,
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
from ganetics.search.screen import screen
from ganetics.search.variation import (
    GRAMMARS,
    MUTATIONS,
    SAME,
    SATURATING,
    SEPARATE,
    TIED,
    WHOLE,
    Grammar,
    copies,
    cross,
    crossover,
    mutate,
    mutate_constant,
    mutate_point,
    mutate_subtree,
    ramped,
    random_constant,
    random_expression,
    random_tree,
)

LIMITS = {
    "default": Grammar(),
    "separate": SEPARATE,
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


@pytest.fixture(params=LIMITS)
def grammar(request: pytest.FixtureRequest) -> Grammar:
    return LIMITS[request.param]


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
        tree = Tied(MAKERS[maker](LIMITS["default"], np.random.default_rng(seed)))
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
    for name, mutation in MUTATIONS.items():
        children = {mutation(full, grammar, np.random.default_rng(seed)) for seed in range(40)}
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


def test_the_same_generator_gives_the_same_trees_as_ever() -> None:
    """Pools of losses are known by their seed alone: a draw more or less anywhere, and they are other ones."""
    random, grammar, texts = np.random.default_rng(0), Grammar(), []
    for _ in range(400):
        one, two = ramped(grammar, random), ramped(grammar, random)
        made = [one, two, crossover(one, two, grammar, random), *(m(one, grammar, random) for m in MUTATIONS.values())]
        texts += [tree_to_text(tree) for tree in made]
    assert hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16] == "174ad9d7efa1a262"


ExpressionMaker = Callable[[Grammar, np.random.Generator], Expression]
SMALL = {mode: changed(grammar, max_depth=4, max_size=7) for mode, grammar in GRAMMARS.items()}


def _child(grammar: Grammar, random: np.random.Generator) -> Expression:
    return cross(random_expression(grammar, random), random_expression(grammar, random), grammar, random)


def _mutant(grammar: Grammar, random: np.random.Generator) -> Expression:
    return mutate(random_expression(grammar, random), grammar, random)[0]


EXPRESSIONS: dict[str, ExpressionMaker] = {"random": random_expression, "cross": _child, "mutate": _mutant}


@pytest.mark.parametrize("mode", GRAMMARS)
@pytest.mark.parametrize("maker", EXPRESSIONS)
def test_losses_keep_to_the_mode_and_its_limits_and_survive_text(mode: str, maker: str) -> None:
    for grammar in (GRAMMARS[mode], SMALL[mode]):
        made = [EXPRESSIONS[maker](grammar, np.random.default_rng(seed)) for seed in range(300)]
        for seed, expression in enumerate(made):
            assert type(expression) is (Tied if mode == "tied" else Separate)
            assert parse(to_text(expression)) == expression
            assert EXPRESSIONS[maker](grammar, np.random.default_rng(seed)) == expression
            for tree in trees(expression):
                assert depth(tree) <= grammar.max_depth
                assert size(tree) <= grammar.max_size
                assert variables(tree) <= set(grammar.variables)
                calls = {node.primitive for _, node in nodes(tree) if isinstance(node, Call)}
                assert calls <= {*grammar.functions}
        assert len(set(made)) > 150


def test_known_separate_losses_are_made_of_what_the_grammar_has() -> None:
    for text in STANDARD.values():
        expression = parse(text)
        expression = separated(expression) if isinstance(expression, Tied) else expression
        assert SEPARATE.fits(expression)
        calls = [node.primitive for tree in trees(expression) for _, node in nodes(tree) if isinstance(node, Call)]
        assert {*calls} <= {*SEPARATE.functions}


def test_tied_losses_vary_as_their_trees_do() -> None:
    for seed in SEEDS:
        random, again = np.random.default_rng(seed), np.random.default_rng(seed)
        one, two = random_expression(TIED, random), random_expression(TIED, random)
        assert (one, two) == (Tied(ramped(TIED, again)), Tied(ramped(TIED, again)))
        assert isinstance(one, Tied)
        assert isinstance(two, Tied)
        assert cross(one, two, TIED, random) == Tied(crossover(one.tree, two.tree, TIED, again))
        name = str(again.choice(list(MUTATIONS)))
        assert mutate(one, TIED, random) == (Tied(MUTATIONS[name](one.tree, TIED, again)), name)


def test_limits_are_those_of_each_tree() -> None:
    loss, large = parse("real: -x + 1; fake: x; generator: -x + 1"), Call("neg", (Variable("x"),))
    for limits in ({"max_size": 4}, {"max_depth": 3}):
        assert changed(SEPARATE, **limits).fits(loss)
    for limits in ({"max_size": 3}, {"max_depth": 2}):
        assert not changed(SEPARATE, **limits).fits(loss)
        assert changed(SEPARATE, **limits).fits(large)


def separate(random: np.random.Generator) -> Separate:
    found = random_expression(SEPARATE, random)
    assert isinstance(found, Separate)
    return found


def near(count: int, draws: int, share: float) -> bool:
    return abs(count - draws * share) < 5 * math.sqrt(draws * share * (1 - share))


def test_random_terms_follow_from_each_other_as_often_as_they_should() -> None:
    random, draws = np.random.default_rng(1), 3000
    made = [separate(random) for _ in range(draws)]
    assert all(variables(tree) == {"x"} for loss in made for tree in trees(loss))
    # small trees are equal by chance, too
    real = [loss for loss in made if size(loss.real) > 4]
    fake = [loss for loss in made if size(loss.fake) > 4]
    assert min(len(real), len(fake)) > 1000
    assert near(sum(loss.fake == mirrored(loss.real) for loss in real), len(real), SEPARATE.mirrored)
    assert near(sum(loss.generator == loss.real for loss in real), len(real), SAME)
    assert near(sum(loss.generator == negated(loss.fake) for loss in fake), len(fake), SATURATING)


def test_a_tenth_of_random_separate_losses_pass_the_screen() -> None:
    random = np.random.default_rng(2)
    reasons = Counter(screen(separate(random)).reason for _ in range(1500))
    assert 0.08 < reasons[None] / 1500 < 0.16
    assert set(reasons) == {None, "steep", "target", "optimum", "generator"}


def different(one: Separate, other: Separate) -> list[str]:
    return [term for term in TERMS if getattr(one, term) != getattr(other, term)]


def test_a_separate_child_has_one_term_of_its_other_parent_or_a_part_of_it() -> None:
    random, terms, whole, children = np.random.default_rng(3), Counter[str](), 0, 0
    for _ in range(1200):
        one, two = separate(random), separate(random)
        child = cross(one, two, SEPARATE, random)
        assert isinstance(child, Separate)
        (term,) = different(one, child)
        terms[term] += 1
        old, theirs, new = (getattr(loss, term) for loss in (one, two, child))
        gifts = {node for _, node in nodes(theirs)}
        assert any(
            node in gifts and replace(old, path, node) == new
            for path, node in nodes(new)
            if path in {place for place, _ in nodes(old)}
        )
        if size(theirs) > 4:  # a small tree is often taken over as a whole by chance
            children += 1
            whole += new == theirs
    assert min(terms.values()) > 300
    assert WHOLE - 0.08 < whole / children < WHOLE + 0.2


def test_equal_parents_have_children_all_the_same() -> None:
    loss = parse(STANDARD["least-squares"])
    children = {cross(loss, loss, SEPARATE, np.random.default_rng(seed)) for seed in range(40)}
    assert len(children - {loss}) > 10
    only = parse("real: x; fake: x; generator: x")
    assert cross(only, only, SEPARATE, np.random.default_rng(0)) == only


@pytest.mark.parametrize("turned", [False, True])
def test_parents_are_of_one_mode(turned: bool) -> None:
    pair = (parse("p*y"), parse(STANDARD["hinge"]))
    one, two = pair[::-1] if turned else pair
    with pytest.raises(TypeError, match="both tied or both separate"):
        cross(one, two, SEPARATE, np.random.default_rng(0))


def follows(loss: Separate, child: Separate, term: str, source: str) -> bool:
    old, new, first, other = (getattr(one, name) for name in (term, source) for one in (loss, child))
    return (old, new) in ((first, other), (mirrored(first), mirrored(other)))


def test_a_mutation_changes_one_term_and_those_that_follow_it() -> None:
    random, names, alone, together = np.random.default_rng(4), Counter[str](), Counter[str](), 0
    for _ in range(2000):
        loss = separate(random)
        child, name = mutate(loss, SEPARATE, random)
        assert isinstance(child, Separate)
        names[name] += 1
        terms = different(loss, child)
        if name == "copy":
            assert child in copies(loss, SEPARATE)
        elif len(terms) == 1:
            alone[terms[0]] += 1
        elif terms:
            together += 1
            assert any(all(follows(loss, child, term, source) for term in terms) for source in terms)
    assert names.keys() == {*MUTATIONS, "copy"}
    assert min(names.values()) > 400
    assert min(alone.values()) > 150
    assert together > 200


def test_copies_are_the_coupled_losses_that_are_new() -> None:
    def made(text: str, grammar: Grammar = SEPARATE) -> list[str]:
        loss = parse(text)
        assert isinstance(loss, Separate)
        return [to_text(child) for child in copies(loss, grammar)]

    assert made("real: relu(1 - x); fake: x**2; generator: sin(x)") == [
        "real: relu(1 - x); fake: x**2; generator: relu(1 - x)",
        "real: relu(1 - x); fake: x**2; generator: -x**2",
        "real: relu(1 - x); fake: relu(1 + x); generator: sin(x)",
        "real: x**2; fake: x**2; generator: sin(x)",
    ]
    assert made("real: softplus(-x); fake: softplus(x); generator: softplus(-x)") == [
        "real: softplus(-x); fake: softplus(x); generator: -softplus(x)",
    ]
    assert made("real: -x; fake: x; generator: -x") == []
    assert made("real: sqrt(x); fake: x; generator: sqrt(x)", changed(SEPARATE, max_size=1)) == []


def test_a_loss_without_copies_has_other_mutants() -> None:
    loss = parse(STANDARD["wasserstein"])
    made = [mutate(loss, SEPARATE, np.random.default_rng(seed)) for seed in range(100)]
    assert {name for _, name in made} == {*MUTATIONS}
    assert sum(child != loss for child, _ in made) > 95
