"""The script of GANs on frozen features: what it asks for, and that it goes beside the runs on pixels."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ganetics.anomaly.compare import Comparison
from ganetics.records import read_record

from .conftest import write_images


@pytest.fixture
def script(benchmark: Callable[[str], ModuleType]) -> Any:
    return benchmark("feature_detection")


@pytest.mark.slow
def test_a_domain_from_images_to_comparisons(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"patient{patient}_{side}.png" for patient in range(80) for side in ("left", "right")]
    write_images(tmp_path / "data" / "fundus" / "normal", names[:40])
    write_images(tmp_path / "data" / "fundus" / "glaucoma", names[40:], bright=80)
    monkeypatch.setattr(script, "SEEDS", 1)
    monkeypatch.setattr(script, "PENALTIES", {"wasserstein": ("gradient:10",), "ganetic": ("r1:0.1",)})
    monkeypatch.setattr(script, "BEGIN", (5.0,))
    monkeypatch.setattr(script, "TO_BEAT", ("neighbours",))
    monkeypatch.setattr(sys.modules["medical_detection"], "WIDEN", 0)
    places = ("--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"))
    arguments = ["feature_detection", "fundus", "--steps", "2", "--look", "--workers", "1", *places]
    monkeypatch.setattr(sys, "argv", arguments)
    script.main()
    out = tmp_path / "out" / "fundus-2-steps"
    judged = {file.stem: json.loads(file.read_text()) for file in (out / "rates").glob("*.json")}
    assert [one["rate"] for one in judged.values()] == pytest.approx([1e-3, 1e-3])
    ganetic = "features-ganetic-r10.1"
    assert set(judged) == {f"{name}-x5" for name in ("features-wasserstein-gradient10", ganetic)}
    runs = {path.name for path in out.glob("*-seed0")}
    assert runs == {"features-wasserstein-gradient10-seed0", f"{ganetic}-seed0"} | {
        f"{name}-128px-seed0" for name in script.TO_BEAT
    }
    for run in runs:
        config = json.loads((out / run / "config.json").read_text())
        assert config["preprocessing"]["image_size"] == 128
        assert config["detector"]["copies"] == "mirrored"
    used = json.loads((out / f"{ganetic}-seed0" / "config.json").read_text())["detector"]
    assert used["learning_rate"] == pytest.approx(1e-3, rel=1e-4)
    scores = [json.loads(file.read_text()) for file in (out / "scores").glob("*.json")]
    means = {score: sum(one[score] for one in scores) / 2 for score in script.SCORES}
    assert used["score"] == {max(means, key=means.__getitem__).partition("=")[0]: 1.0}
    chosen = json.loads((out / "chosen-features.json").read_text())
    assert set(chosen["calibration"]) == {"features-wasserstein-gradient10", ganetic, "neighbours-128px"}
    assert chosen["frozen"] == "neighbours-128px"
    of_gans = {name: area for name, area in chosen["calibration"].items() if name.startswith("features")}
    assert chosen["loss"] == max(of_gans, key=of_gans.__getitem__)
    losses = read_record(Comparison, out / "compared-features" / "comparison.json")
    assert (losses.reference, len(losses.rows)) == ("fanogan-features, wasserstein+gradient:10", 2)
    beaten = read_record(Comparison, out / "compared-features-chosen" / "comparison.json")
    assert len(beaten.rows) == 2
    assert chosen["loss"].split("-")[1] in beaten.reference
    added = read_record(Comparison, out / "compared-features-added" / "comparison.json")
    assert added.reference.startswith("neighbours")
    assert len([row for row in added.rows if row.label.endswith(f", with {added.reference}")]) == 1
    assert not (out / "protocol.json").exists()
    assert json.loads((out / "protocol-features.json").read_text())["gans"][0]["seeds"] == 1


def study(script: Any, tmp_path: Path, name: str) -> Any:
    (tmp_path / "data" / script.Study(name, tmp_path, tmp_path, tmp_path, ()).domain.folder).mkdir(parents=True)
    return script.Study(name, tmp_path / "data", tmp_path / "out", tmp_path / "work", ())


def test_a_run_that_both_studies_have_is_the_same_in_both(script: Any, tmp_path: Path) -> None:
    made = study(script, tmp_path, "polyp")
    pixels = sys.modules["medical_detection"]
    theirs = {run.label: run for run in pixels.runs(made, pixels.GANS["polyp"], {}, {})}
    ours = {run.label: run for run in script.runs(made, {}, {})}
    assert set(ours) == {f"{name}-seed0" for name in script.TO_BEAT}
    assert [run for label, run in ours.items() if run != theirs[label]] == []
    large = list(script.runs(study(script, tmp_path, "fundus"), {}, {}))
    assert {run.label for run in large} == {f"{name}-128px-seed0" for name in script.TO_BEAT}
    assert all(run.fit.arguments[-4:-2] == ("--image-size", "128") and not run.frames for run in large)


def test_every_loss_has_as_many_trials_and_the_original_comes_first(script: Any) -> None:
    assert next(iter(script.PENALTIES)) == "wasserstein"
    for name, view in script.VIEWS.items():
        variants = [variant for gan in script.gans(name) for variant in gan.variants]
        assert {len(gan.variants) for gan in script.gans(name)} == {1}
        assert len({variant.name for variant in variants}) == len(variants)
        assert {variant.options[1] for variant in variants} == {view.detector}
        assert {"--image-size" in variant.options for variant in variants} == {name == "fundus"}


def test_a_loss_whose_every_training_failed_leaves_its_comparisons_out(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = study(script, tmp_path, "fundus")
    ended = ["features-ganetic-r10.1-seed0", "neighbours-128px-seed0"]
    for label in ended:
        (made.out / label).mkdir(parents=True)
        (made.out / label / "calibration.json").write_text('{"auroc": 0.7}')
    assert set(script.comparisons(made, ended)) == {"features-chosen", "features-added"}
    assert set(script.comparisons(made, ended[1:])) == set()


def test_tables_name_the_failures_of_their_own_study(
    benchmark: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = benchmark("detection_tables")
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    (tmp_path / "results" / "detection" / "polyp").mkdir(parents=True)
    for name, label in (("failures", "fanogan-hinge-seed0"), ("failures-features", "features-ganetic-r11-seed0")):
        (tmp_path / "results" / "detection" / "polyp" / f"{name}.json").write_text(json.dumps({label: "nan"}))
    found = {family: tables.failures("polyp", family) for family in ("fanogan", "all", "features", "features-chosen")}
    pixels, features = ["fanogan-hinge-seed0"], ["features-ganetic-r11-seed0"]
    assert found == {"fanogan": pixels, "all": pixels, "features": features, "features-chosen": features}
