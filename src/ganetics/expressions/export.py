"""A loss as a file that needs nothing of this package."""

from __future__ import annotations

from collections.abc import Mapping

from ganetics.expressions.bind import terms_of
from ganetics.expressions.primitives import LARGEST_EXPONENT, SMALLEST_DIVISOR, SMALLEST_RADICAND, Primitive
from ganetics.expressions.text import number_text, render, to_text
from ganetics.expressions.tree import (
    LOG_ONE_MINUS_P,
    LOG_P,
    ONE_MINUS_P,
    Call,
    Constant,
    Expression,
    P,
    Tree,
    Variable,
)

PYTORCH: Mapping[str, str] = {
    "div": "_divide({0}, {1})",
    "sqrt": f"torch.sqrt(torch.clamp(torch.abs({{0}}), min={SMALLEST_RADICAND}))",
    "log": f"torch.log(torch.clamp(torch.abs({{0}}), min={SMALLEST_DIVISOR}))",
    "exp": f"torch.exp(torch.clamp({{0}}, max={LARGEST_EXPONENT}))",
    "abs": "torch.abs({0})",
    "tanh": "torch.tanh({0})",
    "sin": "torch.sin({0})",
    "cos": "torch.cos({0})",
    "sigmoid": "torch.sigmoid({0})",
    "softplus": "F.softplus({0})",
    "relu": "torch.relu({0})",
    "maximum": "_maximum({0}, {1})",
    "minimum": "_minimum({0}, {1})",
}
"""How primitives are written in PyTorch, where not as in an expression's text."""

FROM_LOGIT: Mapping[Tree, tuple[str, str]] = {
    P: ("p", "p = torch.sigmoid(x)"),
    ONE_MINUS_P: ("q", "q = torch.sigmoid(-x)  # 1 - p, without losing digits where p is near 1"),
    LOG_P: ("log_p", "log_p = F.logsigmoid(x)"),
    LOG_ONE_MINUS_P: ("log_q", "log_q = F.logsigmoid(-x)  # log(1 - p)"),
}
"""What is computed from the logit x, and how."""

HELPERS: Mapping[str, str] = {
    "_divide": f"""

def _divide(a, b):
    sign = torch.where(b < 0, -1.0, 1.0)
    return a / (sign * torch.clamp(torch.abs(b), min={SMALLEST_DIVISOR}))  # divisors stay away from zero
""",
    "_maximum": """

def _maximum(a, b):
    return torch.maximum(torch.as_tensor(a), torch.as_tensor(b))
""",
    "_minimum": """

def _minimum(a, b):
    return torch.minimum(torch.as_tensor(a), torch.as_tensor(b))
""",
}
HEADER = '''"""{title}

    {formula}

Written by ganetics {version}. Needs torch only.{provenance}
"""

import torch
import torch.nn.functional as F


def discriminator_loss(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """Return what the discriminator minimises: mean of the real terms plus mean of the fake terms."""
    return _real_term(real_logits.float()).mean() + _fake_term(fake_logits.float()).mean()


def generator_loss(fake_logits: torch.Tensor) -> torch.Tensor:
    """Return what the generator minimises."""
    return _generator_term(fake_logits.float()).mean()
'''


def to_pytorch(expression: Expression, *, title: str, version: str, provenance: str = "") -> str:
    """Return Python source with ``discriminator_loss(real_logits, fake_logits)`` and ``generator_loss(fake_logits)``.

    Args:
        expression: the loss.
        title: first line of the file's docstring.
        version: of this package.
        provenance: where the loss comes from, one paragraph.
    """
    formula = to_text(expression)
    body = HEADER.format(
        title=_plain(title),
        formula=formula.replace("; ", "\n    "),
        version=version,
        provenance=f"\n\n{_plain(provenance)}" if provenance else "",
    )
    real, fake, generator = terms_of(expression)
    functions = _function("_real_term", real) + _function("_fake_term", fake)
    functions += "\n\n_generator_term = _real_term\n" if generator == real else _function("_generator_term", generator)
    return body + "".join(text for name, text in HELPERS.items() if name in functions) + functions


def _function(name: str, tree: Tree) -> str:
    known: dict[str, str] = {}
    value = render(_substituted(tree, known), _template, number_text, str)
    if "x" not in value and not known:  # a constant still has the logits' shape
        value = f"{value} + 0 * x"
    return "\n\n" + "\n    ".join([f"def {name}(x):", *known.values(), f"return {value}"]) + "\n"


def _substituted(tree: Tree, known: dict[str, str]) -> Tree:
    """Return the tree with variables for what is computed from the logit; note these, and how, in ``known``."""
    if tree in FROM_LOGIT:
        name, line = FROM_LOGIT[tree]
        known[name] = line
        return Variable(name)
    if isinstance(tree, Call):
        arguments = tuple(_substituted(argument, known) for argument in tree.arguments)
        if tree.primitive == "div" and isinstance(arguments[1], Constant):  # no need of protection
            return Call("mul", (arguments[0], Constant(1.0 / arguments[1].value)))
        return Call(tree.primitive, arguments)
    return tree


def _template(primitive: Primitive) -> str:
    return PYTORCH.get(primitive.name, primitive.text)


def _plain(text: str) -> str:
    """Keep text that comes from outside from ending the docstring it stands in."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())
