"""Expressions as formulas to look at: LaTeX and MathML; and simplification by SymPy, which can hang and so runs apart."""

from __future__ import annotations

import json
import subprocess
import sys
from xml.sax.saxutils import escape

import numpy as np

from ganetics.expressions.numeric import terms
from ganetics.expressions.primitives import PRIMITIVES
from ganetics.expressions.text import number_text, parse, render, to_text
from ganetics.expressions.tree import Constant, Expression, Tied, Tree, Variable

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
        body = f"<mrow>{_left('L', '', 'y, p')}<mo>=</mo>{_mathml(expression.tree)}</mrow>"
    else:
        rows = "".join(
            f"<mtr><mtd>{_left('L', name, 'x')}</mtd><mtd><mo>=</mo></mtd>"
            f"<mtd>{_mathml(getattr(expression, term))}</mtd></mtr>"
            for term, name in (("real", "real"), ("fake", "fake"), ("generator", "G"))
        )
        body = f"<mtable>{rows}</mtable>"
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{body}</math>'


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
    return render(tree, lambda primitive: primitive.latex, _latex_number, str)


def _latex_number(value: float) -> str:
    digits, _, exponent = number_text(value).partition("e")
    return digits + (rf" \cdot 10^{{{int(exponent)}}}" if exponent else "")


def _left(symbol: str, index: str, arguments: str) -> str:
    head = f"<msub><mi>{symbol}</mi><mtext>{index}</mtext></msub>" if index else f"<mi>{symbol}</mi>"
    inner = "<mo>,</mo>".join(f"<mi>{name}</mi>" for name in arguments.split(", "))
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
    inner = [_mathml(argument) for argument in tree.arguments]
    precedence = PRIMITIVES[tree.primitive].precedence
    if tree.primitive != "div" and precedence < 5:
        for i, argument in enumerate(tree.arguments):
            if _binding(argument) < precedence + (i == 1 or precedence == 4):
                inner[i] = _fenced("(", inner[i], ")")
    return _MATHML.get(tree.primitive, _function)(tree.primitive, inner)


def _binding(tree: Tree) -> int:
    if isinstance(tree, Constant):
        return 3 if tree.value < 0 or "e" in number_text(tree.value) else 5
    if isinstance(tree, Variable) or tree.primitive == "div":
        # a fraction needs parentheses as the base of a power only
        return 5 if isinstance(tree, Variable) else 4
    return PRIMITIVES[tree.primitive].precedence


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
