"""All detectors, and their way to the disk and back: safetensors and JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from ganetics._check import InputError, error_line
from ganetics._files import write_atomically
from ganetics.anomaly.autoencoder import AutoEncoder
from ganetics.anomaly.detector import Detector, Frozen, Results
from ganetics.anomaly.fanogan import FAnoGAN
from ganetics.anomaly.feature_gan import FeatureGAN
from ganetics.anomaly.ganomaly import GANomaly
from ganetics.anomaly.neighbours import Neighbours
from ganetics.anomaly.padim import Padim
from ganetics.anomaly.settings import Preprocessing, Settings
from ganetics.records import Record, read_record, write_json

__all__ = [
    "AutoEncoder",
    "Detector",
    "FAnoGAN",
    "FeatureGAN",
    "GANomaly",
    "Neighbours",
    "Padim",
    "Results",
    "build",
    "load",
    "save",
]

FILE, TENSORS = "detector.json", "detector.safetensors"
MAKE: Mapping[str, Callable[..., Detector[Any]]] = {
    "neighbours": Neighbours,
    "padim": Padim,
    "autoencoder": AutoEncoder,
    "fanogan": FAnoGAN,
    "feature-gan": FeatureGAN,
    "ganomaly": GANomaly,
}
"""Kind of the settings → detector."""


class Saved(Record):
    """A fitted detector but for its tensors."""

    schema_version: Literal[2] = 2
    settings: Settings
    seed: int
    frozen: Frozen
    preprocessing: Preprocessing


def build(settings: Settings, *, seed: int = 0) -> Detector[Any]:
    """Return a detector that is not fitted yet.

    Raises:
        InputError: its loss is not known, or what it needs is not installed.
    """
    return MAKE[settings.kind](settings, seed=seed)


def save(folder: Path, detector: Detector[Any], preprocessing: Preprocessing) -> None:
    """Write a fitted detector and how images are brought to it.

    Raises:
        InputError: it was not fitted.
        OSError: the disk is full or the folder not writable.
    """
    saved = Saved(settings=detector.settings, seed=detector.seed, frozen=detector.frozen, preprocessing=preprocessing)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu().contiguous() for name, value in detector.tensors().items()}
    write_atomically(folder / TENSORS, save_tensors(tensors))
    # last: it says that the rest is there
    write_json(folder / FILE, saved)


def load(folder: Path) -> tuple[Detector[Any], Preprocessing]:
    """Return a saved detector, and how images are brought to it.

    Raises:
        InputError: there is none, a file is damaged, or it is of a version that this release does not know.
    """
    where = folder / FILE
    saved = read_record(Saved, where)
    detector = build(saved.settings, seed=saved.seed)
    try:
        detector.restore(load_tensors((folder / TENSORS).read_bytes()), saved.frozen)
    except FileNotFoundError:
        raise InputError(f"detector: no file at {folder / TENSORS}") from None
    except (SafetensorError, RuntimeError, KeyError) as error:
        raise InputError(f"detector: {folder / TENSORS} does not fit: {error_line(error, 200)}") from None
    return detector, saved.preprocessing
