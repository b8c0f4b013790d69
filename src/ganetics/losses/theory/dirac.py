"""Is the equilibrium of the Dirac-GAN stable? (Mescheder, Geiger, Nowozin 2018, arXiv 1801.04406, sections 2 and 4)

The data are one point, 0; the generator makes one point, θ; the paper's discriminator is linear, D(x) = ψ·x. At its
equilibrium θ = ψ = 0 it says logit 0 of both, but a loss such as GANetic is at rest where the logit is 0.40, and
without a bias that loss's D cannot get there: it would be judged at a place where training never ends. So D has a
bias here, D(x) = ψ·x + b, and the equilibrium is θ = 0, ψ = 0, b = b*, where the objective with equal logits for real
and generated samples is smallest. Simultaneous gradient descent, with R1's γ·ψ²/2 in the discriminator's objective,

    (ψ, b, θ)′ = −(∂L_D/∂ψ, ∂L_D/∂b, ∂L_G/∂θ),

has at that equilibrium the Jacobian

    | −γ   0   −s |
    |  0  −k    0 |        s = ∂L_D/∂(fake logit), g = ∂L_G/∂(fake logit), k = d²/db² of L_D at equal logits b*.
    | −g   0    0 |

The bias is decoupled: its eigenvalue is −k, and 0 where the loss does not tell biases apart (hinge, Wasserstein,
relativistic losses). The others are (−γ ± √(γ² + 4·s·g)) / 2. For the paper's losses b* = 0 and this is its ±i·f′(0).
"""

from __future__ import annotations

import cmath
from typing import Literal

import numpy as np

from ganetics.losses.theory.card import Dirac, Stability
from ganetics.losses.theory.curves import Curve, Curves
from ganetics.losses.theory.terms import kink_at

GAMMA = 1.0
ZERO = 1e-7
DIFFERENCE = 1e-4


def dirac(curves: Curves, diagonal: Curve, bias: float) -> Dirac:
    """Return the facts about the equilibrium.

    Args:
        curves: the terms, or slices through the equilibrium.
        diagonal: the discriminator's objective at equal logits.
        bias: the equilibrium's logit.
    """
    at = np.array([bias])
    product = float(curves.fake(at)[1][0]) * float(curves.generator(at)[1][0])
    broken = any(kink_at(curve, bias) is not None for curve in (curves.fake, curves.generator))
    curvature, nearer = (_curvature(diagonal, bias, step) for step in (DIFFERENCE, DIFFERENCE / 2))
    free = abs(curvature) < ZERO
    kink = abs(curvature - nearer) > 0.1 * abs(curvature)
    return Dirac(
        bias=bias,
        bias_is_free=free,
        bias_eigenvalue=0.0 if free else None if kink else -curvature,
        plain=None if broken else stability(product, 0.0),
        r1=None if broken else stability(product, GAMMA),
    )


def stability(product: float, gamma: float) -> Stability:
    """Return the eigenvalues of slope and generator, and what they say.

    Args:
        product: of the discriminator's slope at the fake logit and the generator's.
        gamma: R1's weight.

    >>> stability(-0.25, 0.0)
    Stability(eigenvalues=((0.0, 0.5), (0.0, -0.5)), kind='neutral')
    """
    root = cmath.sqrt(gamma**2 + 4 * product)
    one, two = (-gamma + root) / 2, (-gamma - root) / 2
    values = ((one.real + 0.0, one.imag + 0.0), (two.real + 0.0, two.imag + 0.0))  # -0.0 is 0.0
    return Stability(eigenvalues=values, kind=_kind(max(one.real, two.real)))


def _curvature(curve: Curve, place: float, step: float) -> float:
    slopes = curve(np.array([place - step, place + step]))[1]
    return float(slopes[1] - slopes[0]) / (2 * step)


def _kind(largest: float) -> Literal["stable", "neutral", "unstable"]:
    if abs(largest) < ZERO:
        return "neutral"
    return "stable" if largest < 0 else "unstable"
