"""The page of theory cards, and the rows of words that it shares with the command."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE, expression_of
from ganetics.expressions.text import parse
from ganetics.losses.theory import TheoryCard, theory_card
from ganetics.report.card import LossCard, optimum, render_cards, size
from ganetics.report.card_facts import MISSING, complex_figure, figure, groups

from .test_browser import HARNESS, QUIET, SCHEMES, browser  # noqa: F401 - the fixture

NAMES = (
    "ganetic", "non-saturating", "minimax", "least-squares", "hinge", "wasserstein", "ganetic-batch-sum",
)  # fmt: skip
CARDS = {name: theory_card(CATALOGUE[name].make()) for name in NAMES}
SEPARABLE = [name for name, card in CARDS.items() if card.separable]


def loss_card(name: str, label: str | None = None) -> LossCard:
    entry = CATALOGUE[name]
    return LossCard(label or name, CARDS[name], entry.title, entry.reference, expression_of(name))


def page_of(*names: str) -> ElementTree.Element:
    text = render_cards([loss_card(name) for name in names], "ganetics loss card")
    assert text.startswith("<!DOCTYPE html>")
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>").strip())


def words(node: ElementTree.Element) -> str:
    return " ".join(" ".join(node.itertext()).split())


def classes(page: ElementTree.Element, *wanted: str) -> list[ElementTree.Element]:
    return [node for node in page.iter() if set(wanted) <= set(node.get("class", "").split())]


def points(chart: str, kind: str) -> np.ndarray:
    """Return the points of a curve, in percent of the plot, from the left and from the bottom."""
    found = re.search(rf'class="curve {kind}"[^>]* d="([^"]*)"', chart)
    assert found is not None
    places = [float(number) for number in re.findall(r"-?[\d.]+", found[1])]
    return np.array(places).reshape(-1, 2) * [1, -1] + [0, 100]


@pytest.fixture(scope="module")
def page() -> ElementTree.Element:
    return page_of(*NAMES)


def test_imports_no_torch() -> None:
    code = "import sys, ganetics.report.card; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_needs_no_network_and_no_script(page: ElementTree.Element) -> None:
    assert not {"script", "iframe", "object", "embed", "base", "img"} & {node.tag for node in page.iter()}
    for node in page.iter():
        assert not [name for name in node.attrib if name.startswith("on")]
        links = [value for name, value in node.attrib.items() if name.rpartition("}")[2] in ("href", "src")]
        assert all(link.startswith(("#", "data:")) for link in links)
    targets = {node.get("id") for node in page.iter()}
    for anchor in page.iter("a"):
        assert anchor.attrib["href"][1:] in targets


def test_says_every_verdict_and_draws_every_loss(page: ElementTree.Element) -> None:
    text = words(page)
    for name, card in CARDS.items():
        assert name in text
        for sentence in card.verdict:
            assert " ".join(sentence.split()) in text
    for i, card in enumerate(CARDS.values()):
        curves = [node for node in classes(page, "curve", f"k{i}") if node.tag == "path"]
        # 3 terms, 3 slopes, 3 sizes; the optimum; two over the distance
        assert len(curves) == 9 + (card.optimum is not None) + 2 * (card.divergence is not None)
        assert all("nan" not in curve.attrib["d"].lower() and len(curve.attrib["d"]) > 50 for curve in curves)
    assert len(page.findall(".//{*}math")) >= len(SEPARABLE)


def test_the_table_has_a_column_a_loss(page: ElementTree.Element) -> None:
    head, *rows = page.findall(".//table//tr")
    assert [words(cell) for cell in head][1:] == list(NAMES)
    shown = {cells[0]: cells[1:] for row in rows if len(cells := [words(cell) for cell in row]) > 1}
    assert shown["D* at r = 1/2"][NAMES.index("ganetic")] == "0.599"
    facts = [group for name in NAMES for _, rows in groups(CARDS[name]) for group in rows]
    assert sum(len(row) - 1 for row in rows if len(row) > 1) == len(facts)


def test_one_loss_that_is_not_separable_leaves_out_what_it_has_not() -> None:
    page = page_of("ganetic-batch-sum")
    assert not {"optimum", "divergence"} & {node.get("id") for node in page.iter()}
    assert "Not defined: an optimal discriminator" in words(page)
    assert "no expression of one logit says it" in words(page)


def test_what_comes_from_outside_is_escaped() -> None:
    text = render_cards([loss_card("hinge", "<script>x</script>")], "ganetics loss card '<b>'")
    assert "<script>" not in text
    assert "<b>'" not in text
    assert "&lt;script&gt;" in text


def test_a_page_holds_one_to_eight_losses() -> None:
    assert render_cards([loss_card("hinge")] * 8, "").count('class="curve k7"') > 9
    for count in (0, 9):
        with pytest.raises(InputError, match=f"a page holds 1 to 8 losses, got {count}"):
            render_cards([loss_card("hinge")] * count, "")


def test_the_optimum_is_drawn_where_it_is() -> None:
    chart = str(optimum([CARDS["non-saturating"], CARDS["hinge"], CARDS["wasserstein"]]))
    diagonal = points(chart, "k0")
    assert np.allclose(diagonal[:, 0], diagonal[:, 1], atol=0.02)
    step = points(chart, "k1")
    jump = step[np.isclose(step[:, 0], 50.0)]
    assert np.allclose(jump[:, 1], [26.89, 73.11], atol=0.02)  # sigmoid of ±1
    assert set(points(chart, "k2")[:, 1]) == {0.0, 100.0}


def test_sizes_are_in_decades_and_zero_falls_off_the_plot() -> None:
    real = str(size([CARDS["non-saturating"], CARDS["hinge"]], "real"))
    bce, hinge = points(real, "k0"), points(real, "k1")
    height = 100 / 7  # of a decade: from 1e-4 to 1e3
    assert np.interp(50.0, *bce.T) == pytest.approx(4 * height, abs=0.1)  # 1 at the equilibrium
    # at logit 8, e⁻⁸ of the slope at −8
    assert np.interp(10, *bce.T) - np.interp(90, *bce.T) == pytest.approx(8 / np.log(10) * height, abs=0.1)
    assert (hinge[hinge[:, 0] > 56][:, 1] < 0).all()
    assert np.allclose(hinge[hinge[:, 0] < 54][:, 1], 4 * height, atol=0.1)


@pytest.mark.parametrize(
    ("name", "fact", "expected"),
    [
        ("ganetic", "equilibrium logit", "0.401"),
        ("ganetic", "r can be read back", "yes, through its own link"),
        ("ganetic", "gradient at −∞", "growing, exp(0.5·|x|) (none beyond −16.1)"),
        ("ganetic", "stationary", "minimum at 0.996"),
        ("ganetic", "bounds", "2.73 below, unbounded above"),
        ("minimax", "gradient at −∞", "vanishing, exp(−|x|)"),
        ("minimax", "generator follows", "2 × Jensen-Shannon divergence"),
        ("minimax", "unregularised", "neutral: 0.500i and −0.500i"),
        ("minimax", "with R1, γ = 1", "stable: −0.500 and −0.500"),
        ("least-squares", "gradient at −∞", "growing, |x|"),
        ("least-squares", "r can be read back", "yes, as the logit itself"),
        ("least-squares", "generator: −8, −4, 4, 8", "18, 10, 6, 14"),
        ("hinge", "D* at r = 1/2", "any from 0.269 to 0.731"),
        ("hinge", "attained", "at a set of logits for some r"),
        ("wasserstein", "equilibrium logit", "0, or any other"),
        ("wasserstein", "generator follows", MISSING),
        ("ganetic-batch-sum", "D* at r = 1/2", MISSING),
    ],
)
def test_facts_in_words(name: str, fact: str, expected: str) -> None:
    found = [value for _, rows in groups(CARDS[name]) for row, value in rows if row == fact]
    assert found[0] == expected


def test_every_card_has_the_same_rows() -> None:
    rows = {
        tuple((heading, tuple(name for name, _ in rows)) for heading, rows in groups(card)) for card in CARDS.values()
    }
    assert len(rows) == 1
    assert all(value for card in CARDS.values() for _, rows in groups(card) for _, value in rows)


def test_figures() -> None:
    assert [figure(v) for v in (0.0, 1e-15, 0.9999999, -2.0, 4.4e-10, 123456.0)] == [
        "0", "0", "1", "−2", "4.40e−10", "123,456",
    ]  # fmt: skip
    assert complex_figure(-0.5, -0.25) == "−0.500 − 0.250i"


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme", "names"), [(320, "light", ["ganetic"]), (1200, "dark", list(NAMES))])
def test_fits_a_phone_and_follows_the_scheme(
    browser: str,  # noqa: F811 - the fixture
    tmp_path: Path,
    width: int,
    scheme: str,
    names: list[str],
) -> None:
    page = html.escape(render_cards([loss_card(name) for name in names], "ganetics loss card"))
    (tmp_path / "harness.html").write_text(HARNESS.format(width=width, page=page))
    command = [browser, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,1000"]
    command += [f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", "--dump-dom"]
    done = subprocess.run(
        [*command, (tmp_path / "harness.html").as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    found = json.loads(html.unescape(done.stdout.rpartition('<pre id="found">')[2].partition("</pre>")[0]))
    assert found["needed"] <= found["width"] <= width
    assert found["wide"] == []
    assert all(name.startswith("data:") for name in found["loaded"])
    light = ["rgb(255, 255, 255)", "rgb(27, 31, 36)"]
    assert ([found["background"], found["color"]] == light) == (scheme == "light")


def test_a_card_without_any_curve_still_has_a_page() -> None:
    flat = CARDS["hinge"].model_dump()
    for name in ("real", "fake", "generator"):
        flat[name] |= {
            "values": [None] * 201,
            "slopes": [None] * 201,
            "equilibrium_slope": None,
            "scale": None,
            "peak": None,
        }
    card = TheoryCard.model_validate(flat)
    assert "hinge" in render_cards([LossCard("hinge", card)], "")


def test_the_equilibrium_of_hinge_is_a_stretch_and_that_of_pairs_free() -> None:
    rows = {name: dict(groups(CARDS[name])[0][1])["equilibrium logit"] for name in ("hinge", "wasserstein", "ganetic")}
    assert rows == {"hinge": "any from −1 to 1", "wasserstein": "0, or any other", "ganetic": "0.401"}


def test_a_loss_of_pairs_has_its_formula() -> None:
    pairs = parse("real: softplus(-x); fake: x; generator: softplus(-x)")
    page = render_cards([LossCard("pairs", CARDS["hinge"], pairs=pairs)], "")
    assert "Of each pair of a real and a generated image" in page
    assert "real: softplus(-x); fake: x; generator: softplus(-x)" in page
    assert "depends on the whole batch" not in page
