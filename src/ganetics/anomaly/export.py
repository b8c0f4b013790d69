"""A detector to take elsewhere: its weights, an ONNX graph that was checked, and a script that needs no PyTorch."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import ganetics
from ganetics._check import InputError, MissingDependencyError
from ganetics._random import torch_generator
from ganetics.anomaly import onnx_script
from ganetics.anomaly.detectors import FILE, TENSORS
from ganetics.anomaly.fit import fitted_detector
from ganetics.anomaly.images import prepared
from ganetics.anomaly.networks import NetworkDetector, Scorer
from ganetics.anomaly.settings import DetectConfig, NeighboursSettings, Preprocessing
from ganetics.models.graph import run_graph, runtime, write_graph
from ganetics.records import write_json

CHECKED = 32
"""Images that both graphs are compared on."""
SAME = 1e-3
"""They may differ by this: in standard deviations of normal images, and in shares of the strongest colour of a map."""
OUTPUTS = ("pred_score", "pred_label", "anomaly_map")


class Exported(nn.Module):
    """uint8 images ``[n, c, h, w]``, cut and resized, to pred_score ``[n]``, pred_label ``[n]``, anomaly_map."""

    scales: Tensor

    def __init__(self, detector: NetworkDetector[Any], preprocessing: Preprocessing) -> None:
        super().__init__()
        self.scorer: Scorer = detector.scorer
        self.preprocessing = preprocessing
        self.threshold = detector.frozen.threshold
        frozen, weights = detector.frozen, detector.weights()
        rows = [
            (frozen.means[name], weights.get(name, 0.0) / frozen.deviations[name] / frozen.deviation)
            for name in self.scorer.components
        ]
        self.register_buffer("scales", torch.tensor(rows, dtype=torch.float64))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what :meth:`ganetics.anomaly.detector.Detector.results` does."""
        *parts, maps = self.scorer(prepared(images, self.preprocessing))
        stacked = torch.stack([part.double() for part in parts], dim=1)
        score = ((stacked - self.scales[:, 0]) * self.scales[:, 1]).sum(dim=1)
        return score, (score > self.threshold).long(), maps


def export(run: Path, out: Path) -> tuple[list[str], str | None]:
    """Write a run's detector to a folder.

    Always ``detector.json`` and ``detector.safetensors``; where ONNX is installed, of detectors that are one network,
    also ``model.onnx``, after it was found equal on random images, ``about.json`` and ``score.py``.

    Returns:
        The names of the files, and what is missing for a graph; None if nothing is.

    Raises:
        InputError: the run has no detector, or the folder is not empty.
        RuntimeError: the graph gives other scores than the detector.
    """
    config, detector, preprocessing = fitted_detector(run)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: must be an empty folder or not be there yet")
    out.mkdir(parents=True, exist_ok=True)
    for name in (FILE, TENSORS):
        shutil.copy(run / "checkpoint" / name, out / name)
    if not isinstance(detector, NetworkDetector):
        return [FILE, TENSORS], f"an ONNX graph: {config.name} is not one network"
    try:
        runtime()
    except MissingDependencyError as error:
        return [FILE, TENSORS], str(error)
    module = Exported(detector, preprocessing).eval()
    write_onnx(module, detector.frozen.shape, out / "model.onnx")
    about = {
        "detector": config.name,
        "dataset": config.dataset,
        "shape": list(detector.frozen.shape),
        "threshold": detector.frozen.threshold,
        "threshold_from": detector.frozen.threshold_from,
        "map_low": detector.frozen.map_low,
        "map_high": detector.frozen.map_high,
        "preprocessing": preprocessing.model_dump(mode="json"),
        "outputs": OUTPUTS,
        "version": ganetics.__version__,
    }
    write_json(out / "about.json", about)
    shutil.copy(onnx_script.__file__, out / "score.py")
    return [FILE, TENSORS, "model.onnx", "about.json", "score.py"], None


def keeps_of_images(config: DetectConfig) -> str:
    """Return what a detector keeps of each image that it was fitted on; empty: no such thing, its weights alone."""
    if not isinstance(config.detector, NeighboursSettings):
        return ""
    return "16×16 pixels of" if config.detector.features == "pixels" else "features of"


def differences(model: Path, module: nn.Module, images: Tensor) -> tuple[float, float, int]:
    """Return the largest differences of scores and of maps, and how many labels differ, between ONNX and PyTorch."""
    found = run_graph(model, {"images": images}, OUTPUTS)
    with torch.inference_mode():
        score, label, maps = (part.numpy() for part in module(images))
    return (
        float(np.abs(found[0] - score).max()),
        float(np.abs(found[2] - maps).max()),
        int((found[1] != label).sum()),
    )


def write_onnx(module: Exported, shape: tuple[int, int, int], path: Path) -> None:
    """Write the graph of a module for images ``(c, h, w)``, once it is found equal on random ones.

    Raises:
        MissingDependencyError: ONNX is not installed.
        RuntimeError: it is not equal.
    """
    random = torch_generator(0, "export")
    images = torch.randint(0, 256, (CHECKED, *shape), dtype=torch.uint8, generator=random)

    def check(graph: Path) -> None:
        for part in (images, images[:1]):
            score, maps, _ = differences(graph, module, part)
            if score > SAME or maps > SAME:
                raise RuntimeError(f"the ONNX graph gives other results: scores differ by {score:.3g}, maps {maps:.3g}")

    write_graph(module, {"images": images}, path, outputs=OUTPUTS, check=check)
