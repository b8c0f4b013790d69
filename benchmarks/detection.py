"""How fast a detector scores: through PyTorch and through ONNX Runtime, and from files with flat memory.

    python benchmarks/detection.py [--detector fanogan] [--image-size 64] [--n 256] [--repeats 5] [--out FILE]

Both turn and turn about in one process with one thread, on the same random images, and their largest difference. Then
the same from PNG files, decoding included: images a second, and the memory that ten times as many files take more.
Weights are as drawn: speed does not depend on them. Goal: 200 images a second for f-AnoGAN at 64 pixels.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ganetics.anomaly.detectors import build
from ganetics.anomaly.export import Exported, differences, write_onnx
from ganetics.anomaly.networks import NetworkDetector
from ganetics.anomaly.score import Scoring, score_files
from ganetics.anomaly.settings import Preprocessing, named
from ganetics.execution.process import environment, prepare
from ganetics.models.graph import runtime

ONE_STEP = {"steps": 1, "encoder_steps": 1}


def detector_of(name: str, side: int) -> NetworkDetector[Any]:
    settings = named(name)
    few = {field: value for field, value in ONE_STEP.items() if field in type(settings).model_fields}
    detector = build(settings.model_copy(update=few))
    if not isinstance(detector, NetworkDetector):
        raise SystemExit(f"{name} is not one network")
    images = torch.randint(0, 256, (24, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return detector.fit_parts(images[:16], images[16:])


def seconds_of(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", default="fanogan")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--n", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    prepare()
    side = given.image_size
    detector, preprocessing = detector_of(given.detector, side), Preprocessing(image_size=side)
    module = Exported(detector, preprocessing).eval()
    random = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (given.n, 3, side, side), dtype=torch.uint8, generator=random)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_onnx(module, detector.frozen.shape, folder / "model.onnx")
        onnxruntime = runtime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
        parts = [part.numpy() for part in torch.split(images, 64)]
        ways = {
            "torch": lambda: detector.results(images),
            "onnx": lambda: [session.run(None, {"images": part}) for part in parts],
        }
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(given.repeats):
            for way, work in ways.items():
                times[way].append(seconds_of(work))
        rates = {way: given.n / statistics.median(values) for way, values in times.items()}
        score, maps, _ = differences(folder / "model.onnx", module, images[:64])
        (folder / "images").mkdir()
        for place, image in enumerate(images):
            pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
            Image.fromarray(pixels).save(folder / "images" / f"{place:05d}.png")
        scoring = Scoring(detector, preprocessing)
        once = seconds_of(lambda: score_files(scoring, [folder / "images"], folder / "once.csv"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        score_files(scoring, [folder / "images"] * 10, folder / "often.csv")
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    found = {
        "command": f"python benchmarks/detection.py --detector {given.detector} --image-size {side} --n {given.n}",
        "detector": given.detector,
        "image_size": side,
        "images": given.n,
        "images_per_second": {way: round(rate, 1) for way, rate in rates.items()},
        "onnx_over_torch": round(rates["onnx"] / rates["torch"], 2),
        "largest_difference": {"score": score, "map": maps},
        "from_files_per_second": round(given.n / once, 1),
        "mib_more_for_ten_times_the_files": round(more, 1),
        "environment": environment(),
    }
    text = json.dumps(found, indent=2)
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
