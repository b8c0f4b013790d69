"""Score images with an exported detector. Needs numpy and onnxruntime; to read image files, Pillow as well.

    python score.py scores.csv images.npy          uint8 [n, c, h, w] of the detector's size
    python score.py scores.csv eye.png folder/     image files, cut and resized as the detector needs them

Writes path, pred_score (higher is more abnormal, 0 for the mean of normal images, in their standard deviations) and
pred_label (1 above the threshold). For research: not a medical device.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 64
ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def read(file: Path, side: int, channels: int) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Return one image [1, c, side, side]: the middle square, resized (Lanczos)."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        sys.exit("image files need Pillow: pip install pillow; .npy files need nothing more")
    with Image.open(file) as opened:
        gray = opened.mode in ("1", "L", "LA", "La", "I") or opened.mode.startswith("I;16")
        if opened.mode.startswith("I"):
            sys.exit(f"{file}: has more than 8 bits: make uint8 of it (65535 becomes 255) and give a .npy file")
        upright = ImageOps.exif_transpose(opened)
        if upright.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in upright.info:
            white = Image.new("RGBA", upright.size, "white")
            white.alpha_composite(upright.convert("RGBA"))
            upright = white.convert("RGB")
        image = ImageOps.fit(upright.convert("L" if gray else "RGB"), (side, side), Image.Resampling.LANCZOS)
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return (pixels[None] if channels == 1 else pixels.transpose(2, 0, 1))[None]


def batches(places: "list[str]", side: int, channels: int) -> "Iterator[tuple[list[str], np.ndarray[Any, Any]]]":
    """Yield names and images [n, c, side, side], at most 64 at a time."""
    files: list[Path] = []
    for place in map(Path, places):
        if place.suffix == ".npy":
            images = np.load(place, allow_pickle=False)
            for start in range(0, len(images), BATCH):
                part = images[start : start + BATCH]
                yield [f"{place.name}[{start + i}]" for i in range(len(part))], part
        elif place.is_dir():
            files += sorted(file for file in place.rglob("*") if file.suffix.lower() in ENDINGS)
        else:
            files.append(place)
    for start in range(0, len(files), BATCH):
        chosen = files[start : start + BATCH]
        yield [str(file) for file in chosen], np.concatenate([read(file, side, channels) for file in chosen])


def main(arguments: "list[str]") -> None:
    """Score what is named after the file to write."""
    if len(arguments) < 2:
        sys.exit(__doc__)
    import onnxruntime  # type: ignore[import-not-found, import-untyped, unused-ignore]

    here = Path(__file__).parent
    about = json.loads((here / "about.json").read_text(encoding="utf-8"))
    shape = about["shape"]
    session = onnxruntime.InferenceSession(here / "model.onnx", providers=["CPUExecutionProvider"])
    with Path(arguments[0]).open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(("path", "pred_score", "pred_label"))
        for names, images in batches(arguments[1:], shape[1], shape[0]):
            if images.dtype != np.uint8 or list(images.shape[1:]) != shape:
                sys.exit(f"{names[0]}: images must be uint8 [n, {', '.join(map(str, shape))}], got {images.shape}")
            scores, labels = session.run(["pred_score", "pred_label"], {"images": images})
            rows.writerows(
                (name, f"{score:.9g}", label) for name, score, label in zip(names, scores, labels, strict=True)
            )


if __name__ == "__main__":
    main(sys.argv[1:])
