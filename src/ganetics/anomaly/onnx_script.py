"""Score images with an exported detector. Needs numpy and onnxruntime; to read image files, Pillow as well.

    python score.py scores.csv images.npy          uint8 [n, c, h, w] of the detector's size
    python score.py scores.csv eye.png folder/     image files, cut and resized as the detector needs them

Writes path, pred_score (higher is more abnormal, 0 for the mean of normal images, in their standard deviations),
pred_label (1 above the threshold) and note: what is unusual about an image, or why it could not be read.
For research: not a medical device.
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


def read(file: Path, about: "dict[str, Any]") -> "tuple[np.ndarray[Any, np.dtype[np.uint8]], str]":
    """Return one image [c, side, side], the middle square resized (Lanczos), and what is unusual about it."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        sys.exit("image files need Pillow: pip install pillow; .npy files need nothing more")
    channels, side, _ = about["shape"]
    with Image.open(file) as opened:
        gray = opened.mode in ("1", "L", "LA", "La", "I") or opened.mode.startswith("I;16")
        if opened.mode.startswith("I"):
            raise ValueError("has more than 8 bits: make uint8 of it (65535 becomes 255) and give a .npy file")
        upright = ImageOps.exif_transpose(opened)
        size = f"{upright.width}×{upright.height}"
        if upright.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in upright.info:
            white = Image.new("RGBA", upright.size, "white")
            white.alpha_composite(upright.convert("RGBA"))
            upright = white.convert("RGB")
        image = ImageOps.fit(upright.convert("L" if gray else "RGB"), (side, side), Image.Resampling.LANCZOS)
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return (pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)), unusual(size, gray, about["preprocessing"])


def unusual(size: str, gray: bool, fitted: "dict[str, Any]") -> str:
    """Return in what an image differs from those that the detector was fitted on; empty if in nothing."""
    found = []
    if fitted["gray"] is not None and fitted["gray"] != gray:
        words = {True: "gray", False: "in colour"}
        found.append(f"is {words[gray]}, fitted on images {words[fitted['gray']]}")
    if fitted["sizes"] and size not in fitted["sizes"]:
        found.append(f"is {size}, fitted on {', '.join(fitted['sizes'])}")
    return "; ".join(found)


def files_in(place: Path) -> "list[Path]":
    """Return an image file, or those in a folder."""
    if not place.exists():
        sys.exit(f"{place}: must be an image or a folder of images, got nothing there")
    found = [place]
    if place.is_dir():
        files = sorted(file for file in place.rglob("*") if file.suffix.lower() in ENDINGS)
        found = [file for file in files if not any(part.startswith(".") for part in file.relative_to(place).parts)]
    if not found:
        sys.exit(f"{place}: must hold at least 1 image ({', '.join(ENDINGS)}), got none")
    return found


def arrays(place: Path, shape: "list[int]") -> "np.ndarray[Any, Any]":
    """Return the images [n, c, side, side] of a .npy file."""
    try:
        images: np.ndarray[Any, Any] = np.load(place, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        sys.exit(f"{place}: must be an array of images, got {' '.join(str(error).split())}")
    if images.dtype != np.uint8 or list(images.shape[1:]) != shape:
        wanted = ", ".join(map(str, shape))
        sys.exit(f"{place}: images must be uint8 [n, {wanted}], got {images.dtype} {list(images.shape)}")
    return images


def batches(places: "list[Path]", about: "dict[str, Any]") -> "Iterator[list[tuple[str, Any, str]]]":
    """Yield name, image or None, and note, at most 64 at a time."""
    for place in places:
        if place.suffix == ".npy":
            images = arrays(place, about["shape"])
            for start in range(0, len(images), BATCH):
                part = images[start : start + BATCH]
                yield [(f"{place.name}[{start + i}]", image, "") for i, image in enumerate(part)]
            continue
        files = files_in(place)
        for start in range(0, len(files), BATCH):
            rows: list[tuple[str, Any, str]] = []
            for file in files[start : start + BATCH]:
                try:
                    rows.append((str(file), *read(file, about)))
                except Exception as error:  # noqa: BLE001 - readers of damaged files raise anything
                    rows.append((str(file), None, f"cannot be read: {' '.join(str(error).split())}"))
            yield rows


def main(arguments: "list[str]") -> None:
    """Score what is named after the file to write."""
    if len(arguments) < 2:
        sys.exit(__doc__)
    import onnxruntime  # type: ignore[import-not-found, import-untyped, unused-ignore]

    here, out = Path(__file__).parent, Path(arguments[0])
    if out.exists():
        sys.exit(f"{out}: is there already, name another file")
    about = json.loads((here / "about.json").read_text(encoding="utf-8"))
    places = [Path(place) for place in arguments[1:]]
    for place in places:  # before anything is written
        if place.suffix == ".npy":
            arrays(place, about["shape"])
        else:
            files_in(place)
    session = onnxruntime.InferenceSession(here / "model.onnx", providers=["CPUExecutionProvider"])
    scored = unreadable = 0
    with out.open("w", encoding="utf-8", newline="") as stream:
        written = csv.writer(stream, lineterminator="\n")
        written.writerow(("path", "pred_score", "pred_label", "note"))
        for rows in batches(places, about):
            images = [image for _, image, _ in rows if image is not None]
            scores, labels = [], []
            if images:
                scores, labels = session.run(["pred_score", "pred_label"], {"images": np.stack(images)})
            scored += len(images)
            found = iter(zip(scores, labels, strict=True))
            for name, image, note in rows:
                score, label = next(found) if image is not None else (None, "")
                written.writerow((name, "" if score is None else f"{score:.9g}", label, note))
                unreadable += image is None
    if unreadable:
        sys.stderr.write(f"{out}: {unreadable} images could not be read, as the column note says\n")
    if not scored:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
