"""Every loss by name. To add one is to write its class and a line here; the conformance suite then covers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ganetics.expressions.compile import compile_loss
from ganetics.expressions.standard import STANDARD, named_or_parsed
from ganetics.expressions.tree import Expression
from ganetics.losses import (
    GANetic,
    GANeticBatchSum,
    GANLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Wasserstein,
)


@dataclass(frozen=True)
class Entry:
    """A loss of the catalogue.

    Attributes:
        make: the loss's class; call it with ``reduction``.
        title: what people call it.
        reference: where it was published.
        expression: the same loss as an expression, in text; None if it is not separable.
    """

    make: type[GANLoss]
    title: str
    reference: str
    expression: str | None

    @property
    def name(self) -> str:
        """The name in the catalogue."""
        return self.make.name


_ALL = (
    Entry(
        GANetic,
        "GANetic",
        "Akhmedova, Körber 2024, arXiv 2406.05023",
        STANDARD["ganetic"],
    ),
    Entry(
        GANeticBatchSum,
        "GANetic, divided by the batch's sum",
        "the PyTorch file of ZKI-PH-ImageAnalysis/GANetic-Loss",
        None,
    ),
    Entry(
        NonSaturating,
        "Non-saturating (binary cross-entropy)",
        "Goodfellow et al. 2014, arXiv 1406.2661",
        STANDARD["non-saturating"],
    ),
    Entry(
        Minimax,
        "Minimax (saturating)",
        "Goodfellow et al. 2014, arXiv 1406.2661",
        STANDARD["minimax"],
    ),
    Entry(
        LeastSquares,
        "Least squares",
        "Mao et al. 2017, arXiv 1611.04076",
        STANDARD["least-squares"],
    ),
    Entry(
        Hinge,
        "Hinge",
        "Lim, Ye 2017, arXiv 1705.02894",
        STANDARD["hinge"],
    ),
    Entry(
        Wasserstein,
        "Wasserstein",
        "Arjovsky et al. 2017, arXiv 1701.07875",
        STANDARD["wasserstein"],
    ),
)

CATALOGUE: Mapping[str, Entry] = {entry.name: entry for entry in _ALL}
"""Name to loss."""


def loss_named_or_parsed(text: str) -> GANLoss:
    """Return the loss with this name, or the one that this expression says; reduction "mean".

    Raises:
        InputError: neither; names the nearest three, or what is wrong with the expression.

    >>> loss_named_or_parsed("hinge")
    Hinge(reduction='mean')
    >>> loss_named_or_parsed("hinges")
    Traceback (most recent call last):
    ganetics._check.InputError: unknown loss 'hinges', nearest: hinge
    """
    if text in CATALOGUE:
        return CATALOGUE[text].make()
    return compile_loss(_parsed(text))


def expression_of(text: str) -> Expression | None:
    """Return the expression of a name or of an expression's text; None for a loss that is not separable.

    Raises:
        InputError: neither a name nor an expression.
    """
    if text in CATALOGUE:
        expression = CATALOGUE[text].expression
        return None if expression is None else _parsed(expression)
    return _parsed(text)


def _parsed(text: str) -> Expression:
    return named_or_parsed(text, CATALOGUE)
