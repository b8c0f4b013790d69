"""What docs/search.md says of the searches is what their halls of fame hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import geometric_mean

import pytest

from ganetics.benchmark.estimate import ratio

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
NAMES = {"non-saturating BCE": "non-saturating", "GANetic": "ganetic", "least squares": "least-squares"}
RATES = (0.3, 1.0, 3.0)


def part(run: str) -> str:
    """Return the text from the command that made a run to the next such, or the next heading."""
    start = PAGE.index(f"ganetics search results/{run} ")
    return re.split(r"\n\*\*Separate|\n## ", PAGE[start:])[0]


@pytest.mark.parametrize(("run", "count"), [("search-mnist-tied", 9), ("search-mnist-separate", 8)])
def test_the_figures_of_an_hours_search_are_those_of_its_hall_of_fame(run: str, count: int) -> None:
    fame = json.loads((ROOT / "results" / run / "hall_of_fame.json").read_text(encoding="utf-8"))
    fids = {
        entry["name"] or entry["expression"]: {
            rate: {one["seed"]: one["fid"] for one in entry["finals"] if one["rate"] == rate} for rate in RATES
        }
        for entry in fame
    }
    rows = re.findall(r"^\| (.+?) \| (.*[\d*]+ \(.*) \|$", part(run), flags=re.MULTILINE)
    assert len(rows) == count
    for name, cells in rows:
        own = fids[NAMES.get(name, name.strip("`"))]
        means = {rate: geometric_mean(own[rate].values()) for rate in RATES}
        expected = []
        for rate in RATES:
            worst = max(own[rate].values())
            mean = f"{means[rate]:.1f}"
            shown = f"**{mean}**" if means[rate] == min(means.values()) else mean
            expected.append(f"{shown} ({worst:.1f})" if worst < 100 else f"{shown} ({worst:.0f})")
        assert cells.split(" | ") == expected, name


@pytest.mark.parametrize("run", ["search-mnist-tied", "search-mnist-separate"])
def test_the_ratios_said_of_the_best_are_those_of_its_hall_of_fame(run: str) -> None:
    fame = json.loads((ROOT / "results" / run / "hall_of_fame.json").read_text(encoding="utf-8"))
    at_best = [{one["seed"]: one["fid"] for one in e["finals"] if one["rate"] == e["best_rate"]} for e in fame]
    names = [entry["name"] for entry in fame]
    told = " ".join(part(run).split())
    for name, text in (
        ("ganetic", "GANetic"),
        ("least-squares", "least squares"),
        ("hinge", "hinge"),
        ("non-saturating", "BCE"),
    ):
        found = ratio(at_best[0], at_best[names.index(name)])
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        pattern = (
            rf"{found.mean:.2f} times (?:the FID of|that of) {text} \((?:95 % )?{found.low:.2f} to {found.high:.2f}\)"
        )
        assert re.search(pattern, told), pattern


def second_rung(run: str) -> dict[str, list[str]]:
    """Return loss → FIDs of its runs in full, seed after seed."""
    lines = (ROOT / "results" / run / "archive.jsonl").read_text(encoding="utf-8").splitlines()
    trials = [line for line in map(json.loads, lines) if line["kind"] == "trial"]
    text = {line["candidate"]: line["born"]["expression"] for line in trials if "born" in line}
    found: dict[str, list[str]] = {}
    for line in (line for line in trials if line["rung"] == 1):
        found.setdefault(text[line["candidate"]], []).append(f"{line['outcome']['metrics']['fid']:.0f}")
    return found


def test_the_figures_of_the_search_on_cifar10_are_those_of_its_archive() -> None:
    rows = re.findall(r"^\| `(.+?)` \| .+? \| (\d+, \d+) \|$", part("search-cifar10"), flags=re.MULTILINE)
    fids = second_rung("search-cifar10")
    assert len(rows) == 8
    assert [fids[loss] for loss, _ in rows] == [cell.split(", ") for _, cell in rows]
    first = second_rung("search-cifar10-first")
    wasserstein, saturating = (
        first["real: -x; fake: x; generator: -x"],
        first["real: softplus(-x); fake: softplus(x); generator: softplus(-x)"],
    )
    told = " ".join(part("search-cifar10").split())
    assert f"came to {' and '.join(wasserstein)}, non-saturating BCE to {' and '.join(saturating)}." in told
