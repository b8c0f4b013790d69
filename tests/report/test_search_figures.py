"""The picture of the hall of fame, from losses whose place is known."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

import pytest

from ganetics.report.search_figures import front
from ganetics.report.search_run import Contender, Final


def contender(label: str, mean: float, worst: float | None, nodes: int, *, kept: bool = True) -> Contender:
    """Return a loss of one seed with this distance at its best rate and that at another."""
    runs = [(1.0, mean, None), (3.0, worst, "diverged" if worst is None else None)]
    return Contender(
        label=label,
        badge="evolved",
        text="p < y",
        complexity=nodes,
        history=None,
        candidate=None,
        search_fid=None,
        front=kept,
        best_rate=1.0,
        finals=tuple(Final(rate, 1e-3 * rate, 7, fid, failure, None) for rate, fid, failure in runs),
    )


def drawn(contenders: Sequence[Contender]) -> tuple[ElementTree.Element, dict[str, ElementTree.Element]]:
    """Return the chart, and its spots by the number in them."""
    chart = ElementTree.fromstring(front(contenders))
    spots = [node for node in chart.iter("g") if "spot" in node.get("class", "").split()]
    return chart, {node.findtext("text", ""): node for node in spots}


def at(node: ElementTree.Element, name: str) -> float:
    return float(node.attrib[name].removesuffix("%"))


def centre(spot: ElementTree.Element) -> tuple[float, float]:
    circle = spot.find("circle")
    assert circle is not None
    return at(circle, "cx"), at(circle, "cy")


FAME = (
    contender("good", 10.0, 100.0, 9),
    contender("fails", 15.0, None, 3),
    contender("robust", 20.0, 50.0, 25),
    contender("beaten", 30.0, 60.0, 25, kept=False),
)


def test_left_is_good_low_is_robust_and_what_failed_is_above_all() -> None:
    chart, spots = drawn(FAME)
    places = {name: centre(spots[name]) for name in "1234"}
    assert sorted(places, key=lambda name: places[name][0]) == ["1", "2", "3", "4"]
    assert sorted(places, key=lambda name: places[name][1]) == ["2", "1", "4", "3"]
    [mark] = [node for node in chart.iter("text") if node.text == "failed"]
    assert at(mark, "y") == places["2"][1] > 0.0
    assert ["kept" in spots[name].get("class", "").split() for name in "1234"] == [True, True, True, False]
    assert spots["2"].findtext("title") == "2. fails: FID 15.0; 1 of 2 runs failed; 3 nodes\np < y"


def test_stairs_join_what_is_unbeaten_in_quality_and_robustness() -> None:
    chart, spots = drawn(FAME)
    lines = [
        ((at(node, "x1"), at(node, "y1")), (at(node, "x2"), at(node, "y2")))
        for node in chart.iter("line")
        if node.get("class") == "stairs"
    ]
    good, robust = centre(spots["1"]), centre(spots["3"])
    corner = (robust[0], good[1])
    expected = [((good[0], 0.0), good), (corner, robust), (good, corner), (robust, (100.0, robust[1]))]
    assert sorted(lines) == sorted(expected)


def test_the_area_grows_with_the_nodes() -> None:
    _, spots = drawn(FAME)
    radii = [float(spots[name].findall("circle")[0].get("r", "")) for name in "123"]
    assert radii == pytest.approx([10.0, 7.0 + 3**0.5, 12.0], abs=0.01)


def test_without_failures_there_is_no_mark_for_them() -> None:
    chart, spots = drawn(FAME[:1])
    assert not [node for node in chart.iter("text") if node.text == "failed"]
    assert len(spots) == 1
    assert 0.0 < centre(spots["1"])[1] < 100.0
