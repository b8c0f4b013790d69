"""What the generator minimises against an optimal discriminator; definitions in :class:`~.card.Divergence`.

All is a function of u = log(p_data / p_g). Between N(0, 1) and N(m, 1), u is normal with variance m² and mean −m²/2
under p_g, m²/2 under p_data, so the trapezoidal rule over u gives expectations to nearly all digits. ``force``
needs no derivative of the loss: with D held fixed, d/dm E_g generator(D) = E_g[generator(D)·z], z = −(u + m²/2)/m.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.integrate import cumulative_simpson, cumulative_trapezoid
from scipy.special import expit, ndtr

from ganetics.losses.theory.card import Divergence, Named
from ganetics.losses.theory.curves import Array, Curve, Curves, Flags
from ganetics.losses.theory.optimum import best_logits, middle
from ganetics.losses.theory.terms import holes

STEP = 0.2
LOG_RATIOS: Array = STEP * np.arange(-170.0, 171.0)
"""u; between the Gaussians at distance 4 it lies here but for 1e-10 of each."""
EQUAL = 170
"""Where u = 0 stands among them."""
DISTANCES = np.linspace(0.0, 4.0, 17)
BETWEEN = np.linspace(0.2, 4.0, 153)
"""Where the force is integrated."""
SETTLED = 1e-6
LOOKED_UP = 8.0
"""Whether a functional is smallest at p_g = p_data is looked up for |u| up to this."""
NAMING = 5.0
"""Names are found for |u| up to this."""
NO_SLOPE = 1e-6

KNOWN: Mapping[str, Callable[[Array], Array]] = {
    "KL(p_data ‖ p_g)": lambda t: -t,
    "KL(p_g ‖ p_data)": lambda t: -np.log(t),
    "Jensen-Shannon divergence": lambda t: -0.5 * np.log1p(t),
    "KL(p_g ‖ p_data) − 2 JS": lambda t: np.log1p(1.0 / t),
    "Pearson χ², ∫ (p_data − p_g)² / p_g": lambda t: -(t**2),
    "Neyman χ², ∫ (p_data − p_g)² / p_data": lambda t: 2.0 / t,
    "squared Hellinger distance, ∫ (√p_data − √p_g)²": lambda t: -np.sqrt(t),
    "total variation, ½ ∫ |p_data − p_g|": lambda t: -0.5 * np.sign(t - 1.0),
    "Pearson χ²(p_data + p_g ‖ 2 p_g), ∫ (p_data − p_g)² / (p_data + p_g)": (
        lambda t: -(t - 1.0) * (3.0 * t + 1.0) / (t + 1.0) ** 2
    ),
}
"""Name to f(t) − t·f′(t) up to a constant, which decides the f-divergence ∫ p_g f(p_data / p_g). In nats."""


@dataclass(frozen=True)
class Followed:
    """A term at the optimal discriminator: ``values`` over u, with a jump down by ``jump`` at u = 0 (hinge: ±1)."""

    values: Array
    jump: float

    def mean(self, m: float, side: int) -> float:
        """Return the expectation under p_g (``side`` −1) or p_data (1) at distance ``m``."""
        if m == 0:
            return float(self.values[EQUAL])
        return float(_weights(m, side) @ self._smooth) - 0.5 * self.jump * side * (2.0 * float(ndtr(m / 2)) - 1.0)

    def force(self, distances: Array) -> Array:
        """Return the derivatives with respect to ``m`` of the expectation under p_g, the discriminator held fixed."""
        rest = self._smooth_force(distances[distances > 0])
        at_jump = self.jump * np.exp(-(distances**2) / 8) / math.sqrt(2 * math.pi)
        return np.concatenate([np.zeros(len(distances) - len(rest)), rest]) + at_jump

    def followed(self, distances: Array) -> Array:
        """Return the integral of the force from 0 to each distance, which are the first of :data:`DISTANCES`."""
        force = self._smooth_force(BETWEEN)
        # mirrored data have the mirrored force: it is odd in m, and near 0, where u is too narrow for its grid, a
        # polynomial
        m = BETWEEN[[0, 4, 8]]
        odd = np.linalg.solve(m[:, None] ** [1, 3, 5], force[[0, 4, 8]])
        start = float(odd @ (m[0] ** np.array([2, 4, 6]) / [2, 4, 6]))
        smooth = np.concatenate([[0.0], start + cumulative_simpson(force, x=BETWEEN, initial=0)[2::10]])
        rise: Array = smooth[: len(distances)] + self.jump * (2.0 * ndtr(distances / 2) - 1.0)
        return rise

    def settled(self, m: float, side: int, valid: slice) -> bool:
        """Tell whether the ends of what is known add nothing to an expectation."""
        parts = _weights(m, side) * np.abs(self._smooth)
        return bool(max(parts[valid][0], parts[valid][-1]) <= SETTLED * parts.max())

    def _smooth_force(self, distances: Array) -> Array:
        force = [_weights(m, -1) @ (self._smooth * -(LOG_RATIOS + m**2 / 2) / m) for m in distances]
        return np.array(force, dtype=np.float64)

    @property
    def _smooth(self) -> Array:
        smooth: Array = self.values + 0.5 * self.jump * np.sign(LOG_RATIOS)
        return smooth


def divergence(curves: Curves, window: tuple[float, float]) -> Divergence | None:
    """Return what is minimised; None if hardly any density ratio has an optimal discriminator with a finite loss."""
    low, high = best_logits(curves, LOG_RATIOS, window)
    best = np.clip(middle(low, high), *window)
    valid = _around_equality(_bounded(curves, low, high, best))
    u = LOG_RATIOS[valid]
    if u[0] > -NAMING or u[-1] < NAMING:
        return None
    ends = np.array([low[EQUAL], high[EQUAL]])
    real, fake, generator = (
        _followed(curve, best, ends, valid) for curve in (curves.real, curves.fake, curves.generator)
    )
    sides = ((real, 1), (fake, -1), (generator, -1))
    settled = [m == 0 or all(term.settled(m, side, valid) for term, side in sides) for m in DISTANCES]
    distances = DISTANCES[np.logical_and.accumulate(settled)]
    h, near = generator.values[valid], np.abs(u) <= LOOKED_UP
    return Divergence(
        distances=tuple(DISTANCES.tolist()),
        discriminator=_column([-real.mean(m, 1) - fake.mean(m, -1) for m in distances]),
        generator=_column([generator.mean(m, -1) for m in distances]),
        followed=_column(generator.followed(distances).tolist()),
        force=_column(generator.force(distances).tolist()),
        discriminator_name=name_of(u, -fake.values[valid]),
        followed_name=name_of(u, h),
        generator_minimal=_has_tangent_below(u[near], h[near]),
        followed_minimal=_has_tangent_below(u[near], _potential(u[near], h[near])),
        prefers_real=bool((np.diff(h) <= 1e-9 * np.abs(h).max()).all()),
    )


def name_of(u: Array, h: Array) -> Named | None:
    """Return the known divergence with this functional derivative, up to a constant and a factor, if there is one.

    Args:
        u: log(p_data / p_g).
        h: f(t) − t·f′(t) at t = exp(u).
    """
    near = np.abs(u) <= NAMING
    t, h = np.exp(u[near]), h[near] - h[near].mean()
    for name, known in KNOWN.items():
        other = known(t)
        other = other - other.mean()
        factor = float(other @ h / (other @ other))
        if factor > 0 and np.abs(h - factor * other).max() <= 1e-6 * np.ptp(h):
            return Named(factor=factor, name=name)
    return None


def _bounded(curves: Curves, low: Array, high: Array, best: Array) -> Flags:
    """Return where the optimum is finite, or has finite losses though its logit is not."""
    finite: Flags = np.isfinite(low) & np.isfinite(high)
    r, rest = expit(LOG_RATIOS), expit(-LOG_RATIOS)
    risk = np.abs(r * curves.real(best)[1] + rest * curves.fake(best)[1])
    still = (risk < NO_SLOPE) & (np.abs(curves.generator(best)[1]) < NO_SLOPE)
    return finite | still


def _around_equality(allowed: Flags) -> slice:
    """Return the stretch of allowed u that holds u = 0; empty stretches hold it, too."""
    barred = np.flatnonzero(~allowed)
    return slice(int(barred[barred < EQUAL].max(initial=-1)) + 1, int(barred[barred > EQUAL].min(initial=len(allowed))))


def _followed(curve: Curve, best: Array, ends: Array, valid: slice) -> Followed:
    values = np.zeros(len(best))
    values[valid] = curve(best[valid])[0]
    at_ends = curve(ends)[0] if np.isfinite(ends).all() else np.zeros(2)
    return Followed(values, float(at_ends[0] - at_ends[1]))


def _weights(m: float, side: int) -> Array:
    """Return the probability of each u under p_g (``side`` −1) or p_data (1)."""
    deviations = (LOG_RATIOS - side * m**2 / 2) / m
    weights: Array = STEP / (m * math.sqrt(2 * math.pi)) * np.exp(-0.5 * deviations**2)
    return weights


def _potential(u: Array, h: Array) -> Array:
    """Return f with f − t·f′ = h up to a constant: f(t) = −t ∫ (h(s) − h(1)) / s² ds from 1 to t."""
    equal = int(np.argmin(np.abs(u)))
    integral = cumulative_trapezoid((h - h[equal]) * np.exp(-u), x=u, initial=0)
    potential: Array = -np.exp(u) * (integral - integral[equal])
    return potential


def _has_tangent_below(u: Array, f: Array) -> bool:
    """Tell whether a line through f at t = 1 lies below f: by Jensen's inequality E_g f(t) is then smallest there."""
    equal = int(np.argmin(np.abs(u)))
    rise = f - f[equal]
    left, right = rise[:equal] / np.expm1(u[:equal]), rise[equal + 1 :] / np.expm1(u[equal + 1 :])
    return bool(left.max() <= right.min() + 1e-9 * np.abs(rise).max())


def _column(values: list[float]) -> tuple[float | None, ...]:
    return holes(np.array([*values, *[np.nan] * (len(DISTANCES) - len(values))]))
