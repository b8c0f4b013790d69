"""The child process of :func:`ganetics.expressions.symbolic.simplify`: SymPy on one tied expression."""

from __future__ import annotations

import json
import sys
from functools import reduce
from typing import Any

from ganetics.expressions.text import parse, to_text
from ganetics.expressions.tree import Call, Constant, Tied, Tree, Variable


def main() -> None:
    """Read an expression's text from the command line and print that of the simplified one, as a JSON string."""
    expression = parse(sys.argv[1])
    if not isinstance(expression, Tied):
        raise SystemExit("only tied expressions are simplified")
    import sympy

    # p in (0, 1), y 0 or 1: both positive or zero, which allows most of what helps
    symbols = {"p": sympy.Symbol("p", positive=True), "y": sympy.Symbol("y", nonnegative=True)}
    simpler = sympy.simplify(_to_sympy(expression.tree, symbols), rational=False)
    sys.stdout.write(json.dumps(to_text(Tied(_from_sympy(simpler)))))


def _to_sympy(tree: Tree, symbols: dict[str, Any]) -> Any:
    import sympy

    if isinstance(tree, Constant):
        return sympy.Integer(int(tree.value)) if tree.value.is_integer() else sympy.Float(tree.value)
    if isinstance(tree, Variable):
        return symbols[tree.name]
    arguments = [_to_sympy(argument, symbols) for argument in tree.arguments]
    functions = {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "neg": lambda a: -a,
        "square": lambda a: a**2,
        "cube": lambda a: a**3,
        "sqrt": lambda a: sympy.sqrt(sympy.Abs(a)),
        "log": lambda a: sympy.log(sympy.Abs(a)),
        "sigmoid": lambda a: 1 / (1 + sympy.exp(-a)),
        "softplus": lambda a: sympy.log(1 + sympy.exp(a)),
        "relu": lambda a: sympy.Max(a, 0),
        "maximum": sympy.Max,
        "minimum": sympy.Min,
        "exp": sympy.exp,
        "abs": sympy.Abs,
        "tanh": sympy.tanh,
        "sin": sympy.sin,
        "cos": sympy.cos,
    }
    return functions[tree.primitive](*arguments)


def _from_sympy(node: Any) -> Tree:
    import sympy

    if node.is_Number:
        return Constant(float(node))
    if node.is_Symbol:
        return Variable(str(node))
    if node == sympy.E:
        return Constant(float(node))
    arguments = [_from_sympy(argument) for argument in node.args]
    if node.is_Add:
        return reduce(lambda a, b: Call("add", (a, b)), arguments)
    if node.is_Mul:
        return reduce(lambda a, b: Call("mul", (a, b)), arguments)
    if node.is_Pow:
        return _power(arguments[0], float(node.args[1]))
    names = {"Abs": "abs", "Max": "maximum", "Min": "minimum"}
    name = names.get(type(node).__name__, type(node).__name__)
    if name in ("maximum", "minimum"):
        return reduce(lambda a, b: Call(name, (a, b)), arguments)
    return Call(name, tuple(arguments))


def _power(base: Tree, exponent: float) -> Tree:
    powers = {2.0: "square", 3.0: "cube", 0.5: "sqrt"}
    if exponent in powers:
        return Call(powers[exponent], (base,))
    if -exponent in powers or exponent == -1.0:
        return Call("div", (Constant(1.0), base if exponent == -1.0 else _power(base, -exponent)))
    raise ValueError(f"no primitive for the power {exponent}")


if __name__ == "__main__":
    main()
