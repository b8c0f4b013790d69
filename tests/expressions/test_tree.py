from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics.expressions.text import parse
from ganetics.expressions.tree import (
    LOG_P,
    Call,
    Constant,
    P,
    Separate,
    Tied,
    Tree,
    X,
    Y,
    complexity,
    depth,
    nodes,
    replace,
    size,
    subtree,
    trees,
    variables,
)

DETERMINISTIC = settings(derandomize=True, deadline=None, max_examples=100)
TREES = st.from_type(Tied).map(lambda tied: tied.tree)
EXPRESSIONS = st.from_type(Tied) | st.from_type(Separate)
GANETIC = parse("p**3 + sqrt(3.985*y/p)").tree  # type: ignore[union-attr]


def arguments(tree: Tree) -> tuple[Tree, ...]:
    return tree.arguments if isinstance(tree, Call) else ()


def test_measures_of_a_known_tree() -> None:
    assert size(GANETIC) == 9
    assert depth(GANETIC) == 5
    assert variables(GANETIC) == {"y", "p"}
    assert [path for path, _ in nodes(GANETIC)][:4] == [(), (0,), (0, 0), (1,)]
    assert subtree(GANETIC, (1, 0, 0, 1)) == Y
    assert complexity(Separate(X, Call("neg", (X,)), Constant(1.0))) == 4
    assert trees(Separate(X, P, Y)) == (X, P, Y)


@DETERMINISTIC
@given(TREES)
def test_nodes_are_all_subtrees_parents_first(tree: Tree) -> None:
    def recursive(node: Tree, path: tuple[int, ...]) -> list[tuple[tuple[int, ...], Tree]]:
        inner = [pair for i, argument in enumerate(arguments(node)) for pair in recursive(argument, (*path, i))]
        return [(path, node), *inner]

    def levels(node: Tree) -> int:
        return 1 + max(map(levels, arguments(node)), default=0)

    assert list(nodes(tree)) == recursive(tree, ())
    assert size(tree) == len(recursive(tree, ()))
    assert depth(tree) == levels(tree)
    for path, node in nodes(tree):
        assert subtree(tree, path) == node


@DETERMINISTIC
@given(TREES, TREES, st.data())
def test_replacing_changes_that_node_and_no_other(tree: Tree, new: Tree, data: st.DataObject) -> None:
    path, old = data.draw(st.sampled_from(list(nodes(tree))))
    child = replace(tree, path, new)
    assert subtree(child, path) == new
    assert size(child) == size(tree) - size(old) + size(new)
    assert replace(child, path, old) == tree
    for other, node in nodes(tree):
        if other[: len(path)] != path and path[: len(other)] != other:
            assert subtree(child, other) == node


@pytest.mark.parametrize("path", [(2,), (0, 0, 0), (1, 0, 0, 1, 0)])
def test_a_path_that_leads_nowhere_is_an_error(path: tuple[int, ...]) -> None:
    with pytest.raises(IndexError):
        subtree(GANETIC, path)
    with pytest.raises(IndexError):
        replace(GANETIC, path, P)


def test_trees_cannot_be_changed() -> None:
    for node, field in ((GANETIC, "primitive"), (P, "name"), (Constant(1.0), "value"), (Tied(P), "tree")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(node, field, None)


def test_a_tree_from_another_process_is_found_in_a_table() -> None:
    hash(LOG_P)  # cached; text is hashed otherwise in every process
    code = (
        "import pickle, sys; from ganetics.expressions.tree import LOG_P;"
        "tree = pickle.load(sys.stdin.buffer); print(tree == LOG_P, tree in {LOG_P: 1})"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", code],
            input=pickle.dumps(LOG_P),
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert found == [[b"True", b"True"]] * 2
