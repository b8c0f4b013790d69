"""The theory card as records. Where a number does not exist it is None, and the field says what that means."""

from __future__ import annotations

from typing import Literal

from ganetics.records import Record

Numbers = tuple[float, ...]
Holes = tuple[float | None, ...]


class Tail(Record):
    """What a term's slope does far out at one side, read at the logits ±12 and ±15.

    Clamps of the code lie further out on purpose: what is read is the formula, and ``clamped_at`` tells of the clamp.
    """

    kind: Literal["zero", "vanishing", "constant", "growing", "turning", "not finite"]
    """``zero``: exactly; ``vanishing``: it tends to zero; ``turning``: it changes its sign there."""
    law: Literal["exponential", "power"] | None = None
    """Of a vanishing or growing slope."""
    rate: float | None = None
    """k of exp(±k·|x|), or q of |x|^q (negative where it vanishes)."""
    slope: float | None = None
    """The slope at ±15."""
    clamped_at: float | None = None
    """Beyond this logit the slope is below a thousandth of that at ±15, though it was not about to vanish: a clamp of
    the code, or a small number in a denominator."""

    @property
    def dies(self) -> bool:
        """No gradient is left: it saturates."""
        return self.kind in ("zero", "vanishing")


class Stationary(Record):
    """Where a slope is zero; ``low`` and ``high`` differ on a flat stretch, and are None where it goes on for ever."""

    kind: Literal["minimum", "maximum", "level"]
    """``level``: the term goes on in the direction in which it came, or is constant."""
    low: float | None
    high: float | None


class Step(Record):
    """|slope| at a logit over |slope| at the equilibrium; None where the latter is zero."""

    logit: float
    ratio: float | None


class Term(Record):
    """One of a loss's three functions of the logit, on the card's ``logits``. Values that are not finite are None."""

    values: Holes
    slopes: Holes
    below: Tail
    """Towards −∞: the discriminator is sure that the sample is generated."""
    above: Tail
    """Towards +∞."""
    stationary: tuple[Stationary, ...]
    """Between the logits −16 and 16."""
    lowest: float | None
    """None: not bounded below."""
    highest: float | None
    """None: not bounded above."""
    equilibrium_slope: float | None
    """None: there is no equilibrium, or the term has a kink there."""
    kink: tuple[float, float] | None = None
    """Slopes just below and just above the equilibrium, where they differ. Then the larger of their sizes is what
    ``scale``, ``peak`` and ``steps`` mean by that at the equilibrium."""
    scale: float | None
    """|slope| at the equilibrium over that of binary cross-entropy at its own, which is ½."""
    peak: float | None
    """Largest |slope| within 4 logits of the equilibrium, over that at the equilibrium; binary cross-entropy: 1.96."""
    steps: tuple[Step, ...]
    """How the gradient changes as the discriminator gets surer: logits −8, −4, 4 and 8."""


class Optimum(Record):
    """The discriminator that is best where a share r of the samples is real, for each r of ``shares``.

    ``low`` and ``high`` are the ends of the set of best logits: equal where one is best; None where the set does not
    end within the card's ``looked_at``: then it is infinite for all that can be seen.
    """

    shares: Numbers
    low: Holes
    high: Holes
    probability_low: Numbers
    """sigmoid of ``low``; 0 or 1 where it is infinite."""
    probability_high: Numbers
    attained: Literal["unique", "set", "infinite"]
    """One finite logit for every r; a set of them for some r; none that is finite (within ``looked_at``) for some r."""
    rising: bool
    """It nowhere falls as r rises."""
    equilibrium_low: float | None
    """Ends of the best logits at r = 1/2."""
    equilibrium_high: float | None
    equilibrium_probability: float | None
    """sigmoid of the best logit at r = 1/2; None where that is not one finite logit."""
    proper: bool
    """Strictly proper composite: the best logit is finite, unique and strictly rises, so r can be read back from it."""
    reads: Literal["probability", "logit"] | None
    """``probability``: sigmoid(logit) is r (the identity link; Fisher calibrated); ``logit``: the logit itself is r."""


class Named(Record):
    """A known divergence: what was computed equals ``factor`` times it."""

    factor: float
    name: str


class Divergence(Record):
    """What is minimised against an optimal discriminator, with N(0, 1) for the data and N(distance, 1) generated.

    With t = p_data/p_g and D the optimal logit at r = t/(1 + t), three functionals:

    - ``discriminator``: −(E_data real(D) + E_g fake(D)), what the discriminator measures. An f-divergence for every
      loss, up to a constant; minimax: 2 JS − log 4.
    - ``generator``: E_g generator(D), the generator's objective while D follows it.
    - ``followed``: the divergence whose gradient the generator gets, since D is held fixed in its step. Its f has
      f(t) − t·f′(t) = generator(D), up to a constant, which is the functional derivative (so Arjovsky, Bottou 2017,
      arXiv 1701.04862, theorem 2.5, find KL(p_g ‖ p_data) − 2 JS for the non-saturating loss). Zero at distance 0.

    ``force`` is the derivative of ``followed`` with respect to the distance, which a generator at that distance gets:
    positive pulls it to the data. None where a density ratio calls for logits beyond those that the loss declares.
    """

    distances: Numbers
    discriminator: Holes
    generator: Holes
    followed: Holes
    force: Holes
    discriminator_name: Named | None
    followed_name: Named | None
    generator_minimal: bool
    """``generator`` is smallest at p_g = p_data, whatever the distributions (looked up for e⁻⁸ < t < e⁸)."""
    followed_minimal: bool
    prefers_real: bool
    """The generator's loss nowhere rises with t: a place richer in real samples is never worse for it."""


class Stability(Record):
    """Eigenvalues (real and imaginary part) of slope and generator in the Dirac-GAN, and what they say."""

    eigenvalues: tuple[tuple[float, float], tuple[float, float]]
    kind: Literal["stable", "neutral", "unstable"]
    """By the largest real part: negative, zero, positive. Neutral with imaginary parts: it circles."""


class Dirac(Record):
    """The equilibrium of the Dirac-GAN under simultaneous gradient descent; see :mod:`ganetics.losses.theory.dirac`."""

    bias: float
    """The discriminator's logit at the equilibrium."""
    bias_is_free: bool
    """Other biases are as good: the loss does not tell them apart."""
    bias_eigenvalue: float | None
    """None: the objective has a kink there."""
    plain: Stability | None
    """None: the fake or the generator's term has a kink there, and no slope."""
    r1: Stability | None
    """With R1, gamma = 1."""


class Undefined(Record):
    """A fact that this loss does not have."""

    fact: Literal["optimum", "divergence", "dirac", "equilibrium"]
    reason: str


class TheoryCard(Record):
    """What is known of a loss without training with it."""

    schema_version: Literal[1] = 1
    name: str
    separable: bool
    generator_needs_real: bool
    logit_range: tuple[float, float]
    looked_at: tuple[float, float]
    """The logits among which optima are looked for: what the loss declares, and ±40 in any case."""
    view: str
    """How the terms are to be read: for a loss that is not separable they are slices."""
    equilibrium: float | None
    """The discriminator's logit where real and generated samples are alike; None: no finite one is best."""
    logits: Numbers
    real: Term
    fake: Term
    generator: Term
    optimum: Optimum | None
    divergence: Divergence | None
    dirac: Dirac | None
    undefined: tuple[Undefined, ...]
    verdict: tuple[str, ...] = ()
    """The facts in plain sentences, made by rules."""
