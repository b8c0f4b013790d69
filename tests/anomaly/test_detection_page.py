"""docs/detection.md: what its text says of the results is what results/ says; test_compare.py holds its tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ganetics.anomaly.compare import Comparison, Row
from ganetics.records import read_record

ROOT = Path(__file__).parents[2]
TEXT = " ".join((ROOT / "docs" / "detection.md").read_text(encoding="utf-8").replace("−", "-").split())
NUMBER = r"(-?\d\.\d+)"
WASSERSTEIN, GANETIC = "fanogan, wasserstein+gradient:1", "fanogan, ganetic+r1:0.05"
GANOMALY = "ganomaly, non-saturating"
ON_FEATURES = "fanogan-features, least-squares+r1:0.1"


def row(name: str, family: str, label: str) -> Row:
    found = read_record(Comparison, ROOT / "results" / "detection" / name / f"compared-{family}" / "comparison.json")
    return {one.label: one for one in found.rows}[label]


def auroc(name: str, family: str, label: str) -> float | None:
    return row(name, family, label).auroc.value


def difference(name: str, family: str, label: str) -> tuple[Any, ...]:
    found = row(name, family, label).difference
    assert found is not None
    return found.value, found.low, found.high


def said(pattern: str, *, behind: str = "## Results") -> list[str]:
    """Return the numbers that the page has, behind a text, in the places of a #."""
    text = TEXT[TEXT.index(behind) :]
    found = re.search(re.escape(pattern).replace(r"\#", NUMBER).replace(r"\ ", " "), text)
    assert found is not None, pattern
    return list(found.groups())


def same(texts: list[str], *values: float | None) -> None:
    digits = [len(text.partition(".")[2]) for text in texts]
    assert texts == [f"{value:.{count}f}" for value, count in zip(values, digits, strict=True)]


def test_glaucoma_on_pixels() -> None:
    same(
        said("comes to # with GANetic and to # with Wasserstein, its original loss (difference #, # to #)"),
        auroc("fundus", "fanogan", GANETIC),
        auroc("fundus", "fanogan", WASSERSTEIN),
        *difference("fundus", "fanogan", GANETIC),
    )
    same(
        said("GANomaly to # with GANetic and # with BCE, its original one (#, # to #)"),
        auroc("fundus", "ganomaly", "ganomaly, ganetic"),
        auroc("fundus", "ganomaly", GANOMALY),
        *difference("fundus", "ganomaly", "ganomaly, ganetic"),
    )
    same(said("not told from mean brightness (#)"), auroc("fundus", "chosen", "brightness"))
    assert row("fundus", "chosen", GANOMALY).difference is None  # it is the one that was chosen
    names = ("neighbours", "neighbours-maps")
    same(said("with no GAN, have #, in deviations of maps #"), *(auroc("fundus", "chosen", name) for name in names))
    found = read_record(Comparison, ROOT / "results/detection/fundus/compared-all/comparison.json").rows
    ours = [one for one in found if one.label.startswith("fanogan") and "128 px" not in one.label]
    assert all(one.difference and one.difference.high is not None and one.difference.high < 1e-3 for one in ours)
    assert said("corrected for 25 rows no p is below #") == [f"{min(one.p_holm or 0 for one in ours):.2f}"]
    assert len(found) - 1 == 25


def test_glaucoma_on_frozen_features() -> None:
    chosen = "features-chosen"
    same(said("with least squares, has #"), auroc("fundus", chosen, ON_FEATURES))
    same(said("above mean brightness (#)"), auroc("fundus", chosen, "brightness"))
    ps = [row("fundus", chosen, name).p_holm for name in ("brightness", "colour", "contrast", "pixels")]
    assert said("corrected p #, #, #, #") == [f"{p:.2g}" for p in ps]
    ahead = difference("fundus", chosen, "neighbours")
    same(said("below neighbours (#; their lead #, # to #)"), auroc("fundus", chosen, "neighbours"), *ahead)
    added = f"{ON_FEATURES}, with neighbours"
    same(said("to whose score it adds nothing (#)"), auroc("fundus", "features-added", added))
    losses = read_record(Comparison, ROOT / "results/detection/fundus/compared-features/comparison.json").rows
    values = sorted(one.auroc.value or 0 for one in losses)
    ganetic = auroc("fundus", "features", "fanogan-features, ganetic+r1:0.1")
    same(said("Five losses lie between # and #, GANetic at #"), values[0], values[-1], ganetic)
    assert len(losses) == 5
    assert max(one.sd or 1 for one in losses) < 0.01
    assert min(one.p_holm or 1 for one in losses) > 0.05


EVOLVED = "fanogan, evolved-pairing+r1:0.05+r2:0.05, 1·image"
ON_POLYPS = {
    "GANetic": f"{GANETIC}, 1·logit+1·residual",
    "BCE": "fanogan, non-saturating+r1:0.05, 1·logit+1·residual",
    "Wasserstein": f"{WASSERSTEIN}, 1·code+1·residual",
    "evolved-pairing": EVOLVED,
}


def test_polyps_on_pixels() -> None:
    ours, original = ON_POLYPS["GANetic"], ON_POLYPS["Wasserstein"]
    same(
        said("comes to # with GANetic and to # with Wasserstein, its original loss (difference #, # to #), at most to "
             "#, with evolved-pairing (# above the original, # to #)"),
        auroc("polyp", "fanogan", ours),
        auroc("polyp", "fanogan", original),
        *difference("polyp", "fanogan", ours),
        auroc("polyp", "fanogan", EVOLVED),
        *difference("polyp", "fanogan", EVOLVED),
    )  # fmt: skip
    same(
        said("GANomaly to # with GANetic and # with BCE, its original one (#, # to #)", behind="**Polyps, on pixels"),
        auroc("polyp", "ganomaly", "ganomaly, ganetic"),
        auroc("polyp", "ganomaly", GANOMALY),
        *difference("polyp", "ganomaly", "ganomaly, ganetic"),
    )
    for family in ("fanogan", "ganomaly"):
        found = read_record(Comparison, ROOT / "results/detection/polyp" / f"compared-{family}/comparison.json").rows
        told = [one.difference for one in found if one.difference is not None]
        assert len(told) == len(found) - 1
        assert all((one.low or 0) < 0 < (one.high or 0) for one in told)
    for text, name in (("at 16×16 pixels (#; its lead #, # to #; the one of eight", "pixels"),
                       ("deviations of frozen maps have # (lead #, # to #)", "neighbours-maps")):  # fmt: skip
        same(said(text), auroc("polyp", "chosen", name), *difference("polyp", "chosen", name))
    assert row("polyp", "chosen", GANOMALY).difference is None  # it is the one that was chosen
    names = ("Wasserstein", "GANetic", "BCE", "evolved-pairing")
    same(
        said("SD over seeds # with Wasserstein, # with GANetic, # with BCE, # with evolved-pairing"),
        *(row("polyp", "fanogan", ON_POLYPS[name]).sd for name in names),
    )
    chosen = json.loads((ROOT / "results/detection/polyp/chosen.json").read_text())["calibration"]
    same(
        said("GANomaly with BCE had # on six other sequences and # on the test's nine"),
        chosen["ganomaly-non-saturating"],
        auroc("polyp", "ganomaly", GANOMALY),
    )


def test_polyps_parts_sequences_and_pixels(benchmark: Callable[[str], ModuleType]) -> None:
    tables = benchmark("detection_tables")
    parts = table(tables.ablation("polyp"))
    logits = [
        parts[ON_POLYPS[name]]["logit"].split(" ± ") for name in ("GANetic", "BCE", "Wasserstein", "evolved-pairing")
    ]
    text = "alone has # ± # with GANetic, # ± # with BCE, # ± # with Wasserstein, # ± # with evolved-pairing"
    assert said(text) == [*chain(*logits)]
    images = [parts[ON_POLYPS[name]]["image"].split(" ± ")[0] for name in ("GANetic", "BCE")]
    assert said("residual alone, both would have # and #") == images
    within = {label: line["within sequences"] for label, line in table(tables.within("polyp")).items()}
    best = max(value for label, value in within.items() if label.startswith("fanogan, "))
    order = [within["neighbours-maps"], within["pixels"], best]
    assert said("the order at the top is the same: neighbours #, 16×16 pixels #, f-AnoGAN at most #") == order
    maps = {label: line["pixel AUROC"].split()[0] for label, line in table(tables.pixels("polyp-frames")).items()}
    values = sorted(map(float, maps.values()))
    assert said("pixel AUROC is # to #, PaDiM's too (#)") == [f"{values[0]:.2f}", f"{values[-1]:.2f}", maps["padim"]]


def test_polyps_on_frozen_features() -> None:
    behind = "**Polyps, on deviations"
    original, family = "fanogan-maps, wasserstein+gradient:10", "features-chosen"
    assert row("polyp", family, original).difference is None  # it is the one that was chosen
    value, low, high = difference("polyp", family, "pixels")
    same(
        said("with Wasserstein, has #: # above 16×16 pixels (# to #)", behind=behind),
        *(auroc("polyp", family, original), -value, -high, -low),
    )
    same(
        said("(#; their lead #, # to #) and about where PaDiM with a mean is (#)", behind=behind),
        auroc("polyp", family, "neighbours-maps"),
        *difference("polyp", family, "neighbours-maps"),
        auroc("polyp", family, "padim-mean"),
    )
    added = f"{original}, with padim-mean"
    same(said("to which it adds # (# to #)", behind=behind), *difference("polyp", "features-added", added))
    losses = read_record(Comparison, ROOT / "results/detection/polyp/compared-features/comparison.json").rows
    values = sorted(one.auroc.value or 0 for one in losses)
    ours = "fanogan-maps, ganetic+r1:0.1"
    same(
        said("Five losses lie between # and #; GANetic, at #, is the steadiest (SD over seeds #)", behind=behind),
        *(values[0], values[-1], auroc("polyp", "features", ours), row("polyp", "features", ours).sd),
    )
    assert min(losses, key=lambda one: one.sd or 1).label == ours
    same(said("the original (#, # to #). Least squares", behind=behind), *difference("polyp", "features", ours))
    below = [one.difference for one in losses if one.difference is not None and one.label != ours]
    assert len(below) == 3
    assert all(-0.003 < (one.high or 0) < 0 for one in below)
    ends = sorted(-(one.value or 0) for one in below)
    same(said("evolved-pairing are # to # below it", behind=behind), ends[0], ends[-1])
    features = [auroc("polyp", family, name) for name in ("neighbours", "neighbours-maps")]
    same(said("between features (# to # with neighbours)", behind=behind), *features)
    reached = auroc("fundus", "features-chosen", "neighbours"), auroc("polyp", family, "neighbours-maps")
    same(said("not reached on glaucoma (#), 0.85 by sequence on polyps nearly, without a GAN (#)"), *reached)


def table(text: str) -> dict[str, dict[str, str]]:
    """Return a table of the page: first cell of a line → column → cell."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line]
    return {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:]}


def test_parts_and_what_the_calibration_images_said(benchmark: Callable[[str], ModuleType]) -> None:
    tables = benchmark("detection_tables")
    ratios = {label: line["ratio"].split(" ± ") for label, line in table(tables.ablation("fundus")).items()}
    found = said("has # ± # with GANetic and # ± # with BCE, at 128 pixels # ± # with GANetic")
    bce, large = "fanogan, non-saturating+r1:0.05", f"{GANETIC}, width=8, 128 px"
    assert found == [*ratios[GANETIC], *ratios[bce], *ratios[large]]
    chosen = {
        name: json.loads((ROOT / "results/detection/fundus" / f"{name}.json").read_text())["calibration"]
        for name in ("chosen", "chosen-features")
    }
    areas = chosen["chosen"]["neighbours"], chosen["chosen-features"]["neighbours-128px"]
    same(said("(neighbours: # at 64 pixels, # at 128)"), *areas)


@pytest.mark.parametrize("text", ["for research", "not a medical device"])
def test_it_says_what_it_is_not(text: str) -> None:
    assert text in TEXT.lower()
