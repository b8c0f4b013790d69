"""A benchmark's tables on the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganetics.benchmark.plan import Tuned
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


def test_notes_have_the_names_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    other, label = list(FIDS)[1].replace("1 + x", "2 + x"), list(FIDS)[1]
    lines = [
        {"phase": "final", "dataset": "mnist", "loss": label, "seed": seed, "rate": 1.0, "lr": 0.01, "fid": fid,
         "best": None, "collapsed": False, "split": "test", "recipe": "mnist", "steps": 600, "extractor": "none",
         "n": 5000}
        for seed, fid in enumerate((3.0, None))
    ]  # fmt: skip
    found, tuned = {"final": table(lines, reference=label)}, Tuned(1.0, (1.0,), at_edge=False)
    show(Path("run"), Results(found, {}, {}, {label: tuned, other: tuned}, (), confirmatory=False), as_json=False)
    out = " ".join(capsys.readouterr().out.split())
    assert "- real: softplus(abs(x) - 0.55… 1: 1 of 2 runs failed" in out
    assert out.count(label) == 1


def test_what_the_losses_are_sorted_by_is_shown_and_said(printed: str) -> None:
    assert "loss rate IQM FID worst collapsed ratio p" in printed
    assert printed.index("×1 11 ") < printed.index("×1 15.67 ")  # the geometric means are the other way round
    assert "Sorted by IQM: interquartile mean of FID over the seeds" in printed


def test_missing_intervals_are_explained_and_long_labels_written_out_once(printed: str) -> None:
    label = list(FIDS)[1]
    assert printed.count(FEW) == 1
    assert f"- real: softplus(abs(x) - 0.5584)… = {label}" in printed
    assert printed.count(label) == 1
