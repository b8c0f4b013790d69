"""The benchmark's table against the script beside this file, which computes it from the archive in its own way.

Figures and p-values agree to 1e-9; the ends of bootstrap intervals, drawn by two generators, to 6 % of their width.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganetics.benchmark.estimate import Estimate
from ganetics.benchmark.tables import Table, table

SCRIPT = Path(__file__).with_name("bench_table.py")
FAILED = {
    "ganetic": (), "hinge": (), "steady": (), "fragile": (1, 4), "copy": (), "short": (9,), "shaky": range(9),
    "hopeless": range(25), "few": (),
}  # fmt: skip
"""Losses, and the seeds at which they failed."""
SEEDS = {"short": range(5, 14), "hinge": range(3, 28), "few": range(6, 10)}
"""Seeds of those that were not run at the others' 25."""


def archive(folder: Path) -> Path:
    random = np.random.default_rng(7)
    hardness = random.normal(0, 0.3, 30)
    lines = []
    for index, loss in enumerate(FAILED):
        own = np.random.default_rng(
            100 + (0 if loss == "copy" else index)
        )  # "copy" is the reference under another name
        level, scatter = (3.3, 0.4) if loss in ("ganetic", "copy") else (3.0 + 0.15 * index, 0.1 + 0.1 * index)
        for seed in SEEDS.get(loss, range(25)):
            fid = None if seed in FAILED[loss] else float(np.exp(level + hardness[seed] + own.normal(0, scatter)))
            lines.append(line(loss, seed, fid))
    lines.append(line("ganetic", 0, 1e-3) | {"phase": "tuning"})
    path = folder / "archive.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return path


def line(loss: str, seed: int, fid: float | None) -> dict[str, Any]:
    return {
        "phase": "final", "dataset": "made up", "loss": loss, "seed": seed, "rate": 1.0, "lr": 0.01, "recipe": "mnist",
        "steps": 600, "split": "test", "extractor": "none", "n": 5000, "fid": fid, "best": None,
        "collapsed": fid is None or fid > 60,
    }  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, dict[str, Any]]:
    path = archive(tmp_path_factory.mktemp("archive"))
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__'); "
        "assert not {'ganetics', 'scipy', 'torch'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, str(SCRIPT), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [json.loads(one) for one in path.read_text(encoding="utf-8").splitlines()]
    return table(lines, reference="ganetic"), json.loads(done.stdout)


def same(found: Sequence[float | None], expected: Sequence[float | None]) -> bool:
    missing = [one is None for one in found] == [one is None for one in expected]
    numbers = [[one for one in side if one is not None] for side in (found, expected)]
    return missing and numbers[0] == pytest.approx(numbers[1], rel=1e-9, abs=1e-12)


def ends(found: Estimate | None) -> list[float | None]:
    return [None, None, None] if found is None else [found.mean, found.low, found.high]


def test_the_figures_of_each_loss(both: tuple[Table, dict[str, Any]]) -> None:
    ours, theirs = both
    assert {row.loss for row in ours.rows} == theirs.keys() == FAILED.keys()
    for row in ours.rows:
        other = theirs[row.loss]
        names = ("n", "failed", "best", "worst", "mean", "sd", "median")
        assert same([getattr(row.fid, name) for name in names], [other[name] for name in names]), row.loss
        assert same(ends(row.fid.geometric), other["geometric"]), row.loss
        share = [row.collapsed.value, row.collapsed.low, row.collapsed.high]
        assert same(share, [other["collapsed"] / other["n"], *other["collapsed_interval"]]), row.loss


def test_the_bootstrap_intervals(both: tuple[Table, dict[str, Any]]) -> None:
    ours, theirs = both
    finite = 0
    for row in ours.rows:
        other, iqm = theirs[row.loss], row.fid.iqm
        assert iqm is not None
        assert same([iqm.value], [other["iqm"]]), row.loss
        if not other["iqm_interval"]:
            assert (row.loss, iqm.low, iqm.high) == ("few", None, None)
            continue
        low, high = other["iqm_interval"]
        if iqm.low is None or iqm.high is None:
            assert [low is None, high is None] == [iqm.low is None, iqm.high is None], row.loss
        else:
            finite += 1
            assert [iqm.low, iqm.high] == pytest.approx([low, high], abs=0.06 * (high - low)), row.loss
    # in "short", "shaky" and "hopeless" failed runs reach the upper end, of "few" there is none
    assert finite == len(FAILED) - 4


def test_the_comparisons(both: tuple[Table, dict[str, Any]]) -> None:
    ours, theirs = both
    tests = set()
    for one in ours.comparisons:
        other = theirs[one.loss]["comparison"]
        tests.add(one.test)
        assert one.seeds == other["seeds"]
        assert same(ends(one.ratio), other["ratio"]), one.loss
        names = ("p", "p_rank", "p_holm")
        assert same([getattr(one, name) for name in names], [other[name] for name in names]), one.loss
        assert one.paired_improvement is not None
        shares = [one.improvement.value, one.paired_improvement.value]
        assert same(shares, [other["improvement"], other["paired_improvement"]]), one.loss
    assert tests == {"paired t", "signed rank"}
    assert len(ours.comparisons) == len(FAILED) - 1
    by_loss = {one.loss: one for one in ours.comparisons}
    assert by_loss["copy"].p == 1.0
    assert by_loss["short"].seeds == 9
    assert by_loss["hinge"].seeds == 22
