"""What might tell glaucoma better than f-AnoGAN on 64 pixels? Tried on patients who are never tested on.

    python benchmarks/fundus_attempts.py --data-dir DIR [--seeds 1] [--out results/detection-attempts]

Learnt from the normal patients that the study (``medical_detection.py``) fits on; figures are of its held-out normals
and of the patients with glaucoma that it sets aside to choose with. Three views: the whole image at 64 and at 128
pixels, and the optic disc, where glaucoma shows and which is nine pixels wide at 64. The disc is found without any
label, as the brightest smooth spot against its surroundings about where a disc lies (right eyes mirrored, by the names
of their files); 48 of 128 pixels around it are enlarged to 64. In each view detectors that need no training, and GANs
on frozen features, their scores summed over seeds; on the disc f-AnoGAN as well. Nothing here is a figure of the test
set.
"""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from detection_attempts import Split, attempts, detector_scores
from detection_study import Study
from PIL import Image
from scipy.ndimage import binary_erosion, gaussian_filter

from ganetics._files import in_place_of
from ganetics._random import numpy_generator
from ganetics.anomaly.fit import prepare_run
from ganetics.anomaly.images import list_of, read_images
from ganetics.anomaly.settings import NAMED, FAnoGANSettings, Preprocessing
from ganetics.execution.process import prepare
from ganetics.metrics.detection import Resamples, auroc
from ganetics.records import Penalty, write_json

Pixels = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]
AROUND, SIDE = 24, 64
"""Pixels to each side of the disc, and of the enlarged crop."""
SPOT, SURROUNDINGS, RIM, DARK = 4.0, 16.0, 3, 10.0
"""Deviations of the Gaussians, pixels; how far inside of the field; what a channel outside is below, in the mean."""
PLACE, SPREAD, ANYWHERE = (64.0, 28.0), (22.0, 16.0), 0.15
"""Row and column where the disc of a left eye mostly lies and their deviations, pixels; how little that may count."""
FANOGAN = FAnoGANSettings(
    loss="ganetic", penalties=(Penalty(kind="r1", weight=0.05),), steps=2000, learning_rate=1.8e-3
)
"""At the rate that the study has chosen for it on whole images."""


def disc(image: Pixels) -> tuple[int, int]:
    """Return row and column of the optic disc in a left eye ``[h, w, 3]``."""
    x = image.astype(np.float64)
    luminance = 0.4 * x[..., 0] + 0.6 * x[..., 1]
    lit = gaussian_filter((x.sum(axis=2) > 3 * DARK).astype(np.float64), 1) > 0.5
    field = binary_erosion(lit, iterations=RIM).astype(np.float64)

    def smooth(deviation: float) -> Array:
        within: Array = gaussian_filter(luminance * field, deviation)
        share: Array = np.maximum(gaussian_filter(field, deviation), 1e-3)
        return within / share

    around = smooth(SURROUNDINGS)
    rows, columns = np.indices(luminance.shape)
    away = ((rows - PLACE[0]) / SPREAD[0]) ** 2 + ((columns - PLACE[1]) / SPREAD[1]) ** 2
    likely = (smooth(SPOT) - around) / (around + DARK) * (ANYWHERE + np.exp(-away / 2)) * field
    row, column = np.unravel_index(likely.argmax(), likely.shape)
    return int(row), int(column)


def cropped(file: Path) -> Image.Image:
    """Return what is around the disc, enlarged; a right eye mirrored."""
    with Image.open(file) as opened:
        image = np.asarray(opened.convert("RGB"))
    if "right" in file.stem:
        image = image[:, ::-1]
    row, column = disc(image)
    padded = np.pad(image, ((AROUND, AROUND), (AROUND, AROUND), (0, 0)))
    crop = padded[row : row + 2 * AROUND, column : column + 2 * AROUND]
    return Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def crop_all(source: Path, target: Path) -> None:
    """Write the crops of a folder's images, under the same names but for the ending."""
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.glob("*.jpg")):
        with in_place_of(target / f"{file.stem}.png") as written:
            cropped(file).save(written, "PNG")


def view(study: Study, size: int) -> Split:
    """Return a study's images at a size: those fitted on, held out, and of the patients set aside."""
    one, preprocessing = study.domain, Preprocessing(image_size=size)
    normal = str(study.data / one.folder / "normal")
    prepared = prepare_run(
        normal, NAMED["pixels"], groups=one.groups, abnormal=str(study.abnormal), preprocessing=preprocessing
    )
    parts = prepared.config.parts
    held_out = prepared.part(parts.held_out)
    abnormal = read_images(list_of(str(study.kinds["calibration"]), one.groups, "calibration"), preprocessing)
    return Split(prepared.part(parts.fit).images, held_out.images, abnormal.images, held_out.groups + abnormal.groups)


def main() -> None:
    """Try them all, and write down what each comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--seeds", type=int, default=1, help="of each GAN, whose scores are summed")
    parser.add_argument("--out", type=Path, default=Path("results/detection-attempts"))
    parser.add_argument("--work", type=Path, default=Path("build/fundus-attempts"))
    given = parser.parse_args()
    prepare()
    given.out.mkdir(parents=True, exist_ok=True)
    work = given.work.resolve()
    whole, crops = (Study("fundus", data.resolve(), given.out, work / name, (), looks=False)
                    for name, data in (("whole", given.data_dir), ("disc", work / "crops")))  # fmt: skip
    for kind in ("normal", whole.domain.abnormal):
        crop_all(whole.data / whole.domain.folder / kind, crops.data / crops.domain.folder / kind)
    views: dict[str, tuple[Study, int]] = {"whole, 64": (whole, 64), "whole, 128": (whole, 128), "disc": (crops, SIDE)}
    found = []
    for name, (study, size) in views.items():
        study.link_patients()
        seen = view(study, size)
        resamples = Resamples(seen.groups, generator=numpy_generator(0, "attempts"))
        tried = attempts(seen, given.seeds)
        if name == "disc":
            on_pixels = detector_scores(FANOGAN, seen, given.seeds)[""]
            tried = chain(tried, [("fanogan, ganetic", on_pixels)])
        for what, scores in tried:
            area = auroc(seen.labels, scores, resamples=resamples)
            found.append({"view": name, "attempt": what, "auroc": area.value, "low": area.low, "high": area.high})
            print(name, what, f"{area.value:.3f} ({area.low:.3f} to {area.high:.3f})", flush=True)
        counts = {"fit": len(seen.fit), "held_out": len(seen.held_out), "abnormal": len(seen.abnormal)}
    write_json(
        given.out / "fundus.json",
        {
            "command": f"python benchmarks/fundus_attempts.py --data-dir DIR --seeds {given.seeds}",
            "images": {**counts, "patients": resamples.groups},
            "fanogan": FANOGAN.model_dump(mode="json"),
            "attempts": sorted(found, key=lambda one: -float(one["auroc"] or 0)),
        },
    )


if __name__ == "__main__":
    main()
