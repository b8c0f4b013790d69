"""Write images that an exported generator makes. Needs numpy and onnxruntime, and for a picture Pillow.

    python sample.py images.png                       one picture of 64 images
    python sample.py images.npz --count 500 --seed 1
    python sample.py images.npz --class NAME          of a generator that knows classes; without it they take turns

Writes an .npz file with images, uint8 [n, h, w, c], and with classes their labels, int64 [n]. Equal seeds give equal
images; they are other ones than those of `ganetics sample`. For research: not a medical device.
"""

import argparse
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np

BATCH = 64


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="file to write, .npz or .png")
    parser.add_argument("--count", type=int, default=64, help="number of images")
    parser.add_argument("--seed", type=int, default=0, help="other seeds, from 0, give other images")
    parser.add_argument("--class", dest="of_class", help="name of a class")
    given = parser.parse_args()
    here = Path(__file__).parent
    about = json.loads((here / "generator.json").read_text(encoding="utf-8"))
    classes = about["classes"]
    if given.count < 1 or given.seed < 0:
        parser.error(f"--count must be at least 1 and --seed at least 0, got {given.count} and {given.seed}")
    if given.of_class is not None and given.of_class not in classes:
        parser.error(
            f"--class must be one of {', '.join(classes) or 'none: there are no classes'}, got {given.of_class}"
        )
    if given.out.suffix not in (".npz", ".png"):
        parser.error(f"the file must end in .npz or .png, got {given.out}")
    if given.out.suffix == ".png" and find_spec("PIL") is None:
        parser.error("a picture needs Pillow: pip install pillow, or write .npz")

    import onnxruntime  # type: ignore[import-not-found, import-untyped, unused-ignore]

    random = np.random.default_rng(given.seed)
    latents = random.standard_normal((given.count, about["recipe"]["latent_dim"]), dtype=np.float32)
    inputs = {"latents": latents}
    if classes:
        turns = np.arange(given.count) % len(classes)
        inputs["labels"] = turns if given.of_class is None else np.full(given.count, classes.index(given.of_class))
    session = onnxruntime.InferenceSession(here / "generator.onnx", providers=["CPUExecutionProvider"])
    parts = []
    for start in range(0, given.count, BATCH):
        batch = {name: values[start : start + BATCH] for name, values in inputs.items()}
        (images,) = session.run(["images"], batch)
        parts.append(np.clip(np.rint((images + 1.0) * 127.5), 0.0, 255.0).astype(np.uint8))
    made = np.concatenate(parts).transpose(0, 2, 3, 1)
    if given.out.suffix == ".png":
        write_picture(given.out, made)
    elif classes:
        np.savez_compressed(given.out, images=made, labels=inputs["labels"])
    else:
        np.savez_compressed(given.out, images=made)


def write_picture(out: Path, images: np.ndarray) -> None:  # type: ignore[type-arg, unused-ignore]
    """Write one picture of images, uint8 [n, h, w, c], in rows of eight or more."""
    from PIL import Image

    n, height, width, channels = images.shape
    columns = min(n, max(8, round(n**0.5)))
    rows = -(-n // columns)
    sheet = np.full((rows * columns, height, width, channels), 255, dtype=np.uint8)
    sheet[:n] = images
    sheet = sheet.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    sheet = sheet.reshape(rows * height, columns * width, channels)
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(out)


if __name__ == "__main__":
    main()
