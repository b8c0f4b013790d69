"""Expressions as text and as JSON, and back, exactly. Nothing is evaluated: a file from a stranger is safe to read.

Text is infix, as in Python: ``p**3 + sqrt(3.985*y/p)`` for a tied loss, and for a separate one
``real: softplus(-x); fake: softplus(x); generator: softplus(-x)``.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable
from typing import Any

from ganetics._check import InputError, one_of
from ganetics.expressions.primitives import PRIMITIVES
from ganetics.expressions.tree import Call, Constant, Expression, Separate, Tied, Tree, Variable, size

MAX_LENGTH = 4000
MAX_DEPTH = 64
MAX_SIZE = 500
TIED_VARIABLES = ("y", "p")
SEPARATE_VARIABLES = ("x",)
TERMS = ("real", "fake", "generator")

_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
}
_SIGN, _POWER, _LEAF = 3, 4, 5


def to_text(expression: Expression) -> str:
    """Return the one text form of an expression; :func:`parse` gives back an equal one.

    >>> to_text(parse("(y - p)**2"))
    '(y - p)**2'
    """
    if isinstance(expression, Tied):
        return tree_to_text(expression.tree)
    return "; ".join(f"{term}: {tree_to_text(getattr(expression, term))}" for term in TERMS)


def tree_to_text(tree: Tree) -> str:
    """Return the text of one tree."""
    return render(tree, lambda primitive: primitive.text, number_text, str)


def number_text(value: float) -> str:
    """Return the shortest text that reads as this number.

    >>> number_text(2.0), number_text(3.985), number_text(-0.0)
    ('2', '3.985', '-0.0')
    """
    whole = value.is_integer() and abs(value) < 1e15 and math.copysign(1.0, value) * value >= 0
    return str(int(value)) if whole and not (value == 0 and math.copysign(1.0, value) < 0) else repr(value)


def render(
    tree: Tree,
    template: Callable[[Any], str],
    number: Callable[[float], str],
    variable: Callable[[str], str],
) -> str:
    """Return infix text of a tree with the fewest parentheses that keep its structure.

    Args:
        tree: what to write.
        template: from a primitive to its template with {0} and {1}.
        number: how constants are written.
        variable: how variables are written.
    """
    if isinstance(tree, Constant):
        return number(tree.value)
    if isinstance(tree, Variable):
        return variable(tree.name)
    if tree.primitive == "neg" and isinstance(tree.arguments[0], Constant):
        return f"neg({number(tree.arguments[0].value)})"  # "-3" is a constant, this is the negation of one
    primitive = PRIMITIVES[tree.primitive]
    inner = [render(argument, template, number, variable) for argument in tree.arguments]
    if primitive.precedence < _LEAF:
        for i, argument in enumerate(tree.arguments):
            # of equals the left one binds first; a power's base must bind more than a power
            needed = primitive.precedence + (i == 1 or primitive.precedence == _POWER)
            if _precedence(argument) < needed:
                inner[i] = f"({inner[i]})"
    return template(primitive).format(*inner)


def parse(text: str) -> Expression:
    """Read an expression from text.

    Raises:
        InputError: not an expression in y and p, or in x for separate terms; unknown function or variable;
            too long, too large or too deep.

    >>> parse("real: relu(1 - x); fake: relu(1 + x); generator: -x").generator
    Call(primitive='neg', arguments=(Variable(name='x'),))
    >>> parse("p + __import__('os')")
    Traceback (most recent call last):
    ganetics._check.InputError: expression "p + __import__('os')": unknown function '__import__', known: abs, ...
    """
    if len(text) > MAX_LENGTH:
        raise InputError(f"expression: must have at most {MAX_LENGTH} characters, got {len(text)}")
    if ":" not in text:
        return Tied(_parse_tree(text, TIED_VARIABLES))
    terms: dict[str, Tree] = {}
    for part in text.split(";"):
        name, _, body = part.partition(":")
        name = one_of("term", name.strip(), TERMS)
        if name in terms:
            raise InputError(f"expression: the term {name!r} must occur once")
        terms[name] = _parse_tree(body, SEPARATE_VARIABLES)
    if missing := [term for term in TERMS if term not in terms]:
        raise InputError(f"expression: the terms real, fake and generator are needed, missing {', '.join(missing)}")
    return Separate(**terms)


def to_json(expression: Expression) -> dict[str, Any]:
    """Return the expression as plain JSON values: numbers, names of variables, and ``[primitive, argument, ...]``.

    >>> to_json(parse("p**3 + 1"))
    {'tied': ['add', ['cube', 'p'], 1.0]}
    """
    if isinstance(expression, Tied):
        return {"tied": _tree_to_json(expression.tree)}
    return {term: _tree_to_json(getattr(expression, term)) for term in TERMS}


def from_json(value: object) -> Expression:
    """Read what :func:`to_json` gave.

    Raises:
        InputError: anything else.
    """
    try:
        return _from_json(value)
    except InputError as error:
        raise InputError(f"expression: {error}") from None


def _precedence(tree: Tree) -> int:
    if isinstance(tree, Constant):
        return _SIGN if math.copysign(1.0, tree.value) < 0 else _LEAF
    if isinstance(tree, Variable) or (tree.primitive == "neg" and isinstance(tree.arguments[0], Constant)):
        return _LEAF
    return PRIMITIVES[tree.primitive].precedence


def _parse_tree(text: str, names: tuple[str, ...]) -> Tree:
    text = text.strip()
    shown = text if len(text) <= 60 else text[:57] + "..."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text, mode="eval").body
        return _within_size(_from_ast(body, names, MAX_DEPTH))
    except InputError as error:
        raise InputError(f'expression "{shown}": {error}') from None
    except SyntaxError as error:
        raise InputError(f'expression "{shown}": {error.msg} at character {error.offset}') from None
    except (RecursionError, MemoryError, ValueError, OverflowError):
        raise InputError(f'expression "{shown}": cannot be read: too deep, or a number out of range') from None


def _within_size(tree: Tree) -> Tree:
    if size(tree) > MAX_SIZE:
        raise InputError(f"must have at most {MAX_SIZE} nodes, got {size(tree)}")
    return tree


def _from_ast(node: ast.expr, names: tuple[str, ...], levels: int) -> Tree:
    if levels == 0:
        raise InputError(f"must be at most {MAX_DEPTH} levels deep")

    def inner(child: ast.expr) -> Tree:
        return _from_ast(child, names, levels - 1)

    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _constant(value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return _constant(-float(value))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return Call("neg", (inner(operand),))
        case ast.Name(id=name):
            return Variable(one_of("variable", name, names))
        case ast.BinOp(left=base, op=ast.Pow(), right=ast.Constant(value=2)):
            return Call("square", (inner(base),))
        case ast.BinOp(left=base, op=ast.Pow(), right=ast.Constant(value=3)):
            return Call("cube", (inner(base),))
        case ast.BinOp(op=ast.Pow()):
            raise InputError("the only powers are **2 and **3")
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            return Call(_OPERATORS[type(operator)], (inner(left), inner(right)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            primitive = PRIMITIVES[one_of("function", name, PRIMITIVES)]
            if len(arguments) != primitive.arity:
                raise InputError(f"{name} must have {primitive.arity} argument(s), got {len(arguments)}")
            return Call(name, tuple(inner(argument) for argument in arguments))
    raise InputError(f"{ast.unparse(node)[:40]!r} is not a number, variable, operator or function known here")


def _constant(value: float) -> Constant:
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"constants must be finite, got {number}")
    return Constant(number)


def _tree_to_json(tree: Tree) -> object:
    if isinstance(tree, Constant):
        return tree.value
    if isinstance(tree, Variable):
        return tree.name
    return [tree.primitive, *(_tree_to_json(argument) for argument in tree.arguments)]


def _from_json(value: object) -> Expression:
    if not isinstance(value, dict):
        raise InputError(f"must be a JSON object, got {type(value).__name__}")
    if set(value) == {"tied"}:
        return Tied(_within_size(_tree_from_json(value["tied"], TIED_VARIABLES, MAX_DEPTH)))
    if set(value) == set(TERMS):
        read = (_tree_from_json(value[term], SEPARATE_VARIABLES, MAX_DEPTH) for term in TERMS)
        return Separate(*map(_within_size, read))
    raise InputError(f"keys must be tied, or real, fake and generator, got {sorted(map(str, value))}")


def _tree_from_json(value: object, names: tuple[str, ...], levels: int) -> Tree:
    if levels == 0:
        raise InputError(f"must be at most {MAX_DEPTH} levels deep")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _constant(value)
    if isinstance(value, str):
        return Variable(one_of("variable", value, names))
    if isinstance(value, list) and value and isinstance(value[0], str):
        primitive = PRIMITIVES[one_of("function", value[0], PRIMITIVES)]
        if len(value) != 1 + primitive.arity:
            raise InputError(f"{value[0]} must have {primitive.arity} argument(s), got {len(value) - 1}")
        return Call(value[0], tuple(_tree_from_json(argument, names, levels - 1) for argument in value[1:]))
    raise InputError(f"must be a number, a variable or a list that begins with a function, got {type(value).__name__}")
