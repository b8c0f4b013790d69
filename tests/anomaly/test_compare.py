from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ganetics._check import InputError
from ganetics.anomaly.compare import compare, to_csv
from ganetics.anomaly.results import RunSummary
from ganetics.anomaly.settings import FAnoGANSettings, Preprocessing
from ganetics.records import from_json, to_json

LABELS = np.tile([0, 0, 1], 20)
GROUPS = [f"g{i // 3}" for i in range(60)]


def write(
    folder: Path, loss: str, seed: int, gain: float, *, preprocessing: Preprocessing | None = None, **settings: Any
) -> np.ndarray:
    """Write a run whose scores see the classes this well, in another order of rows for each seed."""
    random = np.random.default_rng(seed)
    scores = np.round(random.normal(size=60) + gain * LABELS, 4)
    summary = RunSummary(
        dataset="eyes", detector="fanogan", loss=loss, lr=1e-3, seed=seed, train_groups=("t",), test_groups=("g0",),
        headline=True, settings=FAnoGANSettings(loss=loss, penalties=(), **settings),
        preprocessing=preprocessing or Preprocessing(), split=0, auroc=None, looks=1, first_look="now",
    )  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(to_json(summary))
    rows = [f"image {i:02d},{GROUPS[i]},{LABELS[i]},{scores[i]}" for i in random.permutation(60)]
    (folder / "scores.csv").write_text("\n".join(["path,group,label,pred_score", *rows]) + "\n")
    return scores


def test_rows_are_means_over_seeds_compared_in_pairs(tmp_path: Path) -> None:
    good = [write(tmp_path / f"good-{seed}", "ganetic", seed, 2.0) for seed in range(3)]
    poor = [write(tmp_path / f"poor-{seed}", "wasserstein", seed, 0.5) for seed in range(2)]
    same = [write(tmp_path / "same", "hinge", 0, 0.5)]
    found = compare([tmp_path], reference="fanogan, wasserstein", resamples=400)
    assert (found.normal, found.abnormal, found.groups) == (40, 20, 20)
    rows = {row.label: row for row in found.rows}
    best = rows["fanogan, ganetic"]
    areas = [roc_auc_score(LABELS, scores) for scores in good]
    others = [roc_auc_score(LABELS, scores) for scores in poor]
    assert found.rows[0] is best
    assert best.seeds == (0, 1, 2)
    assert best.auroc.value == pytest.approx(np.mean(areas))
    assert best.sd == pytest.approx(np.std(areas, ddof=1))
    assert best.auroc.low < best.auroc.value < best.auroc.high  # type: ignore[operator]
    # of the seeds that both have
    assert best.difference.value == pytest.approx(np.mean(areas[:2]) - np.mean(others))  # type: ignore[union-attr]
    assert best.difference.low > 0  # type: ignore[operator,union-attr]
    assert best.p_holm == pytest.approx(2 * best.difference.p)  # type: ignore[operator,union-attr]
    reference = rows["fanogan, wasserstein"]
    assert (reference.difference, reference.p_holm) == (None, None)
    single = rows["fanogan, hinge"]
    assert single.sd is None
    assert single.auroc.value == pytest.approx(roc_auc_score(LABELS, same[0]))
    table = list(csv.DictReader(to_csv(found).splitlines()))
    assert [row["label"] for row in table] == [row.label for row in found.rows]
    assert table[0]["auroc"] == f"{np.mean(areas):.4f}"


def test_the_mean_score_of_the_seeds_is_a_row_where_it_is_asked_for(tmp_path: Path) -> None:
    runs = [write(tmp_path / f"good-{seed}", "ganetic", seed, 1.0) for seed in range(3)]
    write(tmp_path / "single", "hinge", 0, 0.0)
    rows = {row.label: row for row in compare([tmp_path], ensembles=True, resamples=100).rows}
    assert set(rows) == {"fanogan, ganetic", "fanogan, ganetic, 3 seeds together", "fanogan, hinge"}
    together = rows["fanogan, ganetic, 3 seeds together"]
    assert together.auroc.value == pytest.approx(roc_auc_score(LABELS, np.mean(runs, axis=0)))
    assert (together.seeds, together.sd) == ((0, 1, 2), None)
    assert together.difference is not None  # from the row of single seeds, the reference


def test_what_is_added_to_the_reference_is_a_row_where_it_is_asked_for(tmp_path: Path) -> None:
    good = [write(tmp_path / f"good-{seed}", "ganetic", seed, 1.0) for seed in range(2)]
    references = [write(tmp_path / f"reference-{seed}", "hinge", seed, 1.0) for seed in range(2)]
    found = compare([tmp_path], reference="fanogan, hinge", added=True, resamples=100)
    rows = {row.label: row for row in found.rows}
    assert set(rows) == {"fanogan, ganetic", "fanogan, hinge", "fanogan, ganetic, with fanogan, hinge"}
    added = rows["fanogan, ganetic, with fanogan, hinge"]
    areas = [roc_auc_score(LABELS, scores + np.mean(references, axis=0)) for scores in good]
    assert added.auroc.value == pytest.approx(np.mean(areas))
    assert added.seeds == (0, 1)
    assert added.difference is not None


def test_tables_of_the_documentation_are_comparisons(
    tmp_path: Path, benchmark: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    script, marked = benchmark("detection_tables"), benchmark("marked")
    page = script.PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^<!-- ([\w-]+) -->$", page, re.MULTILINE)) - {"end"} == set(script.TABLES)
    assert marked.filled(page, script.TABLES) == page, "make it anew: python benchmarks/detection_tables.py"
    for seed in range(2):
        write(tmp_path / f"good-{seed}", "ganetic", seed, 2.0)
    write(tmp_path / "poor", "wasserstein", 0, 0.5)
    found = compare([tmp_path], reference="fanogan, wasserstein", resamples=200)
    out = tmp_path / "results" / "detection" / "polyp" / "compared-fanogan"
    out.mkdir(parents=True)
    (out / "comparison.json").write_text(to_json(found))
    monkeypatch.setattr(script, "ROOT", tmp_path)
    table = script.TABLES["polyp_fanogan"]()
    best, reference = found.rows
    assert f"| fanogan, ganetic | 0.001 | 2 | {best.auroc.value:.3f} ({best.auroc.low:.3f} to " in table
    assert f"| fanogan, wasserstein | 0.001 | 1 | {reference.auroc.value:.3f} (" in table
    assert "| the reference |  |" in table
    assert "40 normal and 20 abnormal images of 20 groups (average precision by chance: 0.33)" in table
    with pytest.raises(FileNotFoundError):
        script.TABLES["fundus_all"]()


def test_pairs_of_one_group_are_told_apart_from_levels_of_groups(
    tmp_path: Path, benchmark: Callable[[str], ModuleType]
) -> None:
    # group b lies higher as a whole; within a both pairs are in order, within b one of two; c has one class alone
    rows = ["a,0,0", "a,0,1", "a,1,2", "b,0,8", "b,1,7", "b,1,9", "c,0,10"]
    table = tmp_path / "scores.csv"
    table.write_text("group,label,pred_score\n" + "\n".join(rows) + "\n")
    pooled, within = benchmark("detection_tables").both_areas(table)
    assert within == pytest.approx(3 / 4)
    assert pooled == pytest.approx((2 + 2 + 3) / 12)


def test_other_settings_are_another_row(tmp_path: Path) -> None:
    write(tmp_path / "a", "ganetic", 0, 1.0)
    write(tmp_path / "b", "ganetic", 0, 1.0, score={"residual": 1.0, "ratio": 0.5})
    write(tmp_path / "c", "ganetic", 0, 1.0, steps=50, preprocessing=Preprocessing(image_size=128, mask_border=True))
    write(tmp_path / "d", "ganetic", 0, 1.0)
    summary = from_json(RunSummary, (tmp_path / "d" / "run.json").read_text(), where="d")
    penalised = FAnoGANSettings(loss="ganetic", learning_rate=3e-3)
    (tmp_path / "d" / "run.json").write_text(to_json(summary.model_copy(update={"settings": penalised})))
    assert {row.label for row in compare([tmp_path], resamples=10).rows} == {
        "fanogan, ganetic",
        "fanogan, ganetic, 0.5·ratio+1·residual",
        "fanogan, ganetic, steps=50, 128 px, border masked",
        "fanogan, ganetic+gradient:10",
    }


def test_lucky_seeds_show_no_difference(tmp_path: Path) -> None:
    # two of three trainings of one loss and one of the other are good: of the images alone that is a difference
    for seed, (one, other) in enumerate(((3.0, 0.0), (3.0, 3.0), (0.0, 0.0))):
        write(tmp_path / f"one-{seed}", "ganetic", seed, one)
        write(tmp_path / f"other-{seed}", "hinge", seed, other)
    found = compare([tmp_path], reference="fanogan, hinge", resamples=400)
    (difference,) = [row.difference for row in found.rows if row.difference is not None]
    assert difference.value is not None
    assert difference.value > 0.1
    assert difference.low is not None
    assert difference.low < 0.01
    assert difference.p is not None
    assert difference.p > 0.05


def test_only_seeds_that_both_have_are_compared(tmp_path: Path) -> None:
    # a training of each has failed; by order seed 3 would be paired with seed 2
    kept = {"ganetic": (0, 1, 2, 4), "hinge": (0, 1, 3, 4)}
    scores = {loss: {seed: write(tmp_path / f"{loss}-{seed}", loss, seed, 1.0 if loss == "hinge" else 1.1)
                     for seed in seeds} for loss, seeds in kept.items()}  # fmt: skip
    found = compare([tmp_path], reference="fanogan, hinge", resamples=400)
    (difference,) = [row.difference for row in found.rows if row.difference is not None]
    of_pairs = [roc_auc_score(LABELS, scores["ganetic"][seed]) - roc_auc_score(LABELS, scores["hinge"][seed])
                for seed in (0, 1, 4)]  # fmt: skip
    assert difference.value == pytest.approx(np.mean(of_pairs))
    assert {row.label: row.seeds for row in found.rows} == {f"fanogan, {loss}": seeds for loss, seeds in kept.items()}
    # the noise of a seed is the same under both losses, so paired they differ by little, and surely
    assert difference.low is not None
    assert difference.low > 0


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a", "ganetic", 0, 1.0)
    with pytest.raises(InputError, match=r"unknown reference 'hinge'"):
        compare([tmp_path], reference="hinge", resamples=10)
    write(tmp_path / "b", "ganetic", 0, 1.0)
    with pytest.raises(InputError, match=r"^fanogan, ganetic: each seed must occur once, got 0, 0$"):
        compare([tmp_path], resamples=10)
    file = tmp_path / "b" / "scores.csv"
    file.write_text(file.read_text().replace("image 07", "image 99"))
    with pytest.raises(InputError, match=r"b: must be tested on the same images as .*a, got others$"):
        compare([tmp_path], resamples=10)
    file.write_text("path,score\nx,1\n")
    with pytest.raises(InputError, match=r"scores.csv: must be a table of path, group, label, pred_score$"):
        compare([tmp_path], resamples=10)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: must hold at least 1 evaluated run, got none$"):
        compare([tmp_path / "empty"])
