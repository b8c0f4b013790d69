from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganetics._check import InputError
from ganetics.expressions.text import (
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_SIZE,
    from_json,
    number_text,
    parse,
    to_json,
    to_text,
)
from ganetics.expressions.tree import Call, Constant, Expression, P, Separate, Tied

DETERMINISTIC = settings(derandomize=True, deadline=None, max_examples=300)
EXPRESSIONS = st.from_type(Tied) | st.from_type(Separate)


@DETERMINISTIC
@given(EXPRESSIONS)
def test_text_comes_back_as_it_was(expression: Expression) -> None:
    again = parse(to_text(expression))
    assert again == expression
    assert repr(again) == repr(expression)  # the sign of a zero, too


def test_text_of_every_pair_of_primitives_comes_back(pairs: list[Tied]) -> None:
    texts = [to_text(expression) for expression in pairs]
    assert [parse(text) for text in texts] == pairs
    assert len(set(texts)) == len(set(pairs))


@DETERMINISTIC
@given(EXPRESSIONS)
def test_json_comes_back_as_it_was(expression: Expression) -> None:
    again = from_json(json.loads(json.dumps(to_json(expression))))
    assert again == expression
    assert repr(again) == repr(expression)


@DETERMINISTIC
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_comes_back_as_it_was(value: float) -> None:
    assert float(number_text(value)).hex() == value.hex()
    for tree in (Constant(value), Call("neg", (Constant(value),)), Call("square", (Constant(value),))):
        assert repr(parse(to_text(Tied(tree)))) == repr(Tied(tree))


@pytest.mark.parametrize(
    "text",
    [
        "p**3 + sqrt(3.985*y/p)",
        "y - (p - y)",
        "y - p - y",
        "y/(p*y)",
        "y*(p/y)",
        "-p**2",
        "(-p)**2",
        "(p**2)**3",
        "--p",
        "-3",
        "neg(3)",
        "neg(-3)",
        "(-3)**2",
        "p - -3",
        "-(y + p)*p",
        "maximum(p, minimum(y, 1e-07))",
        "real: relu(1 - x); fake: x; generator: -x",
    ],
)
def test_text_has_one_form_with_the_fewest_parentheses(text: str) -> None:
    assert to_text(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("add(p, mul(y, 2))", "p + y*2"),
        (" ( ( p ) ) ", "p"),
        ("square(p)", "p**2"),
        ("p**2.0", "p**2"),
        ("0x10*p + 1_000", "16*p + 1000"),
        ("generator: -x ; real:x;fake:2*x", "real: x; fake: 2*x; generator: -x"),
    ],
)
def test_other_spellings_are_read(text: str, form: str) -> None:
    assert to_text(parse(text)) == form


HOSTILE = [
    "__import__('pathlib').Path('canary').touch()",
    "p + __import__('os').system('touch canary')",
    "exec(\"open('canary', 'w')\")",
    "eval('1')",
    "open('canary', 'w')",
    "p.real",
    "().__class__.__bases__[0].__subclasses__()",
    "p.__class__",
    "lambda p: p",
    "(lambda: p)()",
    "(p := 1)",
    "[p for p in y]",
    "[p]",
    "{p}",
    "p[0]",
    "p if y else 1",
    "p < y",
    "p and y",
    "not p",
    "~p",
    "+p",
    "p // y",
    "p % y",
    "p @ y",
    "p ^ y",
    "p**y",
    "p**0.5",
    "p**-1",
    "f'{p}'",
    "'p'",
    "b'p'",
    "True*p",
    "None",
    "...",
    "1j",
    "p; y",
    "p, y",
    "p = y",
    "import os",
    "await p",
    "yield p",
    "*p",
    "log()",
    "log(p, y)",
    "log(*p)",
    "log(x=p)",
    "maximum(p)",
    "log(p)(y)",
    "log",
    "x",
    "real: x; fake: x",
    "real: x; fake: x; generator: x; real: x",
    "real: p; fake: x; generator: x",
    "real: ; fake: x; generator: x",
    "L: p",
    "",
    "   ",
    "p +",
    "(p",
    "p y",
    "1e999",
    "-1e999",
    "nan",
    "inf",
    "9" * 1000,
    "9" * 3900,
    "-" + "9" * 1000,
    "p\0",
    "p\udc80",
    "p\n+ y\nq",
    "#",
    "(" * 300 + "p" + ")" * 300,
    "(" * 1900 + "p" + ")" * 1900,
    "-" * 3900 + "p",
    "log(" * 900 + "p" + ")" * 900,
    "p" + "**2" * 1300,
    "+".join(["p"] * 1900),
    "p" * (MAX_LENGTH + 1),
    "p + " * 10**6 + "p",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:30]))
def test_what_is_not_an_expression_is_refused_and_not_evaluated(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        parse(text)
    assert len(str(caught.value)) < 400
    assert list(tmp_path.iterdir()) == []


def nested(levels: int) -> str:
    return "log(" * (levels - 1) + "p" + ")" * (levels - 1)


def balanced(leaves: int) -> Any:
    return "p" if leaves == 1 else ["add", balanced(leaves // 2), balanced(leaves - leaves // 2)]


def test_the_limits_are_where_they_are_said_to_be() -> None:
    assert to_text(parse(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(InputError, match=f"must be at most {MAX_DEPTH} levels deep"):
        parse(nested(MAX_DEPTH + 1))
    largest = from_json({"tied": balanced(MAX_SIZE // 2)})
    assert parse(to_text(largest)) == largest
    with pytest.raises(InputError, match=f"must have at most {MAX_SIZE} nodes, got {MAX_SIZE + 1}"):
        from_json({"tied": ["neg", ["neg", balanced(MAX_SIZE // 2)]]})
    with pytest.raises(InputError, match=f"must have at most {MAX_SIZE} nodes"):
        parse(to_text(Tied(Call("neg", (Call("neg", (largest.tree,)),)))))  # type: ignore[union-attr]


def deep(levels: int) -> Any:
    value: Any = "p"
    for _ in range(levels):
        value = ["neg", value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "p",
        [],
        {},
        {"tied": None},
        {"tied": True},
        {"tied": "x"},
        {"tied": "q"},
        {"tied": []},
        {"tied": [1.0, "p"]},
        {"tied": ["log"]},
        {"tied": ["log", "p", "p"]},
        {"tied": ["__import__", "os"]},
        {"tied": ["log", {"p": 1}]},
        {"tied": [["log"], "p"]},
        {"tied": math.nan},
        {"tied": math.inf},
        {"tied": 10**400},
        {"tied": -(10**5000)},
        {"tied": "p", "real": "x"},
        {"real": "x", "fake": "x"},
        {"real": "p", "fake": "x", "generator": "x"},
        {"tied": deep(MAX_DEPTH)},
        {"tied": deep(100_000)},
        {1: 2},
    ],
    ids=lambda value: ascii(value)[:40] if not isinstance(value, dict) or "tied" not in value else None,
)
def test_what_is_not_an_expressions_json_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"^expression: .{1,200}$"):
        from_json(value)


def test_an_error_says_where_and_suggests() -> None:
    with pytest.raises(InputError, match=r"^expression \"sqr\(p\)\": unknown function 'sqr', nearest: .*sqrt"):
        parse("sqr(p)")
    with pytest.raises(InputError, match=r"^expression \"p\*\*4\": the only powers are \*\*2 and \*\*3$"):
        parse("p**4")
    with pytest.raises(InputError, match="missing generator"):
        parse("real: x; fake: x")
    assert parse("p") == Tied(P)
