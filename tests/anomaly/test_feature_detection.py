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
    monkeypatch.setattr(script, "LOSSES", {"wasserstein": ("gradient:10",), "ganetic": ("r1:0.1",)})
    monkeypatch.setattr(script, "TO_BEAT", ("neighbours", "brightness"))
    monkeypatch.setattr(sys.modules["medical_detection"], "WIDEN", 0)
    places = ("--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"))
    arguments = ["feature_detection", "fundus", "--steps", "2", "--look", "--workers", "1", *places]
    monkeypatch.setattr(sys, "argv", arguments)
    script.main()
    out = tmp_path / "out" / "fundus-2-steps"
    runs = {path.name for path in out.glob("*-seed0")}
    assert runs == {"features-wasserstein-seed0", "features-ganetic-seed0"} | {
        f"{name}-128px-seed0" for name in script.TO_BEAT
    }
    for run in runs:
        config = json.loads((out / run / "config.json").read_text())
        assert config["preprocessing"]["image_size"] == 128
        assert (config["detector"]["copies"] == "mirrored") == (not run.startswith("brightness"))
    rates = [json.loads(file.read_text()) for file in sorted((out / "rates").glob("features-ganetic-*.json"))]
    assert [one["rate"] for one in rates] == pytest.approx([1e-3 / 3, 1e-3])
    best = min(rates, key=lambda one: one["judged"])["rate"]
    used = json.loads((out / "features-ganetic-seed0" / "config.json").read_text())["detector"]["learning_rate"]
    assert used == pytest.approx(best, rel=1e-4)
    chosen = json.loads((out / "chosen-features.json").read_text())
    assert set(chosen["calibration"]) == {"features-wasserstein", "features-ganetic"}
    losses = read_record(Comparison, out / "compared-features" / "comparison.json")
    assert (losses.reference, len(losses.rows)) == ("fanogan-features, wasserstein+gradient:10", 2)
    beaten = read_record(Comparison, out / "compared-features-chosen" / "comparison.json")
    assert len(beaten.rows) == 3
    assert chosen["gan"].removeprefix("features-") in beaten.reference
    assert not (out / "protocol.json").exists()
    assert json.loads((out / "protocol-features.json").read_text())["seeds"] == 1


def test_the_original_loss_comes_first_and_rates_are_where_the_detector_has_its_default(script: Any) -> None:
    assert next(iter(script.LOSSES)) == "wasserstein"
    assert script.RATE * script.BEGIN[-1] == pytest.approx(1e-3)
    for name, view in script.VIEWS.items():
        for gan in script.gans(name):
            (variant,) = gan.variants
            assert variant.options[1] == view.detector
            assert variant.options[-len(view.size) :] == view.size or not view.size
