"""A card's facts in plain sentences. Each rule looks at the card and says something or nothing."""

from __future__ import annotations

from collections.abc import Iterator

from scipy.special import expit

from ganetics.losses.theory.card import Optimum, Tail, TheoryCard

MUCH = 2.0
"""Peaks this many times that of binary cross-entropy are worth a word."""
BCE_PEAK = 2.0 * float(expit(4.0))
"""Of binary cross-entropy, see ``Term.peak``."""
NOTHING = 1e-9
FACTS = {
    "optimum": "an optimal discriminator",
    "divergence": "what the generator minimises against an optimal discriminator",
    "equilibrium": "an equilibrium",
    "dirac": "the stability of the Dirac-GAN",
}


def verdict(card: TheoryCard) -> tuple[str, ...]:
    """Return what the facts say."""
    rules = (
        _optimum,
        _generator_when_sure,
        _generator_turns,
        _divergence,
        _dirac,
        _scale,
        _peak,
        _clamp,
        _slices,
        _undefined,
    )
    return tuple(sentence for rule in rules for sentence in rule(card))


def _optimum(card: TheoryCard) -> Iterator[str]:
    best = card.optimum
    if best is None:
        return
    if best.reads == "probability":
        yield "The optimal discriminator says the share of real samples: sigmoid(logit) = r."
    elif best.reads == "logit":
        yield "The optimal logit is the share r of real samples itself; its sigmoid is not a probability."
    elif best.proper:
        ends = (best.probability_low[0], best.equilibrium_probability, best.probability_high[-1])
        yield (
            "The optimal output D* rises strictly with the share r of real samples: {:.3f} at r = 0.01, {:.3f} at the "
            "equilibrium, {:.3f} at r = 0.99. It is not r, but r can be read back from it."
        ).format(*ends)
    else:
        yield _improper(best, bounded=card.divergence is not None)


def _improper(best: Optimum, *, bounded: bool) -> str:
    if not best.rising:
        return "The optimal output falls somewhere as the share of real samples rises."
    sets = {
        (round(low, 6), round(high, 6)) for low, high in zip(best.probability_low, best.probability_high, strict=True)
    }
    endless = sum(None in ends for ends in zip(best.low, best.high, strict=True))
    if len(sets) == 1:
        return "The optimal discriminator says the same whatever the share of real samples: it tells nothing."
    if not bounded and endless >= len(best.shares) - 1:
        return "No finite logit is optimal: the discriminator needs a penalty or clipping, and says no probability."
    if len(sets) <= 3:
        return "The optimal discriminator tells which side is likelier, not by how much: it is a step."
    if best.attained == "infinite":
        return "For some shares of real samples no logit within the range that is looked at is optimal."
    return "The optimal discriminator does not tell all shares of real samples apart."


def _generator_when_sure(card: TheoryCard) -> Iterator[str]:
    below, at = card.generator.below, card.generator.steps[0]
    text = {
        "zero": "is exactly zero: it saturates",
        "vanishing": f"vanishes{_law(below)}: it saturates",
        "constant": "stays bounded and does not vanish",
        "growing": f"grows{_law(below)}",
        "turning": "changes its direction",
        "not finite": "is not finite",
    }[below.kind]
    times = "" if at.ratio is None else f"; at logit −8 it is {_times(at.ratio)} that at the equilibrium"
    yield f"Where the discriminator is sure that a sample is generated, the generator's gradient {text}{times}."


def _law(tail: Tail) -> str:
    if tail.law is None or tail.rate is None:
        return ""
    rate = _plain(tail.rate, 2)
    if tail.law == "power":
        return " like |x|" if rate == "1" else f" like |x|^{rate}"
    factor = "" if rate == "1" else f"{rate}·"
    return f" like exp({'−' if tail.dies else ''}{factor}|x|)"


def _generator_turns(card: TheoryCard) -> Iterator[str]:
    minima = [turn.high for turn in card.generator.stationary if turn.kind == "minimum" and turn.high is not None]
    if len(minima) > 1:
        yield f"The generator's term has {len(minima)} separate minima between the logits −16 and 16."
    for place in minima if len(minima) == 1 else ():
        maxima = (turn.low for turn in card.generator.stationary if turn.kind == "maximum" and turn.low is not None)
        end = next((top for top in maxima if top > place), None)
        if end is not None:
            yield f"Between the logits {_plain(place)} and {_plain(end)} the generator is pushed down again."
            continue
        top = None if card.optimum is None else card.optimum.high[-1]
        never = "; the optimal discriminator never goes there" if top is not None and top <= place else ""
        p = f" (p = {expit(place):.3f})" if card.separable else ""
        yield f"Above logit {_plain(place)}{p} the generator is pushed down again{never}."


def _divergence(card: TheoryCard) -> Iterator[str]:
    found = card.divergence
    if found is None:
        return
    against = "Against an optimal discriminator"
    if max(abs(force) for force in found.force if force is not None) < NOTHING:
        yield f"{against} the generator gets no gradient."
    elif found.followed_name is not None:
        factor, name = found.followed_name.factor, found.followed_name.name
        named = name if abs(factor - 1.0) < 1e-6 else f"{factor:.4g} times {name}"
        yield f"{against} the generator follows {named}."
    elif found.followed_minimal:
        yield f"{against} the generator follows a divergence without a common name, smallest where it matches the data."
    else:
        yield f"{against} the generator follows what is not smallest where it matches the data."


def _dirac(card: TheoryCard) -> Iterator[str]:
    found = card.dirac
    if found is None or found.plain is None or found.r1 is None:
        return
    circles = any(imaginary for _, imaginary in found.plain.eigenvalues)
    plain = {
        "stable": "converges by itself",
        "neutral": "circles around its equilibrium" if circles else "feels no force at its equilibrium",
        "unstable": "leaves its equilibrium",
    }[found.plain.kind]
    r1 = {"stable": "with R1 it converges", "neutral": "nor with R1", "unstable": "with R1, too"}[found.r1.kind]
    yield f"The Dirac-GAN {plain}; {r1}."


def _scale(card: TheoryCard) -> Iterator[str]:
    scale, kink = card.generator.scale, card.generator.kink
    if kink is not None:
        below, above = (_plain(slope) for slope in kink)
        yield f"At the equilibrium the generator's term has a kink: its slope is {below} below and {above} above."
    elif scale == 0:
        yield "At the equilibrium the generator has no gradient at all."
    elif scale is not None and not 0.95 < scale < 1.05:
        yield (
            f"At the equilibrium the generator's gradient is {_times(scale)} that of binary cross-entropy: plain SGD "
            f"starts at {1 / scale:.2g} times its rate; Adam divides such a factor out."
        )


def _peak(card: TheoryCard) -> Iterator[str]:
    peak = max((term.peak for term in (card.real, card.fake, card.generator) if term.peak is not None), default=0.0)
    if peak > MUCH * BCE_PEAK:
        yield (
            f"Within 4 logits of the equilibrium a gradient grows {peak:.2g}-fold (binary cross-entropy: "
            f"{BCE_PEAK:.2g}) and Adam does not divide that out: its window of learning rates is another one, so tune "
            "the rate anew."
        )


def _clamp(card: TheoryCard) -> Iterator[str]:
    ends = [end for term in (card.real, card.fake, card.generator) for end in (term.below, term.above)]
    places = [end.clamped_at for end in ends if end.clamped_at is not None]
    if places:
        yield f"Beyond logit {_plain(min(places, key=abs))} the code (a clamp or an epsilon) leaves no gradient."


def _slices(card: TheoryCard) -> Iterator[str]:
    if not card.separable:
        yield f"It is no sum over single logits: what is said of its terms is read on {card.view}."


def _undefined(card: TheoryCard) -> Iterator[str]:
    for lack in card.undefined:
        yield f"Not defined: {FACTS[lack.fact]}, since {lack.reason}."


def _plain(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}g}".replace("-", "−")


def _times(ratio: float) -> str:
    return "as large as" if 0.95 < ratio < 1.05 else f"{ratio:.3g} times"
