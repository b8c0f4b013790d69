"""Images from a trained run, to the disk."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganetics import _check
from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics._random import torch_generator
from ganetics.generation.results import STATES, stored_configuration
from ganetics.training import TrainingState, checkpoint
from ganetics.training.sampling import fixed_labels, grid_png, sample

AS_FOLDER = re.compile(r"\w[\w .+-]*")
"""A name of a class that is fit to be one of a folder on any system."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Generated images, and of which class each was to be.

    Attributes:
        images: uint8 ``[n, c, h, w]``.
        labels: int64 ``[n]``; None: the generator knows no classes.
        classes: their names.
    """

    images: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()


def sample_run(run: Path, count: int, *, seed: int = 0, of_class: str | None = None, device: str = "cpu") -> Samples:
    """Return ``count`` images of the run's best checkpoint, or its last if none is kept.

    Equal seeds give equal images; other seeds other ones.

    Args:
        run: folder of a training run.
        count: number of images.
        seed: of the latents.
        of_class: name of their class; None: the classes take turns, if the generator knows any.
        device: where they are made.

    Raises:
        InputError: the folder holds no checkpoint, or a damaged one, or one of a generator that diverged; the run has
            no such class.
    """
    state = best_state(run, device=device)
    labels = fixed_labels(state, count) if of_class is None else torch.full((count,), label_of(run, of_class))
    images = sample(state, count, generator=torch_generator(seed, "sample"), labels=labels)
    return Samples(images, labels, () if labels is None else stored_configuration(run).classes)


def best_state(run: Path, *, device: str = "cpu") -> TrainingState:
    """Return the run's best checkpoint, or its last if none is kept: what images are made from.

    Raises:
        InputError: the folder holds no checkpoint, or a damaged one, or one of a generator that diverged.
    """
    folder = next((run / name for name in STATES if checkpoint.exists(run / name)), None)
    if folder is None:
        raise InputError(f"{run}: must be the folder of a training run, it holds no checkpoint")
    state = checkpoint.load(folder, device=device, to_train=False)
    for name, values in state.sampler.state_dict().items():
        if not bool(values.isfinite().all()):
            raise InputError(
                f"{run}: the generator's weights must be finite, those of {name} are not: training diverged"
            )
    return state


def label_of(run: Path, of_class: str) -> int:
    """Return the number of a run's class.

    Raises:
        InputError: the run has no such class.
    """
    classes = stored_configuration(run).classes
    if not classes:
        raise InputError(f"class: the generator of {run} was trained without classes, got {of_class!r}")
    return classes.index(_check.one_of("class", of_class, classes))


def write_images(samples: Samples, out: Path) -> list[Path]:
    """Write each image to ``out`` as a PNG named by its number, with classes to a folder for each; return the paths.

    Raises:
        InputError: ``out`` is a file, or holds PNG files already: a set of images must not be mixed with another.
        OSError: the disk is full or the folder not writable.
    """
    images, count = samples.images, len(samples.images)
    if samples.labels is None:
        folders = [out] * count
    else:
        named = [out / name for name in folder_names(samples.classes)]
        folders = [named[label] for label in samples.labels.tolist()]
    prepare_folder(out, apart=folder_names(samples.classes))
    for folder in dict.fromkeys(folders):
        prepare_folder(folder)
    paths = [folder / f"{index:0{len(str(count - 1))}d}.png" for index, folder in enumerate(folders)]
    for path, image in zip(paths, images, strict=True):
        pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0).contiguous()
        file = io.BytesIO()
        Image.fromarray(pixels.numpy()).save(file, "PNG")
        path.write_bytes(file.getvalue())
    return paths


def write_grid(images: Tensor, out: Path) -> Path:
    """Write one picture of all images to ``out/grid.png``.

    Raises:
        InputError: ``out`` is a file, or holds PNG files already.
    """
    prepare_folder(out)
    path = out / "grid.png"
    write_atomically(path, grid_png(images, columns=max(8, round(len(images) ** 0.5))))
    return path


def folder_names(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the folders of classes are called: as these, if that is possible for all, or by their numbers.

    >>> folder_names(("polyp", "normal"))
    ('polyp', 'normal')
    >>> folder_names(("grade 1/2", "normal"))
    ('class-0', 'class-1')
    """
    differ = len({name.casefold() for name in classes}) == len(classes)
    if differ and all(AS_FOLDER.fullmatch(name) for name in classes):
        return classes
    return tuple(f"class-{number}" for number in range(len(classes)))


def write_npz(samples: Samples, out: Path) -> Path:
    """Write to ``out/samples.npz`` ``images``, uint8 ``[n, h, w, c]``; with classes ``labels``, ``[n]``, and names."""
    out.mkdir(parents=True, exist_ok=True)
    file = io.BytesIO()
    images = samples.images.permute(0, 2, 3, 1).numpy()
    if samples.labels is None:
        np.savez_compressed(file, images=images)
    else:
        np.savez_compressed(file, images=images, labels=samples.labels.numpy(), classes=np.array(samples.classes))
    path = out / "samples.npz"
    write_atomically(path, file.getvalue())
    return path


def prepare_folder(out: Path, *, apart: tuple[str, ...] = ()) -> None:
    """Make a folder that pictures are to be written to, if it is not there.

    Args:
        out: it.
        apart: names of folders in it that may hold some.

    Raises:
        InputError: it is a file, or holds PNG files already, or a folder in it does.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: must be a folder, got a file")
    out.mkdir(parents=True, exist_ok=True)
    if any(file.parent not in {out / name for name in apart} for file in out.rglob("*.png")):
        raise InputError(f"{out}: must hold no PNG files, or old and new images would be mixed; name another folder")
