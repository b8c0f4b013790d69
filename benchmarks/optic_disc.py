"""Does it help to look at the optic disc alone? Detectors of glaucoma on crops around it, by the calibration images.

    python benchmarks/optic_disc.py --data-dir DIR [--seeds 3] [--out results/detection-attempts]

Glaucoma shows at the optic disc, which in a fundus image of 64 pixels is nine pixels wide. Here it is found without any
label, as the brightest smooth spot against its surroundings about where a disc lies (right eyes mirrored, by the names
of their files), and 48 of 128 pixels around it are enlarged to 64. Fitted on the normal patients that the study
(``medical_detection.py``) fits on; figures are of its held-out normals and of the patients with glaucoma that it sets
aside to choose with. Nothing here is a figure of the test set.
"""

from __future__ import annotations

import argparse
import re
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
from commands import call, carry_out
from detection_study import Study
from PIL import Image
from scipy.ndimage import binary_erosion, gaussian_filter

from ganetics._files import in_place_of
from ganetics.execution.process import prepare
from ganetics.records import write_json

Pixels = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]
AROUND, SIDE = 24, 64
"""Pixels to each side of the disc, and of the enlarged crop."""
SPOT, SURROUNDINGS, RIM, DARK = 4.0, 16.0, 3, 10.0
"""Deviations of the Gaussians, pixels; how far inside of the field; sum of channels that a pixel outside is below."""
PLACE, SPREAD, ANYWHERE = (64.0, 28.0), (22.0, 16.0), 0.15
"""Row and column where the disc of a left eye mostly lies and their deviations, pixels; how little that may count."""
FANOGAN = ("--detector", "fanogan", "--loss", "ganetic", "--penalty", "r1:0.05", "--steps", "2000", "--rate", "6e-4")
COLOUR = ("--normalise-colour",)
NO_TRAINING = ("neighbours", "neighbours-maps", "padim", "pixels")


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
        crop = target / f"{file.stem}.png"
        if not crop.exists():
            with in_place_of(crop) as written:
                cropped(file).save(written, "PNG")


def main() -> None:
    """Crop, fit, and write down what the calibration images say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="of the GAN")
    parser.add_argument("--out", type=Path, default=Path("results/detection-attempts"))
    parser.add_argument("--work", type=Path, default=Path("build/optic-disc"))
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    prepare()
    work = given.work.resolve()
    study = Study("fundus", work / "images", given.out.resolve(), work / "runs", (), looks=False)
    for kind in ("normal", study.domain.abnormal):
        crop_all(given.data_dir / study.domain.folder / kind, study.data / study.domain.folder / kind)
    study.link_patients()
    fits = {f"{name}{called}-seed0": (0, ("--detector", name, *options))
            for name in NO_TRAINING for called, options in (("", ()), ("-colour-normalised", COLOUR))}  # fmt: skip
    fits |= {f"fanogan-colour-normalised-seed{seed}": (seed, (*FANOGAN, *COLOUR)) for seed in range(given.seeds)}
    commands = {label: study.fit(label, options, seed) for label, (seed, options) in fits.items()}
    carry_out({label: partial(call, one) for label, one in commands.items()}, workers=given.workers, title="fits")
    found: dict[str, list[float]] = {}
    counts: dict[str, object] = {}
    for label in fits:
        calibrated = study.calibrated(study.work / label)
        found.setdefault(re.sub(r"-seed\d+$", "", label), []).append(calibrated.pop("auroc") or 0.0)
        counts = {**calibrated}
    ranked = sorted(found, key=lambda name: -fmean(found[name]))
    write_json(
        study.out / "optic-disc.json",
        {
            "command": f"python benchmarks/optic_disc.py --data-dir DIR --seeds {given.seeds}",
            "images": counts,
            "gan": list(FANOGAN),
            "auroc": [{"attempt": name, "mean": fmean(found[name]), "seeds": found[name]} for name in ranked],
        },
    )


if __name__ == "__main__":
    main()
