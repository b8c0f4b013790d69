"""The card of a loss, put together."""

from __future__ import annotations

import numpy as np

from ganetics._check import number
from ganetics.losses.contract import GANLoss, SeparableLoss
from ganetics.losses.theory.card import TheoryCard, Undefined
from ganetics.losses.theory.curves import (
    FLAT,
    Array,
    Curve,
    diagonal_of,
    ends_of_minima,
    grid,
    slices_of,
    terms_of,
    window_of,
)
from ganetics.losses.theory.dirac import dirac
from ganetics.losses.theory.divergence import divergence
from ganetics.losses.theory.optimum import endless, middle, optimum
from ganetics.losses.theory.terms import DIGITS, LOGITS, term
from ganetics.losses.theory.verdict import verdict

BATCH = 64
"""Equal logits of a side, where a loss depends on the batch."""

NOT_SEPARABLE = "a sample's loss depends on other samples' logits, so no logit is best for one sample alone"
NO_OPTIMUM = "it follows from the optimal logit of each sample, and there is none"
UNBOUNDED = (
    "at some density ratios between e⁻⁵ and e⁵ no logit that is looked at is optimal, and the loss has no limit beyond"
)
NO_REST = "with equal logits for real and generated samples no finite logit is best"
KINK = "it follows from slopes at the equilibrium, and a term has a kink there"
NO_EQUILIBRIUM = "it is judged at the equilibrium, and there is none"


def theory_card(loss: GANLoss, *, batch: int = BATCH) -> TheoryCard:
    """Return what is known of a loss without training with it, in float64.

    A loss that is not separable has no terms of one logit; slices through its equilibrium stand for them (one side
    ``batch`` equal logits, the other side at the equilibrium), and what needs terms is listed as undefined.

    Args:
        loss: any; its reduction does not matter.
        batch: equal logits a side, for losses that are not separable.

    Raises:
        InputError: ``batch`` is below 1.

    >>> from ganetics.losses import GANetic
    >>> card = theory_card(GANetic())
    >>> round(card.optimum.equilibrium_probability, 3), card.dirac.plain.kind, card.dirac.r1.kind
    (0.599, 'neutral', 'stable')
    """
    number("batch", batch, low=1)
    window, diagonal = window_of(loss), diagonal_of(loss, batch)
    rest = equilibrium(diagonal, window)
    separable = isinstance(loss, SeparableLoss)
    curves = terms_of(loss) if isinstance(loss, SeparableLoss) else slices_of(loss, batch, rest or 0.0)
    real, fake, generator = (term(curve, window, rest) for curve in (curves.real, curves.fake, curves.generator))
    card = TheoryCard(
        name=loss.name or type(loss).__name__,
        separable=separable,
        generator_needs_real=loss.generator_needs_real,
        logit_range=loss.logit_range,
        looked_at=window,
        view=_view(separable, batch, rest),
        equilibrium=rest,
        logits=tuple(LOGITS.tolist()),
        real=real,
        fake=fake,
        generator=generator,
        optimum=optimum(curves, window) if separable else None,
        divergence=divergence(curves, window) if separable else None,
        dirac=None if rest is None else dirac(curves, diagonal, rest),
        undefined=(),
    )
    card = card.model_copy(update={"undefined": _undefined(card)})
    return card.model_copy(update={"verdict": verdict(card)})


def equilibrium(diagonal: Curve, window: tuple[float, float]) -> float | None:
    """Return the best logit where real and generated samples are alike; the middle if there are several, 0 if all are.

    None if no finite logit is best.
    """
    places = grid(window)

    def slope(logits: Array) -> tuple[Array, Array]:
        slopes = diagonal(logits)[1]
        return slopes, np.full_like(slopes, FLAT)

    low, high = (endless(ends, window) for ends in ends_of_minima(diagonal(places)[0][None], places, slope))
    best = float(middle(low, high)[0])
    return round(best, DIGITS) + 0.0 if np.isfinite(best) else None


def _view(separable: bool, batch: int, rest: float | None) -> str:
    if separable:
        return "the loss's terms, a function of one logit each"
    other = "0" if rest is None else f"{rest:.3g}, the equilibrium".replace("-", "−")
    return f"slices: {batch} equal logits of one side, the other side's at {other}"


def _undefined(card: TheoryCard) -> tuple[Undefined, ...]:
    """Say of each fact that is missing why."""
    found = []
    if not card.separable:
        found += [Undefined(fact="optimum", reason=NOT_SEPARABLE), Undefined(fact="divergence", reason=NO_OPTIMUM)]
    elif card.divergence is None:
        found.append(Undefined(fact="divergence", reason=UNBOUNDED))
    if card.equilibrium is None:
        found += [Undefined(fact="equilibrium", reason=NO_REST), Undefined(fact="dirac", reason=NO_EQUILIBRIUM)]
    elif card.dirac is not None and card.dirac.plain is None:
        found.append(Undefined(fact="dirac", reason=KINK))
    return tuple(found)
