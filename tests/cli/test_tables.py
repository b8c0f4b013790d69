"""A benchmark's tables on the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganetics.benchmark.results import Results
from ganetics.benchmark.tables import FEW, table
from ganetics.cli.tables import show

FIDS = {
    "hinge": (10.0, 14.0, 9.0),
    "real: softplus(abs(x) - 0.5584); fake: relu(1 + x); generator: -x": (8.0, 30.0, 9.0),
}


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [
        {"phase": "final", "dataset": "mnist", "loss": loss, "seed": seed, "rate": 1.0, "lr": 0.01, "recipe": "mnist",
         "steps": 600, "split": "test", "extractor": "none", "n": 5000, "fid": fid, "best": None, "collapsed": False}
        for loss, fids in FIDS.items() for seed, fid in enumerate(fids)
    ]  # fmt: skip
    found = {"final": table(lines, reference="hinge")}
    show(Path("run"), Results(found, {}, {}, {}, (), confirmatory=False), as_json=False)
    return " ".join(capsys.readouterr().out.split())


def test_what_the_losses_are_sorted_by_is_shown_and_said(printed: str) -> None:
    assert "loss rate IQM FID worst collapsed ratio p" in printed
    assert printed.index("×1 11 ") < printed.index("×1 15.67 ")  # the geometric means are the other way round
    assert "Sorted by IQM: interquartile mean of FID over the seeds" in printed


def test_missing_intervals_are_explained_and_long_labels_written_out_once(printed: str) -> None:
    label = list(FIDS)[1]
    assert printed.count(FEW) == 1
    assert f"- real: softplus(abs(x) - 0.5584)… = {label}" in printed
    assert printed.count(label) == 1
