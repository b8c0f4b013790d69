"""What a loss must have before it is worth training with: looked up on a grid, without training anything.

The checks follow CSE-AutoLoss (Liu et al. 2021, arXiv 2102.04700), fitted to GANs: strict signs of gradients would
reject GANetic itself, which pushes the generator down above p = 0.730, so what is asked for is an optimal discriminator
that rises.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from ganetics.expressions.bind import terms_of
from ganetics.expressions.numeric import Terms, from_logits, slopes_at, term_gradients, values_at
from ganetics.expressions.primitives import Array
from ganetics.expressions.tree import Expression, Separate, Tied, depth, size, trees, variables

LOGITS = np.linspace(-8.0, 8.0, 31)
"""Where slopes are looked at: p from 0.0003 to 0.9997, what discriminators say in training."""
FINE_LOGITS = np.linspace(-12.0, 12.0, 241)
"""Where the optimal discriminator is looked for."""
SHARES = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
"""Shares r of real among real and generated samples that the optimal discriminator must tell apart, in order."""
LARGEST_SLOPE = 1e4
_COARSE, _FINE = from_logits(LOGITS), from_logits(FINE_LOGITS)


@dataclass(frozen=True)
class Verdict:
    """Why a loss was rejected, or None; and, if it was not, its signature: equal for losses that train equally."""

    reason: str | None
    signature: str = ""


def screen(expression: Expression, *, max_depth: int = 7, max_size: int = 25) -> Verdict:
    """Look at a loss without training; the limits are those of a tree.

    Reasons: "too large", "variables" (y or p is not used), "not finite", "steep" (slope above 1e4), "target" (real and
    fake term have the same slope), "optimum" (the optimal discriminator falls, or does not move, as the share of real
    samples rises), "generator" (of a separate loss, whose three terms know nothing of each other: the generator is not
    pushed up where an optimal discriminator is when most samples are generated).

    >>> from ganetics.expressions.text import parse
    >>> screen(parse("p**3 + sqrt(3.985*y/p)")).reason is None
    True
    >>> screen(parse("p + 1")).reason
    'variables'
    """
    if any(size(tree) > max_size or depth(tree) > max_depth for tree in trees(expression)):
        return Verdict("too large")
    if isinstance(expression, Tied) and variables(expression.tree) != {"y", "p"}:
        return Verdict("variables")
    bound = terms_of(expression)
    slopes = slopes_at(bound, _COARSE)
    largest = float(np.abs(np.concatenate([slopes.real, slopes.fake, slopes.generator])).max())
    if not np.isfinite(largest):
        return Verdict("not finite")
    if largest > LARGEST_SLOPE:
        return Verdict("steep")
    if float(np.abs(slopes.real - slopes.fake).max()) <= 1e-6 * largest:
        return Verdict("target")
    values = values_at(bound, _FINE)
    if not all(np.isfinite(term).all() for term in (values.real, values.fake, values.generator)):
        return Verdict("not finite")
    optimum = optimal_logits(values)
    if bool((np.diff(optimum) < 0).any()) or optimum[-1] == optimum[0]:
        return Verdict("optimum")
    if isinstance(expression, Separate) and not pushes_up(values.generator, optimum[SHARES < 0.5]):
        return Verdict("generator")
    return Verdict(None, signature(slopes))


def idle(expression: Expression) -> str | None:
    """Return why nothing can be learnt under a loss; None: something may be.

    >>> from ganetics.expressions.text import parse
    >>> idle(parse("p**2")), idle(parse("real: -x; fake: x; generator: 1"))
    ('real and generated images are treated alike', 'its generator term never changes')
    >>> idle(parse("(p - y)**2")) is None
    True
    """
    bound = terms_of(expression)
    slopes, values = slopes_at(bound, _FINE), values_at(bound, _FINE)
    for name, slope in (("real", slopes.real), ("fake", slopes.fake), ("generator", slopes.generator)):
        if not slope.any():
            return f"its {name} term never changes"
    if np.array_equal(slopes.real, slopes.fake):
        return "real and generated images are treated alike"
    real, fake = (np.flatnonzero(term == term.min()) for term in (values.real, values.fake))
    # a term that is lowest at several outputs leaves a choice
    if np.isfinite([values.real, values.fake]).all() and len(real) == 1 and np.array_equal(real, fake):
        return "real and generated images are pushed to one output"
    return None


def optimal_logits(values: Terms) -> Array:
    """Return where r·real + (1 − r)·fake is smallest on :data:`FINE_LOGITS`, for each r of :data:`SHARES`."""
    mixtures = SHARES[:, None] * values.real + (1.0 - SHARES[:, None]) * values.fake
    best: Array = FINE_LOGITS[mixtures.argmin(axis=1)]
    return best


def pushes_up(generator: Array, logits: Array) -> bool:
    """Tell whether the generator's term, given on :data:`FINE_LOGITS`, falls from each of some logits on."""
    falls = np.diff(generator) < 0
    return bool(falls[np.minimum(np.searchsorted(FINE_LOGITS, logits), len(falls) - 1)].all())


def signature(slopes: Terms) -> str:
    """Return a hash of the slopes at :data:`LOGITS`, to about 1 % of each and a millionth of each player's largest.

    Adam divides a player's gradient by its size, so losses that differ by a factor train alike. Steep ends must not
    hide the middle: of y/p + p**2 and y/p + p the slopes differ by 1e-4 of the largest, and training by much more.
    """
    parts = (np.concatenate([slopes.real, slopes.fake]), slopes.generator)
    scaled = [part / max(float(np.abs(part).max()), 1e-300) for part in parts]
    rounded = np.round(np.arcsinh(1e4 * np.concatenate(scaled)), 2) + 0.0  # without negative zeros
    return hashlib.sha256(rounded.tobytes()).hexdigest()[:16]


def signature_of(expression: Expression) -> str:
    """Return the signature of a loss, whether it passes the screen or not."""
    return signature(term_gradients(expression, LOGITS))


def difference(one: Expression, other: Expression) -> float:
    """Return the largest difference of two losses' slopes at logits up to 4, of 1 for each player's largest: 0 to 2.

    >>> from ganetics.expressions.text import parse
    >>> difference(parse("(y - p)**2"), parse("2*(y - p)**2"))
    0.0
    """
    return float(np.abs(_shape(one) - _shape(other)).max())


def _shape(expression: Expression) -> Array:
    slopes = term_gradients(expression, LOGITS[np.abs(LOGITS) <= 4.0])
    parts = (np.concatenate([slopes.real, slopes.fake]), slopes.generator)
    return np.concatenate([part / max(float(np.abs(part).max()), 1e-300) for part in parts])
