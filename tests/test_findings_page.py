"""docs/findings*.md: their tables are what results/ says, and their text too."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, geometric_mean
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "docs" / "findings.md", ROOT / "docs" / "findings-details.md")
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
TEXT = "\n".join(TEXTS.values())
RPGAN = "relativistic-pairing+r1:0.05+r2:0.05"


@pytest.fixture
def script(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("findings")


def test_every_table_is_made_of_the_results(script: ModuleType, benchmark: Callable[[str], ModuleType]) -> None:
    marked = benchmark("marked")
    assert script.PAGES == PAGES
    assert sorted(re.findall(r"^<!-- (?!end)(\w+) -->$", TEXT, re.MULTILINE)) == sorted(script.TABLES)
    for text in TEXTS.values():
        assert marked.filled(text, script.TABLES) == text, "make it anew: python benchmarks/findings.py"


def test_a_loss_whose_runs_failed_is_told_and_not_the_best(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "results" / "bench-transfer-mnist" / "tables.json").read_text(encoding="utf-8")
    tables = json.loads(text.replace('"hinge"', '"ganetic"').replace('"a3"', '"non-saturating"'))
    final = tables["tables"]["final"]
    (row,) = (one for one in final["rows"] if one["loss"] == "a1")
    row["fid"] |= {"failed": row["fid"]["n"], "geometric": None, "best": None, "worst": None}
    row["rank"]["value"] = len(final["rows"])
    for one in final["comparisons"]:
        one["ratio"] = None if one["loss"] == "a1" else {"mean": 0.9, "low": None, "high": None, "n": 1}
    final["rows"][1]["rank"]["value"] = 1
    folder = tmp_path / "results" / "bench-mnist"
    folder.mkdir(parents=True)
    (folder / "tables.json").write_text(json.dumps(tables))
    (folder / "times.csv").write_text("phase,loss,cpu_seconds\ntuning,a1,9\nfinal,a1,12.345\n")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    own = script.TABLES["own"]()
    assert "; 0.9, ×" in own
    assert own.count("**") == 2
    assert f"**{script.interval(final['rows'][1]['fid']['geometric'])}" in own
    assert own.splitlines()[-1].startswith("| *real images* | ")
    assert own.endswith(f" ({final['facts']['floor_n']:,} a side) |")
    assert f"∞, {row['fid']['n']} of {row['fid']['n']} failed, ×{row['rate']:.3g} |" in own
    assert script.TABLES["share"]().endswith(" | 1.11 |")
    assert "×0.3: 0." in script.TABLES["share"]()
    assert "| a1 | 12.3 |" in script.TABLES["cost"]()
    assert "| a1 | ∞, ∞, 0 of 1 |" in script.TABLES["spread"]()
    assert "MNIST" in script.TABLES["rates"]()


def test_what_was_searched_on_mnist_is_chosen_and_then_tested(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = {
        "bench-cifar10-searched": [("a", "tuning", 7, 9.0), ("a", "final", 1, 300.0), ("b", "final", 1, None)],
        "bench-cifar10-searched-test": [("a", "tuning", 7, 9.0), ("a", "final", 5, 200.0), ("a", "final", 6, 800.0)],
        "bench-cifar10": [("ganetic", "final", 5, 100.0), ("ganetic", "final", 6, 400.0), ("ganetic", "final", 8, 1.0)],
    }
    for name, runs in archives.items():
        (tmp_path / "results" / name).mkdir(parents=True)
        lines = [
            {"loss": loss, "phase": phase, "seed": seed, "fid": fid, "expression": f"{loss} + p"}
            for loss, phase, seed, fid in runs
        ]
        (tmp_path / "results" / name / "tables.json").write_text("{}")
        (tmp_path / "results" / name / "archive.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    other = {"fid": 50.0, "fid_by_the_benchmark": None, "runs": {"5": [40.0, 1.0], "6": [62.5, None]}}
    (tmp_path / "results" / "inception-cifar10").mkdir()
    (tmp_path / "results" / "inception-cifar10" / "summary.json").write_text(
        json.dumps({"extractor": "inception", "n": 2000, "losses": {"ganetic": other}})
    )
    monkeypatch.setattr(script, "ROOT", tmp_path)
    assert script.TABLES["searched"]().splitlines() == [
        "| loss | held-out training images | test images, 2 seeds |",
        "| --- | --- | --- |",
        "| GANetic |  | 200 |",
        "| `a + p` | 300 | 400 |",
        "| `b + p` | ∞ |  |",
    ]
    assert script.TABLES["inception"]().splitlines()[2:] == ["| GANetic | 50 | ∞ | 40, 62.5 |"]


def fids(folder: str, loss: str) -> list[float]:
    """Return those of a loss's tuning runs at the recipe's rate."""
    lines = map(json.loads, (ROOT / "results" / folder / "archive.jsonl").read_text().splitlines())
    return [one["fid"] for one in lines if (one["loss"], one["phase"], one["rate"]) == (loss, "tuning", 1.0)]


@pytest.mark.parametrize(
    ("said", "pairs", "plain"),
    [
        (r"MNIST \(([\d.]+) to\s+([\d.]+)", "exploratory-pairs/mnist2", "exploratory-pairs/mnist2"),
        (r"polyps \(([\d.]+) to\s+([\d.]+)", "exploratory-pairs/polyp", "bench-transfer-polyp"),
        (r"histology \(([\d.]+) to\s+([\d.]+)", "exploratory-pairs/histology", "bench-transfer-histology"),
        (r"CIFAR-10 \(([\d.]+) to\s+([\d.]+)", "exploratory-pairs/cifar10", "bench-transfer-cifar10-penalties"),
    ],
)
def test_what_is_said_of_pairs_is_what_was_run(said: str, pairs: str, plain: str) -> None:
    found = re.search(said, TEXTS["findings-details.md"])
    assert found is not None
    ours = fids(pairs, "rp2+r1:0.05+r2:0.05")
    theirs = fids(plain, RPGAN) or fids(plain, "rp0+r1:0.05+r2:0.05")
    for text, values in zip(found.groups(), (ours, theirs), strict=True):
        digits = len(text.partition(".")[2])
        assert text == f"{geometric_mean(values):.{digits}f}"


def test_time_and_what_was_reached_on_the_way_are_those_of_the_runs(script: ModuleType) -> None:
    """Recomputed from the lines: steps, the ratio at their end, and the steps that take as long."""
    lines = [json.loads(line) for line in (ROOT / "results/bench-mnist/archive.jsonl").read_text().splitlines()]
    logs: dict[str, dict[int, float]] = {}
    for one in (one for one in lines if one["phase"] == "final"):
        logs.setdefault(one["loss"], {})[one["seed"]] = math.log(dict(one["curve"])[600])
    ours, theirs = logs["evolved-pairing"], logs[RPGAN]
    ratio = math.exp(fmean(ours[seed] - theirs[seed] for seed in ours))
    header, _, *rows = script.TABLES["compute"]().splitlines()
    assert re.findall(r"after \d+", header) == ["after 300", "after 450", "after 600"]
    (row,) = (row.split(" | ") for row in rows if "RpGAN" in row)
    assert row[-2].startswith(f"{ratio:.3f} (")
    assert row[-1] == "600 steps |"  # the same penalties take the same time
