"""What docs/recipes.md says is what the results and the losses say."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import pytest
import torch

from ganetics.catalogue import CATALOGUE
from ganetics.losses import GANetic, GANeticBatchSum, NonSaturating
from ganetics.losses.theory import theory_card

ROOT = Path(__file__).parents[1]
Recipes = Any
"""The class in conftest.py, which cannot be imported: the tests are no package."""


def test_examples_and_cards_are_named(recipes: Recipes) -> None:
    targets = re.findall(r"\]\(((?!https?:|#)[^)]+)\)", recipes.text)
    assert {"../examples/own_loop.py", "../examples/keras_gan.py", "cards"} <= set(targets)


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """Return the rows of the table whose head begins so: first cell → the others."""
    table = text[text.index(f"| {heading}") :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
    return {first: others for first, *others in cells}


def test_scales_and_peaks_are_those_of_the_cards(recipes: Recipes) -> None:
    table = rows(recipes.text, "loss | over BCE's")
    assert len(table) == 4
    for name, cells in table.items():
        card = theory_card(CATALOGUE[name].make())
        terms = (card.generator, card.real, card.fake)
        scale = card.generator.scale
        assert scale
        start = "your rate" if scale == pytest.approx(1) else f"your rate × {1 / scale:.2f}"
        peak = max(term.peak or 0.0 for term in terms)
        assert cells == [f"{scale:.2g}", f"{peak:.1f}", start, "your rate"]


RATES = ("0.000316", "0.001", "0.00316", "0.01", "0.0316")


def fid_of_rates(data: str) -> dict[str, dict[str, float]]:
    """Return loss → rate → FID, the mean over the seeds."""
    fid = json.loads((ROOT / f"results/rates-{data}/summary.json").read_text(encoding="utf-8"))["fid"]
    return {name: {rate: geometric_mean(fid[name][rate]) for rate in fid[name]} for name in fid}


def test_figures_of_the_rate_sweeps_are_those_of_the_results(recipes: Recipes) -> None:
    table = rows(recipes.text, "data, loss")
    assert len(table) == 6
    spans = []
    for row, cells in table.items():
        data, name = row.split(", ")
        fid = fid_of_rates(data)[name]
        assert set(fid) == set(RATES)
        best = min(fid.values())
        assert cells == [f"{fid[rate] / best:.2f}" for rate in RATES]
        spans.append(max(fid.values()) / best)
    between = []
    for data in ("mnist", "digits"):
        fids = fid_of_rates(data)
        best_of_each = [min(fid.values()) for fid in fids.values()]
        between.append(max(best_of_each) / min(best_of_each))
        by_peak = sorted(fids, key=lambda name: theory_card(CATALOGUE[name].make()).generator.peak or 0.0)
        at_highest = [float(table[f"{data}, {name}"][-1]) for name in by_peak]
        assert at_highest == sorted(at_highest)  # "the higher a loss's peak, the worse it bears the highest rate"
    said = re.search(r"factor of ([\d.]+) to ([\d.]+) for each loss; .*? at most ([\d.]+)\.\s", recipes.text, re.DOTALL)
    assert said
    assert said.groups() == (f"{min(spans):.1f}", f"{max(spans):.1f}", f"{max(between):.2f}")


def test_figures_of_the_search_are_those_of_the_results(recipes: Recipes) -> None:
    fame = json.loads((ROOT / "results/search-mnist-tied/hall_of_fame.json").read_text(encoding="utf-8"))
    ratios = {}
    for entry in fame:
        means = {
            r: geometric_mean([run["fid"] for run in entry["finals"] if run["rate"] == r]) for r in (0.3, 1.0, 3.0)
        }
        ratios[entry["name"]] = f"{means[3.0] / min(means.values()):.2f}"
    pattern = r"([\d.]+) times its best, against ([\d.]+)\s+for non-saturating\s+\(`results/search-mnist-tied`\)"
    said = re.search(pattern, recipes.text)
    assert said
    assert said.groups() == (ratios["ganetic"], ratios["non-saturating"])


def test_what_is_said_of_ganetics_gradient_is_so(recipes: Recipes) -> None:
    ganetic, usual = (theory_card(loss).generator for loss in (GANetic(), NonSaturating()))
    at_minus_4 = [abs(term.slopes[i] or 0.0) for term, i in ((ganetic, at(-4)), (usual, at(-4)))]
    said = re.search(r"is ([\d.]+) times that of binary cross-entropy at the\s+equilibrium and ([\d.]+)", recipes.text)
    assert said
    assert said.groups() == (f"{ganetic.scale:.2g}", f"{at_minus_4[0] / at_minus_4[1]:.1f}")
    # the optimal logit is 0 where D* = ½ = (√3.985/6·r)^(2/7)
    share = 6 / math.sqrt(3.985) * 0.5**3.5
    assert f"{100 * share:.0f} % or more" in recipes.text
    assert f"GANetic's is at {theory_card(GANetic()).equilibrium:.3f}" in recipes.text


def at(logit: float) -> int:
    return theory_card(NonSaturating()).logits.index(logit)


def test_the_batch_sum_changes_with_the_crop() -> None:
    small, large = torch.full((2, 1, 8, 8), 0.5), torch.full((2, 1, 16, 16), 0.5)
    values = [GANeticBatchSum().generator(fake_logits=logits).item() for logits in (small, large)]
    assert values[0] - values[1] > 0.05
    assert GANetic().generator(fake_logits=small).item() == pytest.approx(
        GANetic().generator(fake_logits=large).item(), rel=1e-6
    )
