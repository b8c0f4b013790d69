"""From an expression to a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganetics.expressions.bind import terms_of
from ganetics.expressions.primitives import LARGEST_EXPONENT, SMALLEST_DIVISOR, SMALLEST_RADICAND
from ganetics.expressions.text import to_text
from ganetics.expressions.tree import (
    LOG_ONE_MINUS_P,
    LOG_P,
    ONE_MINUS_P,
    Constant,
    Expression,
    P,
    Tree,
    Variable,
    X,
)
from ganetics.losses.contract import Reduction, SeparableLoss

Term = Callable[[Tensor], Tensor]

LOGIT_RANGE = (-30.0, 30.0)
"""Where most expressions are finite, unchecked (``exp(x)**3`` is not): the search's screen looks at each."""


class CompiledLoss(SeparableLoss):
    """The loss that an expression says. Make it with :func:`compile_loss`."""

    def __init__(
        self,
        expression: Expression,
        *,
        reduction: Reduction = "mean",
        name: str | None = None,
        logit_range: tuple[float, float] = LOGIT_RANGE,
    ) -> None:
        super().__init__(reduction=reduction)
        self.logit_range = logit_range
        self.expression = expression
        self.name = to_text(expression) if name is None else name
        self._real, self._fake, self._generator = (_term(tree) for tree in terms_of(expression))

    def __repr__(self) -> str:
        return f"compile_loss(parse({to_text(self.expression)!r}), reduction={self.reduction!r})"

    def real_term(self, logits: Tensor) -> Tensor:
        """Return the real term, element by element."""
        return self._real(logits)

    def fake_term(self, logits: Tensor) -> Tensor:
        """Return the fake term, element by element."""
        return self._fake(logits)

    def generator_term(self, logits: Tensor) -> Tensor:
        """Return the generator's term, element by element."""
        return self._generator(logits)


def compile_loss(
    expression: Expression,
    *,
    reduction: Reduction = "mean",
    name: str | None = None,
    logit_range: tuple[float, float] = LOGIT_RANGE,
) -> CompiledLoss:
    """Return the loss of an expression.

    ``log(p)``, ``1 - p`` and ``log(1 - p)`` are computed from the logit, not from p, so that they keep their digits
    where p is near 0 or 1.

    Args:
        expression: tied or separate.
        reduction: see :class:`ganetics.losses.GANLoss`.
        name: default the expression's text.
        logit_range: where value and gradient are finite in float32, if that is known.

    >>> from ganetics.expressions.text import parse
    >>> compile_loss(parse("p**3 + sqrt(3.985*y/p)")).generator(fake_logits=torch.zeros(1))
    tensor(2.9481)
    """
    return CompiledLoss(expression, reduction=reduction, name=name, logit_range=logit_range)


def _divide(a: Tensor, b: Tensor) -> Tensor:
    sign = torch.where(b < 0, -1.0, 1.0).to(b.dtype)
    return a / (sign * b.abs().clamp(min=SMALLEST_DIVISOR))


TORCH: Mapping[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": _divide,
    "neg": torch.neg,
    "square": torch.square,
    "cube": lambda a: a * a * a,
    "sqrt": lambda a: a.abs().clamp(min=SMALLEST_RADICAND).sqrt(),
    "log": lambda a: a.abs().clamp(min=SMALLEST_DIVISOR).log(),
    "exp": lambda a: a.clamp(max=LARGEST_EXPONENT).exp(),
    "abs": torch.abs,
    "tanh": torch.tanh,
    "sin": torch.sin,
    "cos": torch.cos,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "relu": torch.relu,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
"""The primitives in torch; equal to :data:`ganetics.expressions.primitives.PRIMITIVES`."""

FROM_LOGIT: Mapping[Tree, Term] = {
    X: lambda logits: logits,
    P: torch.sigmoid,
    ONE_MINUS_P: lambda logits: torch.sigmoid(-logits),
    LOG_P: F.logsigmoid,
    LOG_ONE_MINUS_P: lambda logits: F.logsigmoid(-logits),
}


def _term(tree: Tree) -> Term:
    inner = _compile(tree)
    # a term that does not depend on the logit still has its shape, and a gradient (zero) to flow back
    return inner if _depends(tree) else lambda logits: inner(logits) + 0.0 * logits


def _depends(tree: Tree) -> bool:
    return tree in FROM_LOGIT or (not isinstance(tree, Constant | Variable) and any(map(_depends, tree.arguments)))


def _compile(tree: Tree) -> Term:
    if tree in FROM_LOGIT:
        return FROM_LOGIT[tree]
    if isinstance(tree, Constant):
        value = tree.value
        return lambda logits: logits.new_full((), value)
    if isinstance(tree, Variable):
        raise KeyError(f"no value for the variable {tree.name}")
    function = TORCH[tree.primitive]
    if len(tree.arguments) == 1:
        only = _compile(tree.arguments[0])
        return lambda logits: function(only(logits))
    left, right = (_compile(argument) for argument in tree.arguments)
    return lambda logits: function(left(logits), right(logits))
