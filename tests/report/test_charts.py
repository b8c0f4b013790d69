from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from ganetics.report.charts import Axis, Chart, count_axis, linear_axis, log_axis

POSITIVE = st.floats(1e-9, 1e12)


@settings(deadline=None, derandomize=True)
@given(st.lists(POSITIVE, min_size=1, max_size=20))
def test_log_axis_holds_all_values_and_has_a_few_round_marks(values: list[float]) -> None:
    axis = log_axis(values, "FID", most=7)
    assert axis.log
    assert axis.low < min(values) <= max(values) < axis.high
    places = [place for place, _ in axis.marks]
    assert 2 <= len(places) <= 7
    assert all(axis.low <= place <= axis.high for place in places)
    assert places == sorted(set(places))
    assert len({text for _, text in axis.marks}) == len(places)


@settings(deadline=None, derandomize=True)
@given(POSITIVE, POSITIVE, POSITIVE)
def test_places_keep_order_and_equal_ratios_equal_distances(a: float, b: float, c: float) -> None:
    axis = log_axis([1e-10, 1e13], "FID")
    low, middle, high = sorted((a, b, c))
    assert 0.0 <= axis.share(low) <= axis.share(middle) <= axis.share(high) <= 1.0
    assert axis.share(2 * a) - axis.share(a) == pytest.approx(axis.share(2 * b) - axis.share(b), abs=1e-9)


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_count_axis_has_whole_marks_and_room_at_both_ends(count: int) -> None:
    axis = count_axis(count, "trial")
    assert all(isinstance(place, int) and 0 <= place < max(count, 1) for place, _ in axis.marks)
    assert 1 <= len(axis.marks) <= 7
    assert axis.share(0) > 0.0
    assert axis.share(count - 1) < 1.0


@settings(deadline=None, derandomize=True)
@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_linear_axis_has_evenly_spaced_marks(low: float, width: float) -> None:
    axis = linear_axis(low, low + width, "slope")
    places = np.array([place for place, _ in axis.marks])
    assert 2 <= len(places) <= 7
    assert np.ptp(np.diff(places)) <= 1e-6 * width


def test_what_lies_outside_is_drawn_at_the_edge() -> None:
    axis = Axis(1.0, 10.0, ())
    assert (axis.share(-5.0), axis.share(50.0)) == (0.0, 1.0)


def draw(marks: list[Markup], chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(chart.draw(marks, 'a <b> & "c"'))


def test_marks_are_where_they_belong_and_text_is_escaped() -> None:
    chart = Chart(Axis(0.0, 4.0, ((1.0, "a\nb"),), "x < y"), Axis(1.0, 100.0, (), log=True), 100)
    found = draw([chart.dot(1.0, 10.0, "k", "p < 1 & y"), chart.cross(4.0, 100.0, "k", "t")], chart)
    svg = found.find(".//svg")
    assert svg is not None
    assert svg.get("aria-label") == 'a <b> & "c"'
    dot, cross = found.find(".//circle"), found.find(".//svg/svg")
    assert dot is not None
    assert (dot.get("cx"), dot.get("cy"), dot.findtext("title")) == ("25.00%", "50.00%", "p < 1 & y")
    assert cross is not None
    assert (cross.get("x"), cross.get("y")) == ("100.00%", "0.00%")
    assert [node.text for node in found.iter("text")] == ["a", "b"]
    assert "x < y" in "".join(found.itertext())


def test_a_spot_has_its_word_in_its_middle() -> None:
    chart = Chart(Axis(0.0, 4.0, ()), Axis(1.0, 100.0, (), log=True), 100)
    found = draw([chart.spot(3.0, 10.0, "kept", "p < 1 & y", text="7", radius=9.0)], chart)
    spot = found.find(".//g")
    assert spot is not None
    circle, text = spot.find("circle"), spot.find("text")
    assert circle is not None
    assert text is not None
    assert [circle.get(name) for name in ("cx", "cy", "r")] == ["75.00%", "50.00%", "9.00"]
    assert [text.get(name) for name in ("x", "y", "text-anchor")] == ["75.00%", "50.00%", "middle"]
    assert (spot.get("class"), spot.findtext("title"), text.text) == ("spot kept", "p < 1 & y", "7")


def test_a_curve_is_broken_where_it_is_not_finite_and_stays_near_the_plot() -> None:
    chart = Chart(Axis(0.0, 4.0, ()), Axis(0.0, 1.0, ()), 100)
    found = draw([chart.curve([0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 1.0, np.nan, 1e300, -np.inf], "c0")], chart)
    path = found.find(".//path")
    assert path is not None
    assert re.findall(r"[ML]", path.get("d", "")) == ["M", "L", "M", "L"]
    heights = [float(y) for y in re.findall(r" (-?[\d.]+)", path.get("d", ""))]
    assert heights == [100.0, 0.0, -100.0, 200.0]


def test_on_a_logarithmic_axis_a_curve_meets_its_dots_and_a_band_its_curves() -> None:
    chart = Chart(Axis(0.0, 4.0, ()), Axis(1.0, 1e4, (), log=True), 100)
    xs, low, high = [1.0, 2.0, 3.0], [1.0, 10.0, 100.0], [10.0, 1000.0, np.inf]
    found = draw([chart.curve(xs, low, "c0"), chart.band(xs, low, high, "k"), chart.dot(3.0, 100.0, "d", "t")], chart)
    curve, band = ([*map(float, re.findall(r"-?[\d.]+", path.get("d", "")))] for path in found.iter("path"))
    dot = found.find(".//circle")
    assert dot is not None
    assert curve == [25.0, 100.0, 50.0, 75.0, 75.0, 50.0]
    assert [f"{place:.2f}%" for place in curve[-2:]] == [dot.get("cx"), dot.get("cy")]
    # there along the upper curve, which leaves the plot, and back along the lower one
    assert band == [25.0, 75.0, 50.0, 25.0, 75.0, -100.0, 75.0, 50.0, 50.0, 75.0, 25.0, 100.0]
