"""Theory cards of losses, several side by side, as one HTML page that needs no script and no network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

import ganetics
from ganetics._check import InputError
from ganetics.expressions.bind import terms_of
from ganetics.expressions.symbolic import equation, mathml
from ganetics.expressions.text import to_text
from ganetics.expressions.tree import Expression, Tied
from ganetics.report.card_facts import groups
from ganetics.report.charts import Axis, Chart, linear_axis, tick
from ganetics.report.template import environment

if TYPE_CHECKING:  # a card comes with PyTorch, its page does not need it
    from ganetics.losses.theory.card import Term, TheoryCard

MOST = 8
"""Losses on a page: more curves cannot be told apart."""
MIDDLE = 4.0
"""Logits from −4 to 4 (p from 0.02 to 0.98) decide the height of plots."""
DECADES = (-4.0, 3.0)
TERMS = ("generator", "real", "fake")
LABELS = {"real": "real term", "fake": "fake term", "generator": "generator's term"}
Lines = Sequence[tuple[Sequence[float], Sequence[float | None]]]


@dataclass(frozen=True)
class LossCard:
    """A loss on the page.

    Attributes:
        label: what it is called there.
        card: its facts.
        title: what people call it; empty if it has no name.
        reference: where it was published; empty if it was not.
        expression: the same loss as an expression, if there is one.
        pairs: the expression whose real and generator's term it takes of differences of a pair's logits, if there is
            one.
    """

    label: str
    card: TheoryCard
    title: str = ""
    reference: str = ""
    expression: Expression | None = None
    pairs: Expression | None = None

    @property
    def text(self) -> str:
        """The expression's text form; of pairs that of the terms."""
        found = self.expression or self.pairs
        return "" if found is None else to_text(found)

    @property
    def equations(self) -> list[Markup]:
        """MathML of the loss and, if it is tied, of its terms for real and for generated images; of pairs of both."""
        if self.pairs is not None:
            real, _, generator = terms_of(self.pairs)
            return [Markup(equation("x", real)), Markup(equation("x", generator))]
        if self.expression is None:
            return []
        real, fake, _ = terms_of(self.expression)
        bound = [equation("1, p", real), equation("0, p", fake)] if isinstance(self.expression, Tied) else []
        return [Markup(text) for text in [mathml(self.expression), *bound]]


def render_cards(losses: Sequence[LossCard], command: str) -> str:
    """Return the page.

    Args:
        losses: 1 to 8.
        command: what makes the page again, to stand at its end.

    Raises:
        InputError: none, or more than 8.
    """
    if not 1 <= len(losses) <= MOST:
        raise InputError(f"a page holds 1 to {MOST} losses, got {len(losses)}")
    cards = [loss.card for loss in losses]
    table = zip(*(groups(card) for card in cards), strict=True)
    return (
        environment()
        .get_template("card.html")
        .render(
            losses=losses,
            version=ganetics.__version__,
            command=command,
            optimum=optimum(cards),
            terms=[_over_logits(cards, name, lambda term: term.values, "") for name in TERMS],
            slopes=[_over_logits(cards, name, lambda term: term.slopes, "slope of the ") for name in TERMS],
            sizes=[size(cards, name) for name in TERMS],
            distances=distances(cards),
            table=[(group[0][0], list(zip(*(rows for _, rows in group), strict=True))) for group in table],
        )
    )


def optimum(cards: Sequence[TheoryCard]) -> Markup:
    """Return the plot of the optimal discriminator over r, beside the line D* = r; empty where no loss has one."""
    lines: list[tuple[Sequence[float], Sequence[float | None]]] = []
    for card in cards:
        best = card.optimum
        # a set of best logits is a vertical line
        shares = () if best is None else [share for share in best.shares for _ in range(2)]
        ends = () if best is None else zip(best.probability_low, best.probability_high, strict=True)
        lines.append((shares, [p for pair in ends for p in pair]))
    if not any(xs for xs, _ in lines):
        return Markup("")
    quarters = tuple((i / 4, tick(i / 4)) for i in range(5))
    x = Axis(0.0, 1.0, quarters, "r, the share of real samples where the discriminator looks")
    chart = Chart(x, Axis(0.0, 1.0, quarters, "D*(r), the optimal discriminator's output"), 320, gutter=40)
    return chart.draw([chart.line((0.0, 0.0), (1.0, 1.0), "floor"), *_curves(chart, lines)], "D*(r) of each loss")


def size(cards: Sequence[TheoryCard], name: str) -> Markup:
    """Return the plot of |slope| over that at the equilibrium, in decades."""
    lines = []
    for card in cards:
        term: Term = getattr(card, name)
        here = term.equilibrium_slope if term.kink is None else max(term.kink, key=abs)
        sizes = np.abs(_array(term.slopes)) / abs(here) if here else np.full(len(card.logits), np.nan)
        with np.errstate(divide="ignore"):
            decades = np.log10(sizes)
        # a gradient of exactly zero has no logarithm: it leaves the plot at the bottom
        lines.append((card.logits, np.where(np.isneginf(decades), 2 * DECADES[0], decades).tolist()))
    powers = range(int(DECADES[0]), int(DECADES[1]) + 1)
    marks = tuple((float(power), tick(10.0**power)) for power in powers)
    chart = Chart(_logits(), Axis(*DECADES, marks, f"{LABELS[name]}: relative |slope|"), 220)
    return chart.draw(_curves(chart, lines), f"size of the gradient of the {LABELS[name]}")


def distances(cards: Sequence[TheoryCard]) -> list[Markup]:
    """Return two plots over the distance of two Gaussians, what is followed and its slope; none if no loss has them."""
    found = [card.divergence for card in cards]
    if not any(found):
        return []
    followed: Lines = [((), ()) if one is None else (one.distances, one.followed) for one in found]
    force: Lines = [((), ()) if one is None else (one.distances, one.force) for one in found]
    x = linear_axis(0.0, 4.0, "distance of the two means, in standard deviations")
    plots = ((followed, "what the generator follows, 0 where it matches the data"), (force, "its slope: the pull"))
    return [_plot(x, lines, label, [value for _, ys in lines for value in ys]) for lines, label in plots]


def _over_logits(
    cards: Sequence[TheoryCard], name: str, of: Callable[[Term], Sequence[float | None]], prefix: str
) -> Markup:
    lines: Lines = [(card.logits, of(getattr(card, name))) for card in cards]
    inside = [y for xs, ys in lines for x, y in zip(xs, ys, strict=True) if abs(x) <= MIDDLE]
    return _plot(_logits(), lines, prefix + LABELS[name], inside)


def _plot(x: Axis, lines: Lines, label: str, decisive: Sequence[float | None]) -> Markup:
    """Return a plot that is as high as the decisive values; what is beyond leaves it."""
    values = [value for value in decisive if value is not None] or [0.0]
    # one steep loss must not flatten the others
    low, high = np.percentile(values, [2, 98]) if len(lines) > 1 else (min(values), max(values))
    margin = 0.08 * float(high - low) or 1.0
    chart = Chart(x, linear_axis(float(low) - margin, float(high) + margin, label), 220)
    return chart.draw(_curves(chart, lines), label)


def _curves(chart: Chart, lines: Lines) -> list[Markup]:
    return [chart.curve(xs, _array(ys), f"k{i}") for i, (xs, ys) in enumerate(lines) if len(xs)]


def _array(values: Sequence[float | None]) -> npt.NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _logits() -> Axis:
    places = (-8.0, -4.0, 0.0, 4.0, 8.0)
    p = {x: f"\n{1.0 / (1.0 + math.exp(-x)):.2g}" for x in places if abs(x) <= MIDDLE}
    marks = tuple((x, tick(x) + p.get(x, "")) for x in places)
    return Axis(-10.0, 10.0, marks, "logit x; second line: p = sigmoid(x)")
