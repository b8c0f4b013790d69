"""The optimal discriminator of a separable loss."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import expit, logit

from ganetics.losses.theory.card import Optimum
from ganetics.losses.theory.curves import FLAT, Array, Curves, ends_of_minima, grid
from ganetics.losses.theory.terms import DIGITS, holes

SHARES = np.linspace(0.01, 0.99, 99)
HALF = 49
"""Where r = 1/2 stands among them."""
SAME = 1e-6
"""Logits, and probabilities, nearer than this are one."""


def best_logits(curves: Curves, log_odds: Array, window: tuple[float, float]) -> tuple[Array, Array]:
    """Return the ends ``[n]`` of the sets of logits that minimise r·real + (1 − r)·fake; ±∞ where a set has no end.

    Args:
        curves: the terms.
        log_odds: ``[n]``, log(r / (1 − r)): the log of the density ratio p_data / p_g.
        window: the logits to look at; a set that reaches its end has none.
    """
    places = grid(window)
    r, rest = expit(log_odds), expit(-log_odds)
    with np.errstate(invalid="ignore", over="ignore"):
        values = r[:, None] * curves.real(places)[0] + rest[:, None] * curves.fake(places)[0]

    def slope(logits: Array) -> tuple[Array, Array]:
        real, fake = r * curves.real(logits)[1], rest * curves.fake(logits)[1]
        return real + fake, FLAT * (np.abs(real) + np.abs(fake))

    low, high = (endless(ends, window) for ends in ends_of_minima(values, places, slope))
    with np.errstate(invalid="ignore"):  # of infinite ends
        one, between = high - low < SAME, 0.5 * (low + high)
    return np.where(one, between, low), np.where(one, between, high)


def middle(low: Array, high: Array) -> Array:
    """Return the middle of each set; where one end is infinite that end, and 0 where every logit is as good."""
    whole = np.isinf(low) & np.isinf(high) & (low != high)
    infinite = np.where(np.isinf(low), low, high)
    with np.errstate(invalid="ignore"):
        between = 0.5 * (low + high)
    return np.where(whole, 0.0, np.where(np.isinf(infinite), infinite, between))


def optimum(curves: Curves, window: tuple[float, float]) -> Optimum:
    """Return the optimal discriminator for r from 0.01 to 0.99."""
    low, high = best_logits(curves, logit(SHARES), window)
    finite = bool(np.isfinite(low).all() and np.isfinite(high).all())
    unique = finite and bool((high == low).all())
    best = middle(low, high)
    proper = unique and bool((np.diff(best) > 1e-3 * SAME).all())
    alone = np.isfinite(best[HALF]) and high[HALF] == low[HALF]
    return Optimum(
        shares=tuple(SHARES.tolist()),
        low=holes(low.round(DIGITS)),
        high=holes(high.round(DIGITS)),
        probability_low=tuple(expit(low).tolist()),
        probability_high=tuple(expit(high).tolist()),
        attained="unique" if unique else "set" if finite else "infinite",
        # sigmoid has a limit at ±∞, where differences have none
        rising=bool((np.diff(expit(low)) >= -SAME).all() and (np.diff(expit(high)) >= -SAME).all()),
        equilibrium_low=holes(low.round(DIGITS))[HALF],
        equilibrium_high=holes(high.round(DIGITS))[HALF],
        equilibrium_probability=float(expit(best[HALF])) if alone else None,
        proper=proper,
        reads=_reads(best) if proper else None,
    )


def _reads(best: Array) -> Literal["probability", "logit"] | None:
    if np.abs(expit(best) - SHARES).max() < SAME:
        return "probability"
    return "logit" if np.abs(best - SHARES).max() < SAME else None


def endless(ends: Array, window: tuple[float, float]) -> Array:
    """Return the ends of sets with ±∞ for those at the window's ends."""
    near = SAME * max(abs(window[0]), abs(window[1]))
    return np.where(ends > window[1] - near, np.inf, np.where(ends < window[0] + near, -np.inf, ends))
