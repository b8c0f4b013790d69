"""A loss as an expression tree. Trees are immutable, comparable and hashable; this file knows no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Path = tuple[int, ...]
"""Where a node is: which argument to follow at each level, from the root."""


@dataclass(frozen=True)
class Constant:
    """A number."""

    value: float


@dataclass(frozen=True)
class Variable:
    """``y`` (target, 1 or 0) and ``p`` (probability) in tied losses, ``x`` (logit) in separate ones."""

    name: str


@dataclass(frozen=True)
class Call:
    """A primitive applied to arguments."""

    primitive: str
    arguments: tuple[Tree, ...]

    def __hash__(self) -> int:  # cached: a search hashes the same trees again and again
        known: int | None = self.__dict__.get("_hash")
        if known is None:
            known = self.__dict__["_hash"] = hash((self.primitive, self.arguments))
        return known

    def __reduce__(self) -> tuple[object, ...]:  # without the cached hash, which is another in another process
        return Call, (self.primitive, self.arguments)


Tree = Constant | Variable | Call

Y, P, X = Variable("y"), Variable("p"), Variable("x")
ONE_MINUS_P = Call("sub", (Constant(1.0), P))
LOG_P = Call("log", (P,))
LOG_ONE_MINUS_P = Call("log", (ONE_MINUS_P,))
"""With ``1 - p`` and ``log(p)``, what is computed from the logit directly, since p has lost digits."""


@dataclass(frozen=True)
class Tied:
    """One function L(y, p) of target and probability: real L(1, p), fake L(0, p), generator L(1, p)."""

    tree: Tree


@dataclass(frozen=True)
class Separate:
    """Three functions of the logit x: the discriminator's real and fake term, and the generator's."""

    real: Tree
    fake: Tree
    generator: Tree


Expression = Tied | Separate


def trees(expression: Expression) -> tuple[Tree, ...]:
    """Return the trees of an expression: one if tied, three (real, fake, generator) if separate."""
    if isinstance(expression, Tied):
        return (expression.tree,)
    return (expression.real, expression.fake, expression.generator)


def complexity(expression: Expression) -> int:
    """Return the number of nodes in all trees of the expression."""
    return sum(size(tree) for tree in trees(expression))


def nodes(tree: Tree) -> Iterator[tuple[Path, Tree]]:
    """Yield every node with its path, parents before children, left to right.

    >>> [path for path, _ in nodes(Call("add", (Constant(1.0), Variable("p"))))]
    [(), (0,), (1,)]
    """
    stack: list[tuple[Path, Tree]] = [((), tree)]
    while stack:
        path, node = stack.pop()
        yield path, node
        if isinstance(node, Call):
            arguments = node.arguments
            stack.extend(((*path, i), arguments[i]) for i in reversed(range(len(arguments))))


def size(tree: Tree) -> int:
    """Return the number of nodes."""
    return 1 + sum(map(size, tree.arguments)) if isinstance(tree, Call) else 1


def depth(tree: Tree) -> int:
    """Return the number of levels: 1 for a leaf."""
    return 1 + max(map(depth, tree.arguments)) if isinstance(tree, Call) else 1


def subtree(tree: Tree, path: Path) -> Tree:
    """Return the node at ``path``.

    Raises:
        IndexError: there is none.
    """
    for index in path:
        if not isinstance(tree, Call):
            raise IndexError(f"no node at {path}")
        tree = tree.arguments[index]
    return tree


def replace(tree: Tree, path: Path, new: Tree) -> Tree:
    """Return the tree with the node at ``path`` replaced by ``new``.

    Raises:
        IndexError: there is no such node.
    """
    if not path:
        return new
    if not isinstance(tree, Call):
        raise IndexError(f"no node at {path}")
    index, *rest = path
    arguments = list(tree.arguments)
    arguments[index] = replace(arguments[index], tuple(rest), new)
    return Call(tree.primitive, tuple(arguments))


def variables(tree: Tree) -> set[str]:
    """Return the names of the variables that occur."""
    if isinstance(tree, Call):
        return set().union(*map(variables, tree.arguments))
    return {tree.name} if isinstance(tree, Variable) else set()
