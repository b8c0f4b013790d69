"""What expressions are made of. Every primitive is total: none fails where it is not defined.

Values and slopes are given here in NumPy, the reference; :mod:`ganetics.expressions.compile` gives the same in torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SMALLEST_DIVISOR = 1e-7
"""Divisors nearer to zero count as this, with their sign; so does what a logarithm is taken of."""
SMALLEST_RADICAND = 1e-14
LARGEST_EXPONENT = 30.0
LARGEST_CONSTANT = 1e38
"""Constants beyond this, which float32 does not hold, count as this, with their sign."""


@dataclass(frozen=True)
class Primitive:
    """A function of one or two arguments.

    Attributes:
        name: as in the tree and in JSON.
        arity: number of arguments.
        value: the function on float64 arrays.
        slopes: its partial derivatives at the arguments, one an argument; a single number where it is always the same.
        text: how it is written, with ``{0}`` and ``{1}`` for the arguments.
        latex: the same in LaTeX.
        precedence: 1 sums, 2 products, 3 signs, 4 powers, 5 calls; arguments that bind less are put in parentheses.
    """

    name: str
    arity: int
    value: Callable[..., Array]
    slopes: Callable[..., tuple[Array, ...]]
    text: str
    latex: str
    precedence: int = 5


ONE: Array = np.ones(())


def _divisor(b: Array) -> Array:
    return np.where(b < 0, -1.0, 1.0) * np.maximum(np.abs(b), SMALLEST_DIVISOR)


def _divide_slopes(a: Array, b: Array) -> tuple[Array, ...]:
    divisor = _divisor(b)
    return 1.0 / divisor, np.where(np.abs(b) < SMALLEST_DIVISOR, 0.0, -a / divisor**2)


def _root(a: Array) -> Array:
    return np.sqrt(np.maximum(np.abs(a), SMALLEST_RADICAND))


def _root_slopes(a: Array) -> tuple[Array, ...]:
    return (np.where(np.abs(a) < SMALLEST_RADICAND, 0.0, np.sign(a) * 0.5 / _root(a)),)


def _log(a: Array) -> Array:
    return np.log(np.maximum(np.abs(a), SMALLEST_DIVISOR))


def _log_slopes(a: Array) -> tuple[Array, ...]:
    return (np.where(np.abs(a) < SMALLEST_DIVISOR, 0.0, 1.0 / _divisor(a)),)


def _exp(a: Array) -> Array:
    return np.exp(np.minimum(a, LARGEST_EXPONENT))


def sigmoid(a: Array) -> Array:
    """Return 1 / (1 + exp(−a)) without overflow."""
    small = np.exp(-np.abs(a))
    result: Array = np.where(a >= 0, 1.0 / (1.0 + small), small / (1.0 + small))
    return result


def _tanh_slopes(a: Array) -> tuple[Array, ...]:
    return (1.0 - np.tanh(a) ** 2,)


def _pick_slopes(first: Array) -> tuple[Array, ...]:
    """Slopes of a maximum or minimum: of the argument that is taken; half each where they are equal."""
    return first, 1.0 - first


_ALL = (
    Primitive("add", 2, np.add, lambda a, b: (ONE, ONE), "{0} + {1}", "{0} + {1}", 1),
    Primitive("sub", 2, np.subtract, lambda a, b: (ONE, -ONE), "{0} - {1}", "{0} - {1}", 1),
    Primitive("mul", 2, np.multiply, lambda a, b: (b, a), "{0}*{1}", r"{0} \, {1}", 2),
    Primitive("div", 2, lambda a, b: a / _divisor(b), _divide_slopes, "{0}/{1}", r"\frac{{{0}}}{{{1}}}", 2),
    Primitive("neg", 1, np.negative, lambda a: (-ONE,), "-{0}", "-{0}", 3),
    Primitive("square", 1, np.square, lambda a: (2 * a,), "{0}**2", "{0}^{{2}}", 4),
    Primitive("cube", 1, lambda a: a**3, lambda a: (3 * a**2,), "{0}**3", "{0}^{{3}}", 4),
    Primitive("sqrt", 1, _root, _root_slopes, "sqrt({0})", r"\sqrt{{\left|{0}\right|}}"),
    Primitive("log", 1, _log, _log_slopes, "log({0})", r"\ln\left|{0}\right|"),
    Primitive("exp", 1, _exp, lambda a: (np.where(a > LARGEST_EXPONENT, 0.0, _exp(a)),), "exp({0})", r"e^{{{0}}}"),
    Primitive("abs", 1, np.abs, lambda a: (np.sign(a),), "abs({0})", r"\left|{0}\right|"),
    Primitive("tanh", 1, np.tanh, _tanh_slopes, "tanh({0})", r"\tanh\left({0}\right)"),
    Primitive("sin", 1, np.sin, lambda a: (np.cos(a),), "sin({0})", r"\sin\left({0}\right)"),
    Primitive("cos", 1, np.cos, lambda a: (-np.sin(a),), "cos({0})", r"\cos\left({0}\right)"),
    Primitive(
        "sigmoid",
        1,
        sigmoid,
        lambda a: (sigmoid(a) * sigmoid(-a),),
        "sigmoid({0})",
        r"\sigma\left({0}\right)",
    ),
    Primitive(
        "softplus",
        1,
        lambda a: np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a))),
        lambda a: (sigmoid(a),),
        "softplus({0})",
        r"\operatorname{{softplus}}\left({0}\right)",
    ),
    Primitive(
        "relu",
        1,
        lambda a: np.maximum(a, 0.0),
        lambda a: (np.where(a > 0, 1.0, 0.0),),
        "relu({0})",
        r"\max\left(0, {0}\right)",
    ),
    Primitive(
        "maximum",
        2,
        np.maximum,
        lambda a, b: _pick_slopes(np.heaviside(a - b, 0.5)),
        "maximum({0}, {1})",
        r"\max\left({0}, {1}\right)",
    ),
    Primitive(
        "minimum",
        2,
        np.minimum,
        lambda a, b: _pick_slopes(np.heaviside(b - a, 0.5)),
        "minimum({0}, {1})",
        r"\min\left({0}, {1}\right)",
    ),
)

PRIMITIVES: dict[str, Primitive] = {primitive.name: primitive for primitive in _ALL}
"""By name."""
