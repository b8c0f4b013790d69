"""What is exported scores as the detector does, without PyTorch."""

from __future__ import annotations

import builtins
import csv
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganetics._check import InputError
from ganetics.anomaly import export as module
from ganetics.anomaly.detectors import load
from ganetics.anomaly.export import Exported, differences, export
from ganetics.anomaly.fit import fit, fitted_detector, prepare_run
from ganetics.anomaly.images import list_of, read_images
from ganetics.anomaly.settings import (
    AutoEncoderSettings,
    FAnoGANSettings,
    GANomalySettings,
    NeighboursSettings,
    Preprocessing,
    Settings,
)

from .conftest import Folder, textures

SMALL = {"width": 4, "latent_dim": 4, "batch_size": 8, "steps": 4, "check_every": 2}
NETWORKS: dict[str, tuple[Settings, Preprocessing]] = {
    "fanogan": (
        FAnoGANSettings(**SMALL, encoder_steps=4, loss="ganetic", score={"residual": 1.0, "ratio-gap": 0.5}),  # type: ignore[arg-type]
        Preprocessing(image_size=16, normalise_colour=True, mask_border=True),
    ),
    "ganomaly": (GANomalySettings(**SMALL, score={"latent": 1.0, "image": 2.0}), Preprocessing(image_size=16)),  # type: ignore[arg-type]
    "autoencoder": (AutoEncoderSettings(**SMALL), Preprocessing(image_size=16)),  # type: ignore[arg-type]
}  # fmt: skip


def made(folder: Folder, run: Path, settings: Settings, preprocessing: Preprocessing) -> Path:
    normal = folder("normal", range(12))
    fit(run, prepare_run(str(normal), settings, groups=r"p\d+", preprocessing=preprocessing))
    return run


@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_and_the_script_score_as_the_detector_does(name: str, image_folder: Folder, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    settings, preprocessing = NETWORKS[name]
    run, out = made(image_folder, tmp_path / "run", settings, preprocessing), tmp_path / "out"
    files, missing = export(run, out)
    assert missing is None
    assert sorted(files) == sorted(file.name for file in out.iterdir())
    graph = (out / "model.onnx").read_bytes()  # of this machine it says nothing
    assert not [word for word in (b".py", str(Path.home()).encode(), b"ganetics/") if word in graph]
    _, detector, stored = fitted_detector(run)
    images = torch.cat([textures(20, 4), textures(11, 5, abnormal=True)])
    score, maps, labels = differences(out / "model.onnx", Exported(detector, stored).eval(), images)  # type: ignore[arg-type]
    assert (score < 1e-3, maps < 1e-3, labels) == (True, True, 0)

    bad = image_folder("bad", range(20, 25), abnormal=True)
    expected = detector.results(read_images(list_of(str(bad), "p", "x"), stored).images)
    np.save(tmp_path / "images.npy", textures(10, 7, abnormal=True).numpy())
    program = "import runpy, sys; sys.modules['torch'] = sys.modules['ganetics'] = None; sys.argv = sys.argv[1:]; " \
              "runpy.run_path(sys.argv[0], run_name='__main__')"  # fmt: skip
    for place in (bad, tmp_path / "images.npy"):
        scores = tmp_path / f"{place.name}.csv"
        command = [sys.executable, "-c", program, out / "score.py", scores, place]
        subprocess.run([str(part) for part in command], check=True)
        with scores.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert {row["note"] for row in rows} == {""}
        assert [float(row["pred_score"]) for row in rows] == pytest.approx(expected.pred_score.tolist(), abs=1e-3)
        assert [int(row["pred_label"]) for row in rows] == expected.pred_label.tolist()
    about = json.loads((out / "about.json").read_text())
    assert about["shape"] == [3, 16, 16]
    assert about["threshold"] == detector.frozen.threshold


def test_the_script_says_in_one_line_what_is_wrong_and_loses_nothing(
    image_folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out = tmp_path / "out"
    export(made(image_folder, tmp_path / "run", *NETWORKS["autoencoder"]), out)
    spec = importlib.util.spec_from_file_location("score", out / "score.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    new = image_folder("new", range(2))
    whole = sorted(new.iterdir())[0]
    (new / "cut.png").write_bytes(whole.read_bytes()[:60])
    (new / "text.png").write_text("no image")
    with Image.open(whole) as opened:
        opened.convert("L").resize((20, 20)).save(new / "gray.png")
    script.main([str(tmp_path / "scores.csv"), str(new)])
    assert "2 images could not be read, as the column note says" in capsys.readouterr().err
    with (tmp_path / "scores.csv").open(newline="") as stream:
        rows = {Path(row["path"]).name: row for row in csv.DictReader(stream)}
    assert len(rows) == len(list(new.iterdir()))
    for name in ("cut.png", "text.png"):
        assert rows[name]["pred_score"] == ""
        assert rows[name]["note"].startswith("cannot be read: ")
    assert rows["gray.png"]["note"].startswith("is gray, fitted on images in colour; is 20×20, fitted on ")
    before = (tmp_path / "scores.csv").read_bytes()
    np.save(tmp_path / "wrong.npy", np.zeros((2, 3, 8, 8), dtype=np.uint8))
    empty = tmp_path / "empty"
    empty.mkdir()
    for name, place, rule in (
        ("scores.csv", new, "scores.csv: is there already, name another file"),
        ("a.csv", tmp_path / "absent", "absent: must be an image or a folder of images, got nothing there"),
        ("a.csv", empty, "empty: must hold at least 1 image"),
        ("a.csv", tmp_path / "wrong.npy", r"images must be uint8 \[n, 3, 16, 16\], got uint8 \[2, 3, 8, 8\]"),
        ("a.csv", new / "text.png", "^1$"),
    ):
        with pytest.raises(SystemExit, match=rule):
            script.main([str(tmp_path / name), str(place)])
    assert (tmp_path / "scores.csv").read_bytes() == before


def test_a_graph_that_differs_is_not_given_out(
    image_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    run = made(image_folder, tmp_path / "run", *NETWORKS["autoencoder"])
    monkeypatch.setattr(module, "differences", lambda *_: (0.5, 0.0, 0))
    monkeypatch.setattr(torch.onnx, "export", lambda _, __, path, **options: Path(path).write_bytes(b""))
    with pytest.raises(RuntimeError, match=r"the ONNX graph gives other results: scores differ by 0\.5, maps 0"):
        export(run, tmp_path / "out")
    assert not (tmp_path / "out" / "model.onnx").exists()


def test_what_is_no_network_has_no_graph(image_folder: Folder, tmp_path: Path) -> None:
    run = made(image_folder, tmp_path / "run", NeighboursSettings(features="colour"), Preprocessing(image_size=16))
    files, missing = export(run, tmp_path / "out")
    assert files == ["detector.json", "detector.safetensors"]
    assert missing == "an ONNX graph: colour is not one network"
    with pytest.raises(InputError, match="out: must be an empty folder or not be there yet"):
        export(run, tmp_path / "out")


def test_without_onnx_the_message_says_what_to_install(
    image_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(image_folder, tmp_path / "run", *NETWORKS["autoencoder"])
    plain = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name == "onnx":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return plain(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    files, missing = export(run, tmp_path / "out")
    assert files == ["detector.json", "detector.safetensors"]
    assert missing is not None
    assert missing.startswith("export to ONNX: onnx is not installed: pip install onnx")
    load(tmp_path / "out")
