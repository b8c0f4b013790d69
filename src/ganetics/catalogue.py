"""Every loss by name. To add one is to write its class and a line here; the conformance suite then covers it.

Losses that our own searches found are data, in ``evolved.json``: see :class:`ganetics.records.EvolvedLosses`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ganetics._check import InputError
from ganetics.expressions.compile import compile_loss
from ganetics.expressions.standard import PAIRING, STANDARD, named_or_parsed
from ganetics.expressions.text import parse
from ganetics.expressions.tree import Expression
from ganetics.losses import (
    FDivergence,
    GANetic,
    GANeticBatchSum,
    GANLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPairing,
    Wasserstein,
    smoothed,
)
from ganetics.losses.contract import Reduction, SeparableLoss
from ganetics.records import EvolvedLosses, Provenance, from_json, read_text

F_GAN = "Nowozin et al. 2016, arXiv 1606.00709"
RELATIVISTIC = "Jolicoeur-Martineau 2018, arXiv 1807.00734"
GOODFELLOW = "Goodfellow et al. 2014, arXiv 1406.2661"


@dataclass(frozen=True)
class Entry:
    """A loss of the catalogue.

    Attributes:
        name: what it is called; its objects have it, too.
        make: gives the loss; call it with ``reduction``.
        title: what people call it.
        reference: where it was published; of an evolved loss, the command that found it.
        expression: the same loss as an expression, in text; None if it is not separable.
        paired: of a relativistic loss of pairs its base, as an expression in text.
        provenance: of an evolved loss.
    """

    name: str
    make: Callable[..., GANLoss]
    title: str
    reference: str
    expression: str | None = None
    paired: str | None = None
    provenance: Provenance | None = None


def _entry(name: str, make: Callable[..., GANLoss], title: str, reference: str) -> Entry:
    paired = STANDARD["non-saturating"] if make is RelativisticPairing else None
    return Entry(name, make, title, reference, STANDARD.get(name), paired)


def _one_sided(*, reduction: Reduction = "mean") -> GANLoss:
    return smoothed(NonSaturating(reduction=reduction), real=0.9)


_ALL = (
    _entry("ganetic", GANetic, "GANetic", "Akhmedova, Körber 2024, arXiv 2406.05023"),
    _entry(
        "ganetic-batch-sum",
        GANeticBatchSum,
        "GANetic, divided by the batch's sum",
        "the PyTorch file of ZKI-PH-ImageAnalysis/GANetic-Loss",
    ),
    _entry(
        "non-saturating",
        NonSaturating,
        "Non-saturating (binary cross-entropy; the logistic loss of StyleGAN2)",
        GOODFELLOW,
    ),
    _entry(
        "non-saturating-smooth",
        _one_sided,
        "Non-saturating with one-sided label smoothing, 0.9",
        "Salimans et al. 2016, arXiv 1606.03498",
    ),
    _entry("minimax", Minimax, "Minimax (saturating)", GOODFELLOW),
    _entry("least-squares", LeastSquares, "Least squares", "Mao et al. 2017, arXiv 1611.04076"),
    _entry("hinge", Hinge, "Hinge", "Lim, Ye 2017, arXiv 1705.02894"),
    _entry("wasserstein", Wasserstein, "Wasserstein", "Arjovsky et al. 2017, arXiv 1701.07875"),
    _entry(
        "relativistic-pairing",
        RelativisticPairing,
        "Relativistic pairing (RpGAN, the loss of R3GAN)",
        f"{RELATIVISTIC}; Huang et al. 2024, arXiv 2501.05441",
    ),
    _entry("relativistic-average", RelativisticAverage, "Relativistic average (RaGAN)", RELATIVISTIC),
    _entry(
        "ra-least-squares",
        partial(RelativisticAverage, LeastSquares(fake_target=-1.0), name="ra-least-squares"),
        "Relativistic average, least squares (RaLSGAN)",
        RELATIVISTIC,
    ),
    _entry(
        "ra-hinge",
        partial(RelativisticAverage, Hinge(), name="ra-hinge"),
        "Relativistic average, hinge (RaHingeGAN)",
        RELATIVISTIC,
    ),
    _entry("f-kl", partial(FDivergence, "kl"), "f-GAN, Kullback-Leibler", F_GAN),
    _entry("f-reverse-kl", partial(FDivergence, "reverse-kl"), "f-GAN, reverse Kullback-Leibler", F_GAN),
    _entry("f-pearson", partial(FDivergence, "pearson"), "f-GAN, Pearson χ²", F_GAN),
    _entry("f-hellinger", partial(FDivergence, "hellinger"), "f-GAN, squared Hellinger", F_GAN),
    _entry("f-js", partial(FDivergence, "js"), "f-GAN, Jensen-Shannon", F_GAN),
)


RELATIVISTIC_OF: Mapping[str, Callable[..., GANLoss]] = {
    PAIRING: RelativisticPairing,
    "relativistic-average": RelativisticAverage,
}
"""What makes a relativistic loss of any separable one: in text ``relativistic-pairing(LOSS)``."""
_RELATIVISTIC = re.compile(rf"({'|'.join(RELATIVISTIC_OF)})\s*\((.*)\)", re.DOTALL)


def _relativistic(text: str) -> tuple[str, str] | None:
    """Return of ``KIND(LOSS)`` which of :data:`RELATIVISTIC_OF` it is and the text of LOSS; None of any other text.

    Raises:
        InputError: LOSS is such a text itself, so it is not separable.
    """
    found = _RELATIVISTIC.fullmatch(text.strip())
    if found is None:
        return None
    kind, inner = found[1], found[2].strip()
    if _RELATIVISTIC.fullmatch(inner):
        raise _not_separable(kind, inner)
    return kind, inner


def _not_separable(kind: str, inner: str) -> InputError:
    return InputError(f"{kind}(…): must hold a separable loss, got {inner!r}")


def evolved(path: Path, taken: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the losses that a file of evolved losses holds, by name.

    Args:
        path: JSON of :class:`ganetics.records.EvolvedLosses`.
        taken: names that are in use.

    Raises:
        InputError: no such file, or not of that form; a name that is taken; an expression that cannot be read (it may
            be one of :data:`RELATIVISTIC_OF` of an expression, but not of a name).
    """
    where = f"evolved losses: {path}"
    found: dict[str, Entry] = {}
    for loss in from_json(EvolvedLosses, read_text(path, "evolved losses"), where=where).losses:
        if loss.name in taken or loss.name in found:
            raise InputError(f"{where}: a name must occur once in the catalogue, got {loss.name!r} again")
        try:
            relativistic = _relativistic(loss.expression)
            expression = parse(relativistic[1] if relativistic else loss.expression)
        except InputError as error:
            raise InputError(f"{where}: {loss.name}: {error}") from None
        make: Callable[..., GANLoss] = partial(compile_loss, expression, logit_range=loss.logit_range)
        if relativistic:
            make = partial(RELATIVISTIC_OF[relativistic[0]], make())
        found[loss.name] = Entry(
            loss.name,
            partial(make, name=loss.name),
            loss.title,
            loss.provenance.command,
            expression=None if relativistic else loss.expression,
            paired=relativistic[1] if relativistic and relativistic[0] == PAIRING else None,
            provenance=loss.provenance,
        )
    return found


_PUBLISHED = {entry.name: entry for entry in _ALL}

CATALOGUE: Mapping[str, Entry] = _PUBLISHED | evolved(Path(__file__).with_name("evolved.json"), _PUBLISHED)
"""Name to loss: the published ones, then the evolved ones."""


def loss_named_or_parsed(text: str) -> GANLoss:
    """Return the loss with this name, or the one that this expression says; reduction "mean".

    ``relativistic-pairing(LOSS)`` and ``relativistic-average(LOSS)`` are relativistic losses of a separable one.

    Raises:
        InputError: neither; names the nearest three, or what is wrong with the expression; or it is within a
            relativistic one and not separable.

    >>> loss_named_or_parsed("hinge")
    Hinge(reduction='mean')
    >>> loss_named_or_parsed("hinges")
    Traceback (most recent call last):
    ganetics._check.InputError: unknown loss 'hinges', nearest: hinge, ra-hinge, f-hellinger
    >>> loss_named_or_parsed("relativistic-pairing(hinge)")
    RelativisticPairing(Hinge(reduction='mean'), reduction='mean')
    """
    if text in CATALOGUE:
        return CATALOGUE[text].make()
    if relativistic := _relativistic(text):
        kind, inner = relativistic
        base = loss_named_or_parsed(inner)
        if not isinstance(base, SeparableLoss):
            raise _not_separable(kind, inner)
        return RELATIVISTIC_OF[kind](base)
    return compile_loss(_parsed(text))


def expression_of(text: str) -> Expression | None:
    """Return the expression of a name or of an expression's text; None for a loss that is not separable.

    Raises:
        InputError: as :func:`loss_named_or_parsed`.
    """
    if text in CATALOGUE:
        expression = CATALOGUE[text].expression
        return None if expression is None else _parsed(expression)
    return None if _base_of(text) else _parsed(text)


def paired_expression_of(text: str) -> Expression | None:
    """Return the base of a relativistic loss of pairs, whose real and generator's term it takes; None of any other.

    Raises:
        InputError: as :func:`loss_named_or_parsed`.

    >>> from ganetics.expressions.text import to_text
    >>> to_text(paired_expression_of("relativistic-pairing"))
    '-(y*log(p) + (1 - y)*log(1 - p))'
    """
    if text in CATALOGUE:
        paired = CATALOGUE[text].paired
        return None if paired is None else _parsed(paired)
    if base := _base_of(text):
        kind, expression = base
        return expression if kind == PAIRING else None
    _parsed(text)
    return None


def _base_of(text: str) -> tuple[str, Expression] | None:
    """Return of ``KIND(LOSS)`` the kind and the expression of LOSS; None of any other text."""
    relativistic = _relativistic(text)
    if relativistic is None:
        return None
    kind, inner = relativistic
    expression = expression_of(inner)
    if expression is None:
        raise _not_separable(kind, inner)
    return kind, expression


def _parsed(text: str) -> Expression:
    return named_or_parsed(text, CATALOGUE)
