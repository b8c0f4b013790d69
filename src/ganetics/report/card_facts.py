"""A loss's theory card as rows of words, the same rows for every loss: for the command and for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ganetics.report.charts import number

if TYPE_CHECKING:  # a card comes with PyTorch, its page does not need it
    from ganetics.losses.theory.card import Named, Optimum, Stability, Stationary, Tail, Term, TheoryCard

Rows = list[tuple[str, str]]
Say = Callable[["TheoryCard"], str]
MISSING = "not defined"
MOST = 4
"""Stationary points that are listed; of more, how many there are."""
ATTAINED = {
    "unique": "at one finite logit",
    "set": "at a set of logits for some r",
    "infinite": "at no finite logit for some r",
}
READS = {"probability": "as sigmoid(logit)", "logit": "as the logit itself"}


def groups(card: TheoryCard) -> list[tuple[str, Rows]]:
    """Return groups of facts: a heading, and rows of a fact's name and what it is for this loss."""
    return [(heading, [(name, say(card)) for name, say in rows.items()]) for heading, rows in FACTS.items()]


def _equilibrium(card: TheoryCard) -> str:
    if card.equilibrium is None:
        return MISSING
    best = card.optimum
    if best is not None and best.equilibrium_low is not None and best.equilibrium_high is not None:
        if best.equilibrium_low == best.equilibrium_high:
            return figure(card.equilibrium)
        return _range(best.equilibrium_low, best.equilibrium_high, "any from {} to {}")
    free = ", or any other" if card.dirac is not None and card.dirac.bias_is_free else ""
    return figure(card.equilibrium) + free


def _optimum(say: Callable[[Optimum], str]) -> Say:
    return lambda card: MISSING if card.optimum is None else say(card.optimum)


def _at_half(best: Optimum) -> str:
    if best.equilibrium_probability is not None:
        return figure(best.equilibrium_probability)
    middle = len(best.shares) // 2
    return _range(best.probability_low[middle], best.probability_high[middle], "any from {} to {}")


def _ends(best: Optimum) -> str:
    return _range(best.probability_low[0], best.probability_high[-1], "{}, {}")


def _read_back(best: Optimum) -> str:
    if not best.proper:
        return "no"
    return "yes, " + READS[best.reads] if best.reads else "yes, through its own link"


def _rising(best: Optimum) -> str:
    return "strictly" if best.proper else "nowhere falling" if best.rising else "falls somewhere"


def _tail(term: str, side: str) -> Say:
    return lambda card: tail(getattr(getattr(card, term), side))


def tail(end: Tail) -> str:
    """Say what a slope does far out."""
    text: str = end.kind
    if end.kind == "constant" and end.slope is not None:
        text += f", {figure(abs(end.slope))}"
    if end.law is not None and end.rate is not None:
        rate = f"{end.rate:.2g}".replace("-", "−")
        exponent = f"{'−' if end.dies else ''}{rate}·|x|".replace("1·", "" if rate == "1" else "1·")
        text += f", exp({exponent})" if end.law == "exponential" else f", |x|^{rate}".removesuffix("^1")
    if end.clamped_at is not None:
        text += f" (none beyond {figure(end.clamped_at)})"
    return text


def _stationary(term: str) -> Say:
    return lambda card: stationary(getattr(card, term).stationary)


def stationary(points: tuple[Stationary, ...]) -> str:
    """Say where a slope is zero."""
    if len(points) > MOST:
        return f"{len(points)} places"
    return "; ".join(map(_place, points)) or "none"


def _place(point: Stationary) -> str:
    if point.low is None and point.high is None:
        return f"{point.kind} everywhere"
    if point.low is None or point.high is None:
        where = f"up to {figure(point.high)}" if point.high is not None else f"from {figure(point.low or 0.0)} on"
        return f"{point.kind} {where}"
    if point.low == point.high:
        return f"{point.kind} at {figure(point.low)}"
    return f"{point.kind} from {figure(point.low)} to {figure(point.high)}"


def _bounds(term: str) -> Say:
    def say(card: TheoryCard) -> str:
        found: Term = getattr(card, term)
        low, high = ("unbounded" if v is None else figure(v) for v in (found.lowest, found.highest))
        return f"{low} below, {high} above"

    return say


def _scale(term: str) -> Say:
    return lambda card: _or_none(getattr(card, term).scale)


def _peak(term: str) -> Say:
    return lambda card: _or_none(getattr(card, term).peak)


def _steps(term: str) -> Say:
    return lambda card: ", ".join(_or_none(step.ratio) for step in getattr(card, term).steps)


def _named(field: str) -> Say:
    def say(card: TheoryCard) -> str:
        if card.divergence is None:
            return MISSING
        found: Named | None = getattr(card.divergence, field)
        return "no common name" if found is None else f"{figure(found.factor)} × {found.name}"

    return say


def _divergence_flag(field: str) -> Say:
    return lambda card: MISSING if card.divergence is None else _yes(getattr(card.divergence, field))


def _force(distance: float) -> Say:
    def say(card: TheoryCard) -> str:
        found = card.divergence
        return MISSING if found is None else _or_none(found.force[found.distances.index(distance)])

    return say


def _stability(field: str) -> Say:
    def say(card: TheoryCard) -> str:
        found: Stability | None = None if card.dirac is None else getattr(card.dirac, field)
        if found is None:
            return MISSING
        return f"{found.kind}: {' and '.join(complex_figure(*value) for value in found.eigenvalues)}"

    return say


def _bias(card: TheoryCard) -> str:
    if card.dirac is None:
        return MISSING
    if card.dirac.bias_is_free:
        return "0: the loss does not see it"
    return "a kink" if card.dirac.bias_eigenvalue is None else figure(card.dirac.bias_eigenvalue)


def complex_figure(real: float, imaginary: float) -> str:
    """Return a complex number to three digits.

    >>> complex_figure(0.0, -0.5), complex_figure(-0.5, 0.25), complex_figure(-1.0, 0.0)
    ('−0.500i', '−0.500 + 0.250i', '−1')
    """
    if abs(imaginary) < 1e-7:
        return figure(real)
    if abs(real) < 1e-7:
        return f"{figure(imaginary)}i"
    return f"{figure(real)} {'−' if imaginary < 0 else '+'} {figure(abs(imaginary))}i"


def figure(value: float) -> str:
    """Return a figure for people; what is nearly a whole number is one.

    >>> figure(-0.40136), figure(1.0000001), figure(-16.118), figure(1e-21)
    ('−0.401', '1', '−16.1', '0')
    """
    if abs(value) < 1e-12:
        return "0"
    if abs(value - round(value)) < 1e-6 and 0.5 < abs(value) < 1e6:
        return f"{round(value):,}".replace("-", "−")
    return number(value).replace("-", "−")


def _range(low: float, high: float, text: str) -> str:
    return text.format(*(figure(round(value, 6)) for value in (low, high)))


def _or_none(value: float | None) -> str:
    return "–" if value is None else figure(value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _term(name: str) -> dict[str, Say]:
    return {
        "gradient at −∞": _tail(name, "below"),
        "gradient at +∞": _tail(name, "above"),
        "stationary": _stationary(name),
        "bounds": _bounds(name),
    }


def _sizes(name: str) -> dict[str, Say]:
    return {
        f"{name}: over BCE's": _scale(name),
        f"{name}: peak": _peak(name),
        f"{name}: −8, −4, 4, 8": _steps(name),
    }


FACTS: Mapping[str, Mapping[str, Say]] = {
    "Optimal discriminator D*": {
        "equilibrium logit": _equilibrium,
        "D* at r = 1/2": _optimum(_at_half),
        "D* at r = 0.01, 0.99": _optimum(_ends),
        "attained": _optimum(lambda best: ATTAINED[best.attained]),
        "rises with r": _optimum(_rising),
        "r can be read back": _optimum(_read_back),
    },
    "Generator's term": _term("generator"),
    "Real term": _term("real"),
    "Fake term": _term("fake"),
    "Generator against D*": {
        "D* measures": _named("discriminator_name"),
        "generator follows": _named("followed_name"),
        "smallest at the data": _divergence_flag("followed_minimal"),
        "prefers richer places": _divergence_flag("prefers_real"),
        "pull at distance 1": _force(1.0),
        "pull at distance 4": _force(4.0),
    },
    "Dirac-GAN": {
        "unregularised": _stability("plain"),
        "with R1, γ = 1": _stability("r1"),
        "bias": _bias,
    },
    "Relative gradient": {
        **_sizes("generator"),
        **_sizes("real"),
        **_sizes("fake"),
    },
}
"""Heading → name → what to say of a card."""
