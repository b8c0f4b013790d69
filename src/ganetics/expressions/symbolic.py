"""Expressions as formulas to look at: LaTeX and MathML; and simplification by SymPy, which can hang and runs apart."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from xml.sax.saxutils import escape

import numpy as np

from ganetics.expressions.numeric import terms
from ganetics.expressions.primitives import PRIMITIVES
from ganetics.expressions.text import number_text, parse, to_text
from ganetics.expressions.tree import Call, Constant, Expression, Tied, Tree, Variable

LEFT_SIDES = {
    "real": r"L_{\mathrm{real}}(x)",
    "fake": r"L_{\mathrm{fake}}(x)",
    "generator": r"L_{\mathrm{G}}(x)",
}


def latex(expression: Expression) -> str:
    r"""Return the formula in LaTeX (no dollar signs): the tree as it is, not rearranged.

    >>> latex(parse("p**3 + sqrt(3.985*y/p)"))
    'L(y, p) = p^{3} + \\sqrt{\\left|\\frac{3.985 \\, y}{p}\\right|}'
    """
    if isinstance(expression, Tied):
        return "L(y, p) = " + _latex(expression.tree)
    lines = [f"{left} &= {_latex(getattr(expression, term))}" for term, left in LEFT_SIDES.items()]
    return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"


def mathml(expression: Expression) -> str:
    """Return a ``<math>`` element (presentation MathML), which browsers show without a script.

    >>> mathml(parse("-p"))[-57:]
    '<mo>=</mo><mrow><mo>−</mo><mi>p</mi></mrow></mrow></math>'
    """
    if isinstance(expression, Tied):
        return equation("y, p", expression.tree)
    rows = "".join(
        f"<mtr><mtd>{_left('L', name, 'x')}</mtd><mtd><mo>=</mo></mtd>"
        f"<mtd>{_mathml(getattr(expression, term))}</mtd></mtr>"
        for term, name in (("real", "real"), ("fake", "fake"), ("generator", "G"))
    )
    return _math(f"<mtable>{rows}</mtable>")


def equation(arguments: str, tree: Tree) -> str:
    """Return a ``<math>`` element, L(arguments) = tree; for one target: ``equation("1, p", bind(tree, 1.0))``."""
    return _math(f"<mrow>{_left('L', '', arguments)}<mo>=</mo>{_mathml(tree)}</mrow>")


def simplify(expression: Expression, *, seconds: float = 5.0) -> Expression:
    """Return an equal, smaller expression if SymPy finds one within ``seconds``; else the expression itself.

    Only what agrees with the original at 61 logits from −15 to 15 to 1e-6 is accepted: SymPy knows nothing of the
    protection of divisions, roots and logarithms.
    """
    if not isinstance(expression, Tied):
        return expression
    child = [sys.executable, "-m", "ganetics.expressions._simplify", to_text(expression)]
    try:
        done = subprocess.run(child, capture_output=True, timeout=seconds, check=True, text=True)
        simpler = parse(json.loads(done.stdout))
    except (subprocess.SubprocessError, ValueError):
        return expression
    logits = np.linspace(-15.0, 15.0, 61)
    old, new = terms(expression, logits), terms(simpler, logits)
    equal = all(np.allclose(getattr(old, term), getattr(new, term), rtol=1e-6, atol=1e-6) for term in ("real", "fake"))
    return simpler if equal and len(to_text(simpler)) < len(to_text(expression)) else expression


def _latex(tree: Tree) -> str:
    if isinstance(tree, Constant):
        return _latex_number(tree.value)
    if isinstance(tree, Variable):
        return tree.name
    inner = _arguments(tree, _latex, lambda body: rf"\left({body}\right)")
    if tree.primitive == "mul" and inner[1][0].isdigit():  # "2 \, 3" would read as 23
        return rf"{inner[0]} \cdot {inner[1]}"
    return PRIMITIVES[tree.primitive].latex.format(*inner)


def _latex_number(value: float) -> str:
    digits, _, exponent = number_text(value).partition("e")
    return digits + (rf" \cdot 10^{{{int(exponent)}}}" if exponent else "")


def _math(body: str) -> str:
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{body}</math>'


def _left(symbol: str, index: str, arguments: str) -> str:
    head = f"<msub><mi>{symbol}</mi><mtext>{index}</mtext></msub>" if index else f"<mi>{symbol}</mi>"
    inner = "<mo>,</mo>".join(f"<mn>{a}</mn>" if a.isdigit() else f"<mi>{a}</mi>" for a in arguments.split(", "))
    return f"{head}<mo>(</mo>{inner}<mo>)</mo>"


def _mathml(tree: Tree) -> str:
    if isinstance(tree, Constant):
        digits, _, exponent = number_text(tree.value).replace("-", "−").partition("e")
        number = f"<mn>{digits}</mn>"
        if not exponent:
            return number
        return f"<mrow>{number}<mo>·</mo><msup><mn>10</mn><mn>{exponent}</mn></msup></mrow>"
    if isinstance(tree, Variable):
        return f"<mi>{escape(tree.name)}</mi>"
    inner = _arguments(tree, _mathml, lambda body: _fenced("(", body, ")"))
    return _MATHML.get(tree.primitive, _function)(tree.primitive, inner)


def _arguments(tree: Call, write: Callable[[Tree], str], parentheses: Callable[[str], str]) -> list[str]:
    """Return the arguments' formulas, in parentheses where the whole would say something else without them."""
    inner = [write(argument) for argument in tree.arguments]
    precedence = PRIMITIVES[tree.primitive].precedence
    if tree.primitive == "div" or precedence == 5:
        return inner
    for i, argument in enumerate(tree.arguments):
        behind = i == 1 or precedence >= 3  # an operator, a sign or a power: "p - (-3)"
        if _binding(argument) < precedence + behind or (behind and _binding(argument) == 3):
            inner[i] = parentheses(inner[i])
    return inner


def _binding(tree: Tree) -> int:
    if isinstance(tree, Variable):
        return 5
    if isinstance(tree, Constant):
        return 3 if set(number_text(tree.value)) & {"-", "e"} else 5
    # fractions, powers of e and logarithms need parentheses as the base of a power only
    return 4 if tree.primitive in ("div", "exp", "log") else PRIMITIVES[tree.primitive].precedence


def _fenced(left: str, body: str, right: str) -> str:
    return f"<mrow><mo>{left}</mo>{body}<mo>{right}</mo></mrow>"


def _function(name: str, inner: list[str]) -> str:
    return f"<mrow><mi>{name}</mi>{_fenced('(', '<mo>,</mo>'.join(inner), ')')}</mrow>"


_MATHML = {
    "add": lambda _, inner: f"<mrow>{inner[0]}<mo>+</mo>{inner[1]}</mrow>",
    "sub": lambda _, inner: f"<mrow>{inner[0]}<mo>−</mo>{inner[1]}</mrow>",
    "mul": lambda _, inner: f"<mrow>{inner[0]}<mo>·</mo>{inner[1]}</mrow>",
    "div": lambda _, inner: f"<mfrac>{inner[0]}{inner[1]}</mfrac>",
    "neg": lambda _, inner: f"<mrow><mo>−</mo>{inner[0]}</mrow>",
    "square": lambda _, inner: f"<msup>{inner[0]}<mn>2</mn></msup>",
    "cube": lambda _, inner: f"<msup>{inner[0]}<mn>3</mn></msup>",
    "sqrt": lambda _, inner: f"<msqrt>{_fenced('|', inner[0], '|')}</msqrt>",
    "log": lambda _, inner: f"<mrow><mi>ln</mi>{_fenced('|', inner[0], '|')}</mrow>",
    "exp": lambda _, inner: f"<msup><mi>e</mi>{inner[0]}</msup>",
    "abs": lambda _, inner: _fenced("|", inner[0], "|"),
    "sigmoid": lambda _, inner: f"<mrow><mi>σ</mi>{_fenced('(', inner[0], ')')}</mrow>",
}
