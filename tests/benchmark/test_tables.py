from __future__ import annotations

import csv
import io
import json
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from ganetics._check import InputError
from ganetics.benchmark.export import csv_text, latex_steadiness, latex_text
from ganetics.benchmark.statistics import compare, share
from ganetics.benchmark.tables import FEW, distance, steadiness, table
from ganetics.records import to_json

Line = dict[str, Any]


def line(loss: str, seed: int, fid: float | None, **others: Any) -> Line:
    made = {
        "kind": "run", "phase": "final", "dataset": "mnist", "loss": loss, "rate": 1.0, "lr": 0.01, "batch_size": 32,
        "seed": seed, "recipe": "mnist", "steps": 600, "split": "test", "extractor": "mnist-classifier",
        "extractor_digest": "e", "n": 5000, "fid": fid, "kid": None if fid is None else fid / 100,
        "coverage": None if fid is None else 0.5, "best": None if fid is None else {"step": 450, "fid": fid / 2},
        "collapsed": fid is None,
    }  # fmt: skip
    return made | others


def final(fids: Mapping[str, Sequence[float | None]], **others: Any) -> list[Line]:
    return [line(loss, seed, fid, **others) for loss, some in fids.items() for seed, fid in enumerate(some)]


FINAL = final({
    "ganetic": [10.0, 14.0, 9.0, 20.0, 11.0, 12.0],
    "hinge": [12.0, 15.0, 13.0, 19.0, 16.0, 15.0],
    "wasserstein+gradient:10": [8.0, 12.0, 7.0, None, 9.0, 11.0],
})  # fmt: skip


def test_the_rows_are_best_first_and_the_comparisons_in_their_order() -> None:
    found = table([*FINAL, line("ganetic", 0, 1.0, phase="tuning")], reference="ganetic")
    assert [row.loss for row in found.rows] == ["wasserstein+gradient:10", "ganetic", "hinge"]
    assert [one.loss for one in found.comparisons] == ["wasserstein+gradient:10", "hinge"]
    assert [one.family for one in found.comparisons] == [2, 2]
    ganetic = found.rows[1]
    assert (ganetic.fid.n, ganetic.fid.best, ganetic.lr, ganetic.collapsed) == (6, 9.0, 0.01, share(0, 6))
    assert ganetic.metrics == {"kid": pytest.approx(76 / 600), "coverage": 0.5}
    kids = [one["kid"] for one in FINAL if one["loss"] == "ganetic"]
    assert ganetic.metrics_sd == {"kid": pytest.approx(statistics.stdev(kids)), "coverage": 0.0}
    assert found.facts == {
        "dataset": "mnist", "recipe": "mnist", "steps": 600, "split": "test", "extractor": "mnist-classifier",
        "extractor_digest": "e", "n": 5000,
    }  # fmt: skip


def test_a_failed_run_is_said() -> None:
    found = table(FINAL, reference="ganetic")
    assert (found.rows[0].fid.failed, found.rows[0].fid.worst, found.rows[0].collapsed.value) == (1, None, 1 / 6)
    assert found.comparisons[0].test == "signed rank"
    assert any("1 of 6 runs failed" in note for note in found.notes)
    assert any("failed in 1 of 6 pairs" in note for note in found.notes)


def test_the_order_of_the_lines_does_not_matter() -> None:
    shuffled = [FINAL[i] for i in np.random.default_rng(0).permutation(len(FINAL))]
    assert table(shuffled, reference="ganetic") == table(FINAL, reference="ganetic")


def test_a_loss_in_the_table_does_not_change_anothers_figures() -> None:
    few = table([one for one in FINAL if one["loss"] != "hinge"], reference="ganetic")
    many = table(FINAL, reference="ganetic")
    assert [row.fid for row in few.rows] == [row.fid for row in many.rows if row.loss != "hinge"]


def test_the_best_checkpoint() -> None:
    last, best = table(FINAL, reference="ganetic"), table(FINAL, reference="ganetic", checkpoint="best")
    assert last.rows[1].fid.best == 9.0
    assert best.rows[1].fid.best == 4.5
    assert best.rows[0].fid.failed == 1
    reached = line("hinge", 0, None, best={"step": 75, "fid": 3.0})
    assert distance(reached, "best") == distance(reached) == math.inf
    assert distance(line("hinge", 0, 4.0, best=None), "best") == 4.0


def test_seeds_that_only_one_loss_has_are_said() -> None:
    found = table([one for one in FINAL if (one["loss"], one["seed"]) != ("hinge", 2)], reference="ganetic")
    assert (found.comparisons[1].seeds, found.comparisons[1].unshared) == (5, 1)
    assert any(note.startswith("hinge: compared with ganetic over the 5 seeds") for note in found.notes)


def test_without_the_reference_nothing_is_compared() -> None:
    found = table(FINAL, reference="least-squares")
    assert found.comparisons == ()
    assert any(note.startswith("least-squares, the reference, has no runs") for note in found.notes)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "final runs: there must be at least one"),
        ([*FINAL, line("hinge", 2, 3.0)], "loss 'hinge', phase 'final', seed 2: must be there once"),
        ([*FINAL, line("hinge", 7, 3.0, rate=0.3)], r"seed 7: .* at one rate; got rates \[0.3, 1.0\]"),
        ([*FINAL, line("hinge", 7, 3.0, extractor="inception")], r"one extractor, got \['inception', 'mnist-class"),
        ([*FINAL, line("hinge", 7, 3.0, n=2000)], r"one n, got \['2000', '5000'\]"),
        ([*FINAL, line("hinge", 7, 3.0, split="validation")], "one split, got"),
    ],
)
def test_what_cannot_be_compared_is_refused(lines: list[Line], message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(lines, reference="ganetic")


def tuning(fids: Mapping[str, Mapping[float, Sequence[float | None]]], **others: Any) -> list[Line]:
    return [
        line(loss, seed, fid, **({"phase": "tuning", "rate": rate} | others))
        for loss, rates in fids.items() for rate, some in rates.items() for seed, fid in enumerate(some)
    ]  # fmt: skip


TUNING = tuning({
    "ganetic": {0.3: [20.0, 30.0, 25.0], 1.0: [10.0, 12.0, 11.0], 3.0: [50.0, 40.0, 90.0]},
    "wide": {0.3: [20.0, 22.0, 24.0], 1.0: [12.0, 12.0, 12.0], 3.0: [15.0, 16.0, 21.0], 9.0: [900.0, 900.0, None]},
    "fragile": {0.3: [9.0, 9.0, 9.0], 1.0: [8.0, 8.0, 8.0], 3.0: [30.0, None, 60.0]},
})  # fmt: skip


def test_steadiness_is_the_worst_case_over_the_common_rates() -> None:
    beside, (wide, ganetic, fragile) = steadiness([*FINAL, *TUNING], reference="ganetic")
    assert (beside.phase, beside.reference, beside.common) == ("tuning", "ganetic", (0.3, 1.0, 3.0))
    assert (beside.facts["dataset"], beside.facts["n"]) == ("mnist", 5000)
    assert (wide.loss, wide.worst, wide.factor) == ("wide", 24.0, pytest.approx(2.0))
    assert (ganetic.loss, ganetic.worst, ganetic.comparison) == ("ganetic", 90.0, None)
    assert ganetic.factor == pytest.approx(90 / (10 * 12 * 11) ** (1 / 3))
    assert (fragile.loss, fragile.worst, fragile.factor) == ("fragile", None, None)
    assert [level.value for level in wide.levels] == [0.3, 1.0, 3.0, 9.0]
    assert [level.lr for level in wide.levels] == [0.01] * 4  # as all lines here have it
    assert [(level.worst, level.failed) for level in wide.levels[2:]] == [(21.0, 0), (None, 1)]
    assert wide.comparison is not None
    expected = compare(
        {0: 20.0, 1: 22.0, 2: 24.0}, {0: 50.0, 1: 40.0, 2: 90.0}, loss="wide", reference="ganetic",
        generator=np.random.default_rng(0),
    )  # fmt: skip
    assert (wide.comparison.ratio, wide.comparison.p) == (expected.ratio, expected.p)
    assert wide.comparison.family == 2
    assert fragile.comparison is not None
    assert (fragile.comparison.test, fragile.comparison.failed) == ("signed rank", 1)


def test_steadiness_over_batch_sizes() -> None:
    lines = [
        line(loss, seed, fid, phase="batch", batch_size=size)
        for loss, fids in {"ganetic": (10.0, 11.0), "ganetic-batch-sum": (10.0, 44.0)}.items()
        for size, fid in zip((16, 128), fids, strict=True) for seed in range(3)
    ]  # fmt: skip
    _, (even, odd) = steadiness(lines, reference="ganetic", by="batch_size")
    assert [(row.loss, row.worst, [level.value for level in row.levels]) for row in (even, odd)] == [
        ("ganetic", 11.0, [16.0, 128.0]), ("ganetic-batch-sum", 44.0, [16.0, 128.0])
    ]  # fmt: skip
    assert odd.comparison is not None
    assert odd.comparison.ratio is not None
    assert odd.comparison.ratio.mean == pytest.approx(4.0)


def test_losses_without_a_common_rate() -> None:
    with pytest.raises(InputError, match="tuning runs: the losses must have a rate in common"):
        steadiness(tuning({"ganetic": {1.0: [3.0]}, "hinge": {3.0: [3.0]}}), reference="ganetic")


def test_everything_becomes_json() -> None:
    found = json.loads(to_json(asdict(table(FINAL, reference="ganetic"))))
    assert [row["fid"]["worst"] for row in found["rows"]] == [None, 20.0, 19.0]
    rows = json.loads(to_json([asdict(row) for row in steadiness(TUNING, reference="ganetic")[1]]))
    assert rows[0]["comparison"]["reference"] == "ganetic"


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), strict=True))


def test_csv_has_every_figure() -> None:
    found = table(FINAL, reference="ganetic")
    rows = read_csv(csv_text(found))
    assert [row["loss"] for row in rows] == [row.loss for row in found.rows]
    for text, row in zip(rows, found.rows, strict=True):
        assert row.fid.iqm is not None
        assert float(text["fid_iqm_value"]) == row.fid.iqm.value
        assert float(text["metrics_kid"]) == row.metrics["kid"]
        assert (text["dataset"], text["phase"], text["n"]) == ("mnist", "final", "5000")
    assert rows[0]["fid_worst"] == ""  # infinite
    assert float(rows[0]["comparison_p_holm"]) == found.comparisons[0].p_holm
    assert rows[0]["comparison_test"] == "signed rank"
    assert rows[1]["comparison_p_holm"] == ""
    assert float(rows[0]["metrics_sd_kid"]) == found.rows[0].metrics_sd["kid"]
    assert [row["notes"] for row in rows] == [" ".join(found.notes)] * 3
    beside, swept = steadiness(TUNING, reference="ganetic")
    steady = read_csv(csv_text(swept, beside))
    same = {
        "dataset": "mnist", "recipe": "mnist", "steps": "600", "split": "test", "extractor": "mnist-classifier",
        "n": "5000", "phase": "tuning", "common_levels": "0.3 1 3", "levels_1_lr": "0.01", "notes": "",
    }  # fmt: skip
    assert all(row.items() >= same.items() for row in steady)
    assert list(steady[0])[-1] == "notes"
    assert not {"comparison", "comparison_loss"} & set(steady[0])
    assert (steady[0]["levels_9_failed"], steady[1]["levels_9_failed"]) == ("1", "")
    assert float(steady[0]["levels_0.3_fid_mean"]) == pytest.approx((20 * 22 * 24) ** (1 / 3))


def cells(text: str) -> list[list[str]]:
    rows = [one.removesuffix(r" \\") for one in text.splitlines() if one.endswith(r"\\")]
    return [re.split(r"(?<!\\) & ", row) for row in rows]


def printed(text: str) -> str:
    """What stands below a table."""
    return " ".join(text.partition(r"\parbox{\linewidth}{")[2].split())


LATEX = final({
    "ganetic": [1234.5, 2000.0, 1500.0, 1600.0, 1700.0], "a_b & 50% #1": [None, 3.0, 4.0, 5.0, None], "one": [7.0],
    "none": [None, None],
})  # fmt: skip


def test_latex_has_a_cell_for_each_column() -> None:
    text = latex_text(table(LATEX, reference="ganetic"))
    header, *rows = cells(text)
    assert f"\\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}" in text
    assert {len(row) for row in rows} == {len(header)}
    by_loss = {row[0]: row for row in rows}
    assert set(by_loss) == {"one", "ganetic", r"a\_b \& 50\% \#1", "none"}
    assert by_loss["ganetic"][2:6] == ["1600 [1323, 1900]", "1607 (280)", "1234", "2000"]
    assert by_loss["ganetic"][-1] == "--"
    assert by_loss["none"][2:6] == [r"$\infty$", "--", r"$\infty$", r"$\infty$"]
    assert by_loss[r"a\_b \& 50\% \#1"][2:4] == [r"$\infty$ [3.33, $\infty$]", "4 (1)"]


def test_latex_prints_what_its_figures_are() -> None:
    told = printed(latex_text(table(LATEX, reference="ganetic")))
    for fact in (
        "mnist, test images; FID on features of mnist-classifier, n = 5000",
        "recipe mnist, 600 steps; protocol: none; each loss at its own best learning rate, 1 to 5 seeds;",
        "losses are in its order, and bold is the lowest",
        "Better: probability of a smaller FID than ganetic's.",
        "none: 2 of 2 runs failed",
        r"a\_b \& 50\% \#1: 2 of 5 runs failed",
        "of losses with fewer than 5 seeds, nor of places where",
    ):
        assert fact in told
    common = latex_text(table([one | {"phase": "common"} for one in LATEX], reference="ganetic", phase="common"))
    assert "all losses at the recipe's learning rate" in printed(common)


def test_bold_in_latex_is_the_lowest_mean_and_nothing_else() -> None:
    rows = cells(latex_text(table(LATEX, reference="ganetic")))[1:]
    assert [[cell for cell in row if "textbf" in cell] for row in rows] == [[r"\textbf{7}"], [], [], []]
    twins = cells(latex_text(table(final({"a": [7.0], "b": [7.0], "c": [8.0]}), reference="a")))[1:]
    assert [r"\textbf{7}" in row for row in twins] == [True, True, False]
    assert "textbf" not in latex_text(table(final({"a": [None], "b": [None]}), reference="a"))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("p**2 < y | p > 1", r"p**2 \textless{} y \textbar{} p \textgreater{} 1"),
        (r"a~b^c\d", r"a\textasciitilde{}b\textasciicircum{}c\textbackslash{}d"),
        ("[ours]", "{}[ours]"),  # behind the end of a row it would be an argument of that
        ("*", "{}*"),
    ],
)
def test_signs_that_latex_would_take_are_escaped(label: str, expected: str) -> None:
    assert [row[0] for row in cells(latex_text(table(final({label: [3.0]}), reference=label)))] == ["Loss", expected]


LONG = [f"real: softplus(abs(x) - 0.5584); fake: relu({n} + x); generator: softplus(-x)" for n in (1, 3)]


def test_long_labels_are_cut_off_and_written_out_once() -> None:
    lines = final({LONG[1]: [4.0, 4.0], LONG[0]: [3.0, None], "other: " + "p" * 40: [2.0, 2.0], "hinge": [1.0, 1.0]})
    found = table(lines, reference=LONG[0])
    assert {row.loss for row in found.rows} >= set(LONG)  # the record keeps them whole
    assert found.notes[0].startswith(f"{LONG[0]}: 1 of 2 runs failed")
    text = latex_text(found)
    assert {row[0] for row in cells(text)[1:]} == {
        r"real: softplus(abs(x) - 0.55\ldots{} 1", r"real: softplus(abs(x) - 0.55\ldots{} 2",
        rf"other: {'p' * 24}\ldots{{}}", "hinge",
    }  # fmt: skip
    assert [text.count(label) for label in LONG] == [1, 1]
    assert r"0.55\ldots{} 1: 1 of 2 runs failed" in printed(text)
    assert rf"0.55\ldots{{}} 2 = {LONG[1]}." in printed(text)
    assert [row["loss"] for row in read_csv(csv_text(found))] == [row.loss for row in found.rows]


def test_a_label_is_cut_off_alike_in_all_tables_of_a_benchmark() -> None:
    """Of two that begin alike one has no runs here."""
    lines = final({LONG[1]: [4.0, 4.0], "hinge": [1.0, 1.0]})
    name = r"real: softplus(abs(x) - 0.55\ldots{} 2"
    text = latex_text(table(lines, reference="hinge"), LONG)
    assert name in {row[0] for row in cells(text)}
    assert f"{name} = {LONG[1]}." in printed(text)
    assert LONG[0] not in text
    beside, rows = steadiness(tuning({LONG[1]: {1.0: [3.0]}, "hinge": {1.0: [2.0]}}), reference="hinge")
    assert name in {row[0] for row in cells(latex_steadiness(rows, beside, LONG, level="learning rate"))}


def test_why_an_interval_is_missing_is_said_where_one_is() -> None:
    assert FEW not in table(FINAL, reference="ganetic").notes
    five = final({"ganetic": [1.0, 2.0, 3.0, 4.0, 5.0]})
    others = [line("hinge", seed, 3.0) for seed in range(1, 6)]  # five of each, four shared: places have no interval
    assert FEW in table([*five, *others], reference="ganetic").notes
    assert FEW not in steadiness(TUNING, reference="ganetic")[0].notes


def test_latex_of_steadiness() -> None:
    beside, rows = steadiness(TUNING, reference="ganetic")
    text = latex_steadiness(rows, beside, level="learning rate")
    header, wide, *_, fragile = cells(text)
    assert header[:6] == ["Loss", r"$\times$0.3", r"$\times$1", r"$\times$3", r"$\times$9", "Worst"]
    assert wide[:6] == ["wide", "21.9", "12", "17.1", "900", "24"]
    assert (fragile[0], fragile[4], fragile[5]) == ("fragile", "--", r"$\infty$")
    for fact in (
        "mnist, test images; FID on features of mnist-classifier, n = 5000",
        "recipe mnist, 600 steps; protocol: none; tuning runs, 3 seeds.",
        r"over the learning rates that all losses were run at ($\times$0.3, $\times$1, $\times$3).",
    ):
        assert fact in printed(text)


def test_a_level_without_a_run_that_ended_is_infinite() -> None:
    beside, rows = steadiness(tuning({"ganetic": {1.0: [3.0, 4.0], 3.0: [None, None]}}), reference="ganetic")
    assert cells(latex_steadiness(rows, beside, level="learning rate"))[1][:4] == [
        "ganetic",
        "3.46",
        *[r"$\infty$"] * 2,
    ]
