from __future__ import annotations

import os
import re
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics.expressions import symbolic
from ganetics.expressions.numeric import terms
from ganetics.expressions.symbolic import latex, mathml, simplify
from ganetics.expressions.text import parse, to_text
from ganetics.expressions.tree import Expression, Separate, Tied, complexity

DETERMINISTIC = settings(derandomize=True, deadline=None, max_examples=200)
EXPRESSIONS = st.from_type(Tied) | st.from_type(Separate)
ARGUMENTS = {"msup": 2, "msub": 2, "mfrac": 2, "msqrt": 1}
LEAVES = {"mi", "mn", "mo", "mtext"}


def assert_well_formed(formula: str) -> None:
    """A MathML element whose elements have as many arguments as they need."""
    root = ElementTree.fromstring(formula)
    assert root.tag == "{http://www.w3.org/1998/Math/MathML}math"
    for element in root.iter():
        tag = element.tag.partition("}")[2]
        assert len(element) == ARGUMENTS.get(tag, len(element)), tag
        assert (tag in LEAVES) == (len(element) == 0)
        assert (tag in LEAVES) == bool((element.text or "").strip())


def assert_typesets(formula: str) -> None:
    """LaTeX that TeX takes: balanced, known commands, no exponent after an exponent."""
    assert formula.isascii()
    level = 0
    for brace in re.findall(r"[{}]", formula):
        level += 1 if brace == "{" else -1
        assert level >= 0
    assert level == 0
    assert formula.count(r"\left") == formula.count(r"\right")
    assert formula.count(r"\begin") == formula.count(r"\end")
    assert double_superscript(formula) is None
    assert set(re.findall(r"\\([a-zA-Z]+)", formula)) <= {
        "left", "right", "frac", "sqrt", "ln", "tanh", "sin", "cos", "sigma", "max", "min", "cdot",
        "operatorname", "mathrm", "begin", "end",
    }  # fmt: skip


@DETERMINISTIC
@given(EXPRESSIONS)
def test_formulas_are_well_formed(expression: Expression) -> None:
    assert_well_formed(mathml(expression))
    assert_typesets(latex(expression))


def test_formulas_of_every_pair_of_primitives_are_well_formed_and_differ(pairs: list[Tied]) -> None:
    for expression in pairs:
        assert_well_formed(mathml(expression))
        assert_typesets(latex(expression))
    for formula in (latex, mathml):
        assert len({formula(expression) for expression in pairs}) == len(set(pairs))


def double_superscript(text: str) -> str | None:
    """Return where a power's exponent is followed by another exponent at once, which TeX refuses."""
    for match in re.finditer(r"\^\{", text):
        level, end = 1, match.end()
        while level:
            level += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        if text[end : end + 1] == "^":
            return text[match.start() : end + 5]
    return None


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("(p + y)/(1 - p)", r"\frac{p + y}{1 - p}"),
        ("(p + y)*(1 - p)", r"\left(p + y\right) \, \left(1 - p\right)"),
        ("exp(p)**2", r"\left(e^{p}\right)^{2}"),
        ("log(p)**2", r"\left(\ln\left|p\right|\right)^{2}"),
        ("(y/p)**3", r"\left(\frac{y}{p}\right)^{3}"),
        ("sin(p)**2", r"\sin\left(p\right)^{2}"),
        ("1e-5**2", r"\left(1 \cdot 10^{-5}\right)^{2}"),
        ("p*-y", r"p \, \left(-y\right)"),
        ("p - -3", r"p - \left(-3\right)"),
        ("--p", r"-\left(-p\right)"),
        ("2*3*p", r"2 \cdot 3 \, p"),
        ("neg(3)*p", r"-3 \, p"),
        ("y - (p - y)", r"y - \left(p - y\right)"),
        ("y*p + p*y", r"y \, p + p \, y"),
    ],
)
def test_formulas_cannot_be_misread(text: str, formula: str) -> None:
    assert latex(parse(text)) == "L(y, p) = " + formula
    # MathML puts parentheses in the same places
    shown = mathml(parse(text)).partition("<mo>=</mo>")[2]
    assert shown.count("<mo>(</mo>") == formula.count(r"\left(")


def test_a_separate_loss_is_three_aligned_lines() -> None:
    expression = parse("real: -x; fake: x; generator: x**2")
    assert latex(expression) == (
        r"\begin{aligned} L_{\mathrm{real}}(x) &= -x \\ L_{\mathrm{fake}}(x) &= x \\ L_{\mathrm{G}}(x) &= x^{2} "
        r"\end{aligned}"
    )
    assert mathml(expression).count("<mtr>") == 3


@pytest.mark.parametrize(
    ("text", "simpler"),
    [
        ("p + y - p + 0*p", "y"),
        ("exp(log(p))*y + p*p*p", None),
        ("y/y + p", "y/y + p"),  # SymPy says 1 + p; where y is 0 the protected quotient is 0
        ("p**2", "p**2"),
    ],
)
def test_simplified_is_equal_and_not_longer(text: str, simpler: str | None) -> None:
    expression = parse(text)
    found = simplify(expression, seconds=120)
    if simpler is None:
        assert complexity(found) < complexity(expression)
    else:
        assert to_text(found) == simpler
    logits = np.linspace(-11, 11, 45)
    for term in ("real", "fake", "generator"):
        one, two = (getattr(terms(which, logits), term) for which in (expression, found))
        assert np.allclose(one, two, rtol=1e-6, atol=1e-6)


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program of the test in the place of Python, where the simplification runs."""
    path = tmp_path / "python"
    monkeypatch.setattr(symbolic.sys, "executable", str(path))
    return path


def program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_a_simplification_that_hangs_is_ended(child: Path, tmp_path: Path) -> None:
    program(child, f"echo $$ > {tmp_path}/pid; exec sleep 300")
    start = time.monotonic()
    assert simplify(parse("p + y"), seconds=0.5) == parse("p + y")
    assert time.monotonic() - start < 100
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    "answer",
    ["exit 1", "echo nonsense", """echo '"p"'""", """echo '"p + __import__(1)"'"""],
    ids=["fails", "no JSON", "not equal", "not an expression"],
)
def test_what_a_simplification_answers_is_not_trusted(child: Path, answer: str) -> None:
    program(child, answer)
    assert simplify(parse("p + y*2")) == parse("p + y*2")


def test_only_tied_losses_are_simplified(child: Path) -> None:
    expression = parse("real: x + 0*x; fake: x; generator: -x")
    assert simplify(expression) is expression  # and no child, which could not be found here, was started
