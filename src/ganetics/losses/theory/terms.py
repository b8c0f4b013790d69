"""Facts about one term: what its slope does far out, where it is stationary, its bounds, its steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ganetics.losses.theory.card import Stationary, Step, Tail, Term
from ganetics.losses.theory.curves import Array, Curve, Flags, grid

LOGITS = np.linspace(-10.0, 10.0, 201)
"""Where terms are tabulated."""
STATIONARY = np.linspace(-16.0, 16.0, 641)
FAR = 15.0
"""Where tails are read: before the clamps in use, at probabilities of 1e-7 (logit 16.1)."""
SURE = (-8.0, -4.0, 4.0, 8.0)
BCE_SLOPE = 0.5
"""|slope| of binary cross-entropy at its equilibrium."""
NEAR = 4.0
NOTHING = 1e-9
"""A slope below this share of those around it is zero."""
BESIDE, AROUND, JUMP = 1e-6, 0.1, 1e-3
"""A kink is where slopes so near to each other differ by this share of those around; smooth ones do not."""
DIGITS = 10
"""Decimals to which logits are found."""
CLAMP = 60.0
"""Clamps are looked for up to here."""
GONE = 1e-3
"""A slope that falls below this share of that at FAR has met a clamp."""


def term(curve: Curve, window: tuple[float, float], equilibrium: float | None) -> Term:
    """Return the facts about a term.

    Args:
        curve: the term.
        window: the logits in which the loss is finite.
        equilibrium: the discriminator's logit at the equilibrium, if there is one.
    """
    values, slopes = curve(LOGITS)
    below, above = tail(curve, window, -1), tail(curve, window, 1)
    still = stationary(curve, window)
    lowest, highest = bounds(curve, window, below, above, still)
    steps = _steps(curve, equilibrium)
    return Term(
        values=holes(values),
        slopes=holes(slopes),
        below=below,
        above=above,
        stationary=still,
        lowest=lowest,
        highest=highest,
        equilibrium_slope=steps.slope,
        kink=steps.kink,
        scale=steps.scale,
        peak=steps.peak,
        steps=steps.steps,
    )


def tail(curve: Curve, window: tuple[float, float], side: int) -> Tail:
    """Return what the slope does towards −∞ (``side`` −1) or +∞ (1).

    With g = |slope|, the inverse of (log g)′ is constant for exp(k·x), 1/k, and rises by 1/q a logit for x^q, wherever
    its zero is: two readings tell the laws apart.
    """
    end = abs(window[0 if side < 0 else 1])
    far = min(FAR, end - 0.25)
    inner, step = 0.8 * far, 0.25
    places = np.array([inner - step, inner, inner + step, far - step, far, far + step])
    _, slopes = curve(side * places)
    if not np.isfinite(slopes).all():
        return Tail(kind="not finite")
    last = float(slopes[4])
    if (slopes[3:] == 0).all():
        return Tail(kind="zero", slope=0.0)
    if (np.sign(slopes) != np.sign(last)).any():
        return Tail(kind="turning", slope=last)
    logs = np.log(np.abs(slopes))
    near, away = (logs[2] - logs[0]) / (2 * step), (logs[5] - logs[3]) / (2 * step)
    if max(abs(near) * inner, abs(away) * far) < 0.02:
        return Tail(kind="constant", slope=last, clamped_at=_clamp(curve, side, far, end))
    bend = (1.0 / away - 1.0 / near) / (far - inner) if near and away else math.inf
    # x·exp(k·x) still bends a little: a power above 12 counts as an exponential
    power = abs(bend) > 0.08
    law: Literal["power", "exponential"] = "power" if power else "exponential"
    rate = 1.0 / bend if power else away
    if rate > 0:
        return Tail(kind="growing", law=law, rate=rate, slope=last, clamped_at=_clamp(curve, side, far, end))
    return Tail(kind="vanishing", law=law, rate=rate if power else -rate, slope=last)


def stationary(curve: Curve, window: tuple[float, float]) -> tuple[Stationary, ...]:
    """Return where the slope changes its sign or is exactly zero, between the logits −16 and 16."""
    places = STATIONARY[(window[0] <= STATIONARY) & (window[1] >= STATIONARY)]
    signs = np.sign(np.nan_to_num(curve(places)[1]))
    starts = [0, *(np.flatnonzero(np.diff(signs)) + 1).tolist(), len(places)]
    runs = [(starts[i], starts[i + 1] - 1, float(signs[starts[i]])) for i in range(len(starts) - 1)]
    found = []
    for i, (first, last, sign) in enumerate(runs):
        before = runs[i - 1][2] if i else None
        after = runs[i + 1][2] if i + 1 < len(runs) else None
        if sign == 0:
            low = None if before is None else _change(curve, places[first - 1], places[first])
            high = None if after is None else _change(curve, places[last], places[last + 1])
            found.append(Stationary(kind=_kind(before, after), low=low, high=high))
        elif before:  # from one sign to the other with no zero on the grid
            place = _change(curve, places[first - 1], places[first])
            found.append(Stationary(kind=_kind(before, sign), low=place, high=place))
    return tuple(found)


def bounds(
    curve: Curve, window: tuple[float, float], below: Tail, above: Tail, still: tuple[Stationary, ...]
) -> tuple[float | None, float | None]:
    """Return the term's infimum and supremum; None where its tails say that it goes on for ever."""
    turns = [place for point in still for place in (point.low, point.high) if place is not None]
    values = curve(np.concatenate([grid(window), turns]))[0]
    values = values[np.isfinite(values)]
    # towards −∞ a positive slope goes down
    ways = [math.copysign(1.0, end.slope or 0.0) * side for end, side in ((below, -1), (above, 1)) if _endless(end)]
    lowest = None if -1.0 in ways or not len(values) else float(values.min())
    highest = None if 1.0 in ways or not len(values) else float(values.max())
    return lowest, highest


def holes(values: Array) -> tuple[float | None, ...]:
    """Return the values with None for what is not finite."""
    return tuple(float(value) + 0.0 if math.isfinite(value) else None for value in values)


def _endless(end: Tail) -> bool:
    """Tell whether the integral of the slope diverges."""
    slow = end.law == "power" and end.rate is not None and end.rate > -1.05  # −1 as read: a logarithm
    return end.kind in ("constant", "growing") or (end.kind == "vanishing" and slow)


@dataclass(frozen=True)
class _Steps:
    slope: float | None = None
    kink: tuple[float, float] | None = None
    scale: float | None = None
    peak: float | None = None
    steps: tuple[Step, ...] = tuple(Step(logit=logit, ratio=None) for logit in SURE)


def _steps(curve: Curve, equilibrium: float | None) -> _Steps:
    if equilibrium is None:
        return _Steps()
    near = np.linspace(equilibrium - NEAR, equilibrium + NEAR, 81)
    slopes = curve(np.concatenate([[equilibrium], SURE, near]))[1]
    kink = kink_at(curve, equilibrium)
    # at a kink the slope of the code is that of neither side, and may be 0
    here, sizes = float(slopes[0]) if kink is None else max(kink, key=abs), np.abs(slopes)
    if not math.isfinite(here):
        return _Steps()
    if abs(here) <= NOTHING * np.nanmax(sizes):
        return _Steps(slope=0.0, scale=0.0)
    ratios = holes(sizes / abs(here))
    return _Steps(
        slope=here if kink is None else None,
        kink=kink,
        scale=abs(here) / BCE_SLOPE,
        peak=float(np.nanmax(sizes[5:])) / abs(here),
        steps=tuple(Step(logit=logit, ratio=ratio) for logit, ratio in zip(SURE, ratios[1:5], strict=True)),
    )


def kink_at(curve: Curve, place: float) -> tuple[float, float] | None:
    """Return the slopes just below and just above a place if they differ; None if the term is smooth there."""
    below, above, *around = curve(place + np.array([-BESIDE, BESIDE, -AROUND, AROUND]))[1].tolist()
    size = max(abs(slope) for slope in (below, above, *around))
    return (below, above) if math.isfinite(size) and abs(above - below) > JUMP * size else None


def _kind(before: float | None, after: float | None) -> Literal["minimum", "maximum", "level"]:
    """Name a stationary place by the slopes' signs beside it; a flat stretch without end has none on that side."""
    if before is None and after is None:
        return "level"
    if before in (-1.0, None) and after in (1.0, None):
        return "minimum"
    return "maximum" if before in (1.0, None) and after in (-1.0, None) else "level"


def _change(curve: Curve, low: float, high: float) -> float:
    """Return where the slope's sign ceases to be that at ``low``."""
    sign = np.sign(curve(np.array([low]))[1][0])
    return _first(lambda places: np.sign(curve(places)[1]) != sign, low, high)


def _clamp(curve: Curve, side: int, far: float, end: float) -> float | None:
    """Return from where on the slope is as good as zero, though it was not about to be at ``far``."""
    last = side * min(end, CLAMP)
    size = abs(float(curve(np.array([side * far]))[1][0]))

    def gone(places: Array) -> Flags:
        return np.abs(curve(places)[1]) < GONE * size

    return _first(gone, side * far, last) if gone(np.array([last]))[0] else None


def _first(test: Callable[[Array], Flags], low: float, high: float) -> float:
    """Return the place nearest to ``low`` on the way to ``high`` where a test holds; ``high`` if it never does."""
    for _ in range(6):  # each looks 64 times closer
        places = np.linspace(low, high, 65)
        holds = test(places)
        first = int(np.argmax(holds)) if holds.any() else 64
        low, high = places[max(first - 1, 0)], places[first]
    return round(float(0.5 * (low + high)), DIGITS) + 0.0
