"""Charts as inline SVG that fit any width and both colour schemes. Pure: numbers in, markup out.

Places are percentages of the plot, so that a chart is as wide as its box while letters and dots keep their size. A
curve, whose points SVG cannot place by percentages, lies in an inner SVG that is stretched and cuts off what leaves the
plot. Colours are CSS classes of the page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

LOG_DIGITS = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7), (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9))
"""Leading digits of the marks of a logarithmic axis, from coarse to fine."""
LINE = 17
"""Height of a line of marks below a plot, in pixels."""
CROSS = "M-3.5-3.5 3.5 3.5M-3.5 3.5 3.5-3.5"
FAR = 1000.0
"""Times the best: what is worse is drawn at the edge, or one hopeless loss would flatten all others."""


@dataclass(frozen=True)
class Axis:
    """A scale with its marks.

    Attributes:
        low: value at the left or at the bottom.
        high: value at the right or at the top.
        marks: values that get a line, and what is written there.
        label: what is measured, with its unit.
        log: equal ratios are equally far apart.
    """

    low: float
    high: float
    marks: tuple[tuple[float, str], ...]
    label: str = ""
    log: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies between ``low`` (0) and ``high`` (1); outside these it is at the nearer end."""
        low, high, value = (math.log(max(v, 1e-300)) if self.log else v for v in (self.low, self.high, value))
        return min(max((value - low) / (high - low), 0.0), 1.0)


def log_axis(values: Iterable[float], label: str, *, most: int = 7) -> Axis:
    """Return a logarithmic axis a little wider than these positive values, with round marks, at most so many."""
    found = [value for value in values if value > 0] or [1.0]
    margin = max((max(found) / min(found)) ** 0.06, 1.05)
    low, high = min(found) / margin, max(found) * margin
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    places: list[float] = []
    for digits in LOG_DIGITS:
        finer = [place for power in powers for digit in digits if low <= (place := digit * 10.0**power) <= high]
        if len(finer) > most and places:
            break
        places = finer
    if len(places) < 2:
        return replace(linear_axis(low, high, label), log=True)
    step = -(-len(places) // most)
    return Axis(low, high, tuple((place, tick(place)) for place in places[::step]), label, log=True)


def count_axis(high: int, label: str) -> Axis:
    """Return an axis for 0, 1, 2, … below ``high``, half a step wider at both ends."""
    step = next(s for power in range(12) for s in (10**power, 2 * 10**power, 5 * 10**power) if high <= 6 * s)
    return Axis(-0.5, max(high, 1) - 0.5, tuple((i, tick(i)) for i in range(0, max(high, 1), step)), label)


def linear_axis(low: float, high: float, label: str) -> Axis:
    """Return an axis from ``low`` to ``high`` with three to six round marks."""
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough * (1 - 1e-9))
    whole = range(math.floor(low / step), math.ceil(high / step) + 1)
    places = [place for i in whole if low <= (place := float(f"{i * step:.12g}")) <= high]
    return Axis(low, high, tuple((place, tick(place)) for place in places), label)


def number(value: float) -> str:
    """Return a measured figure to three digits, for people.

    >>> number(0.012345), number(19.0), number(12345.6), number(3.2e9)
    ('0.0123', '19.0', '12,346', '3.20e+09')
    """
    if value == 0:
        return "0"
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:#.3g}".rstrip(".")


def tick(value: float) -> str:
    """Return a round number as short as can be.

    >>> tick(20.0), tick(-1500.0), tick(1e9)
    ('20', '−1,500', '1e+09')
    """
    text = f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"
    return text.replace("-", "−") if abs(value) < 1e6 else text


@dataclass(frozen=True)
class Chart:
    """A plot's axes, its height and the room left of it, in pixels. Methods make marks; :meth:`draw` joins them."""

    x: Axis
    y: Axis
    height: int
    gutter: int = 48

    def dot(self, x: float, y: float, kind: str, title: str, *, radius: float = 3.5) -> Markup:
        """Return a dot that says ``title`` when pointed at."""
        return Markup('<circle class="dot {}" cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
            kind, *self._place(x, y), radius, title
        )

    def cross(self, x: float, y: float, kind: str, title: str) -> Markup:
        """Return a cross, for what failed."""
        return Markup(
            '<svg class="cross {}" x="{}" y="{}" overflow="visible"><title>{}</title><path d="{}"/></svg>'
        ).format(kind, *self._place(x, y), title, CROSS)

    def spot(self, x: float, y: float, kind: str, title: str, *, text: str, radius: float) -> Markup:
        """Return a dot with a word in it."""
        cx, cy = self._place(x, y)
        return Markup(
            '<g class="spot {}"><title>{}</title><circle cx="{}" cy="{}" r="{}"/>'
            '<text x="{}" y="{}" dy=".35em" text-anchor="middle">{}</text></g>'
        ).format(kind, title, cx, cy, f"{radius:.2f}", cx, cy, text)

    def line(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> Markup:
        """Return a straight line."""
        places = (*self._place(*start), *self._place(*end))
        return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(kind, *places)

    def curve(self, xs: ArrayLike, ys: ArrayLike, kind: str) -> Markup:
        """Return a curve; it may leave the plot at the top and the bottom, and is broken where it is not finite."""
        steps, pen = [], "M"
        for x, y in zip(np.asarray(xs, dtype=np.float64), self._down(ys), strict=True):
            if math.isfinite(y):
                steps.append(f"{pen}{100 * self.x.share(x):.2f} {y:.2f}")
            pen = "L" if math.isfinite(y) else "M"
        return _stretched(f"curve {kind}", "".join(steps))

    def band(self, xs: ArrayLike, lows: ArrayLike, highs: ArrayLike, kind: str) -> Markup:
        """Return the area between two curves, which may leave the plot as :meth:`curve` may."""
        across = [100 * self.x.share(x) for x in np.asarray(xs, dtype=np.float64)]
        there, back = (list(zip(across, self._down(ys), strict=True)) for ys in (highs, lows))
        return _stretched(f"band {kind}", f"M{'L'.join(f'{x:.2f} {y:.2f}' for x, y in [*there, *back[::-1]])}Z")

    def draw(self, marks: Iterable[Markup], description: str) -> Markup:
        """Return the chart with grid, marks and labels; ``description`` is read out to who cannot see it."""
        above, below = (
            Markup('<div class="label{}">{}</div>').format(kind, axis.label) if axis.label else ""
            for kind, axis in (("", self.y), (" x", self.x))
        )
        rows = max((len(text.splitlines()) for _, text in self.x.marks), default=0)
        size = f"height:{self.height}px;margin-left:{self.gutter}px;margin-bottom:{LINE * rows + 8}px"
        return Markup(
            '<div class="chart">{}<div class="plot" style="{}">'
            '<svg role="img" aria-label="{}" width="100%" height="100%" overflow="visible">{}</svg></div>{}</div>'
        ).format(above, size, description, Markup("").join([*self._grid(), *marks]), below)

    def _grid(self) -> Iterable[Markup]:
        for value, text in self.x.marks:
            x = _percent(100.0 * self.x.share(value))
            yield Markup('<line class="grid" x1="{0}" x2="{0}" y1="0" y2="100%"/>').format(x)
            for row, part in enumerate(text.splitlines()):
                yield Markup('<text class="tick" x="{}" y="100%" dy="{}em" text-anchor="middle">{}</text>').format(
                    x, 1.4 + 1.2 * row, part
                )
        for value, text in self.y.marks:
            y = _percent(100.0 - 100.0 * self.y.share(value))
            yield Markup('<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(y)
            yield Markup('<text class="tick" x="0" y="{}" dx="-8" dy=".35em" text-anchor="end">{}</text>').format(
                y, text
            )

    def _down(self, ys: ArrayLike) -> NDArray[np.float64]:
        """Return places below the plot's top, in percent; a little beyond the plot is as good as far beyond."""
        values, ends = np.asarray(ys, dtype=np.float64), np.array([self.y.low, self.y.high])
        if self.y.log:
            values, ends = np.log(np.maximum(values, 1e-300)), np.log(ends)
        low, high = ends.tolist()
        return np.asarray(100.0 * (high - np.clip(values, 2 * low - high, 2 * high - low)) / (high - low))

    def _place(self, x: float, y: float) -> tuple[str, str]:
        return _percent(100.0 * self.x.share(x)), _percent(100.0 - 100.0 * self.y.share(y))


def _stretched(kind: str, path: str) -> Markup:
    return Markup(
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" width="100%" height="100%">'
        '<path class="{}" vector-effect="non-scaling-stroke" d="{}"/></svg>'
    ).format(kind, path)


def _percent(value: float) -> str:
    return f"{value:.2f}%"
