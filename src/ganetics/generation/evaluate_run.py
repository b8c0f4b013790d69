"""Sample a trained run and compare it with images that were held out from it, split as the run was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ganetics import _check
from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics._random import torch_generator
from ganetics.data import ImageSet, is_named, load, to_8_bits
from ganetics.data.imageset import hash_of, image_set
from ganetics.execution.log import RunFolder
from ganetics.execution.looks import note_look
from ganetics.features import Extractor, Progress
from ganetics.generation.evaluate import Compared, compared
from ganetics.generation.results import (
    EVALUATION,
    KEPT,
    REAL,
    SHEET,
    Evaluation,
    FitConfig,
    Utility,
    evaluations_of,
    stored_configuration,
)
from ganetics.generation.sample import best_state
from ganetics.generation.sheet import closest_pairs
from ganetics.generation.utility import utility_of
from ganetics.records import to_json
from ganetics.training import TrainingState, sample
from ganetics.training.sampling import grid_png

MOST = 5000
"""Generated images."""
SHOWN = 64
"""Real images in a picture."""
COPIES = 1000
"""Generated images that are looked at for copies, at least: of 45 without one, 8 in 100 might still be copies."""
Split = Literal["validation", "test"]


@dataclass(frozen=True)
class Held:
    """The images of a run: those that its generator was trained on, and those of the split to compare with."""

    train: ImageSet
    real: ImageSet


def evaluate_run(
    run: Path,
    extractor: Extractor,
    *,
    split: Split = "validation",
    count: int | None = None,
    utility: bool = False,
    data_dir: Path | None = None,
    seed: int = 0,
    device: str = "cpu",
    on_progress: Progress | None = None,
) -> Evaluation:
    """Compare images of a run's best state with held-out real ones; write ``evaluation.json`` and two pictures.

    The figures of each split and extractor are also kept in ``evaluated/``. For ``split`` "test", ``looks.json`` says
    when and how often test images were looked at: whoever looks more than once, and changes something in between, has
    chosen by them.

    Args:
        run: folder of a training run.
        extractor: makes the features.
        split: which images of the run's own data set were held out.
        count: generated images, 2 to 5,000; None: as many as held-out ones, at most 5,000. Copies are looked for among
            1,000 at least.
        utility: also say what generated images are worth to a classifier; of a run that knows classes. What an earlier
            evaluation of the same state has said stays, where it is not asked for again.
        data_dir: where the files of a named data set lie, or where a folder or file of images lies now.
        seed: of the generated images; other ones give other images.
        device: where images are generated.
        on_progress: called with (images done, images in all) while features are made.

    Raises:
        InputError: no training run, one that diverged, or one that is at work; images that are not those that it was
            trained on; ``utility`` of a run without classes; a count out of range.
        OSError: the disk is full or the folder not writable.
    """
    config = stored_configuration(run)
    if count is not None:
        _check.number("count", count, low=2, high=MOST)
    if utility and not config.classes:
        raise InputError(f"utility: {run}: needs a run that was trained with --conditional, this one knows no classes")
    with RunFolder(run):
        state = best_state(run, device=device)
        held = images_of(config, split, data_dir=data_dir)
        likeness = count or min(len(held.real), MOST)
        fake = generated(state, held.train, max(likeness, COPIES), seed=seed)
        look = {}
        if split == "test":
            seen = {"images": len(held.real), "sha256": held.real.identity.sha256, "step": state.step}
            first, looks = note_look(run / "looks.json", "test images", **seen)
            look = {"first_look": first, "looks": looks}
        found = compared(
            held.real,
            fake,
            extractor=extractor,
            train=held.train,
            likeness=likeness,
            seed=seed,
            on_progress=on_progress,
        )
        told = {"split": split, "step": state.step, "config": config.digest(), **look}
        evaluation = found.evaluation.model_copy(update=told)
        worth = _known_utility(run, evaluation)
        if utility:
            worth = utility_of(state, config.classes, held.train, held.real, extractor, seed=seed)
        evaluation = evaluation.model_copy(update={"utility": worth})
        _write(run, evaluation, found, fake.images, held)
    return evaluation


def images_of(config: FitConfig, split: Split, *, data_dir: Path | None = None) -> Held:
    """Read the images of a run as it has read them.

    Raises:
        InputError: they are not there, or others than those that it was trained on.
    """
    named = is_named(config.dataset)
    place = config.dataset if named or data_dir is None else str(data_dir)
    recipe = config.recipe
    train, real = (
        load(
            place,
            split=one,
            data_dir=data_dir if named else None,
            image_size=recipe.image_size,
            channels=recipe.channels,
            groups=config.groups,
        )
        for one in ("train", split)
    )
    if train.identity.sha256 != config.data.sha256:
        raise InputError(
            f"{place}: must hold the images that the run was trained on (sha256 {config.data.sha256[:16]}), "
            f"got others ({train.identity.sha256[:16]})"
        )
    return Held(_first(train, recipe.train_size), real)


def generated(state: TrainingState, train: ImageSet, count: int, *, seed: int) -> ImageSet:
    """Return images of the state's generator; their classes, if it knows any, are as frequent as in training."""
    labels = None
    if state.recipe.classes and train.labels is not None:
        drawn = torch.randint(len(train.labels), (count,), generator=torch_generator(seed, "sample labels"))
        labels = train.labels[drawn]
    images = sample(state, count, generator=torch_generator(seed, "sample"), labels=labels)
    return replace(image_set("generated", "all", images.numpy(), None), labels=labels)


def _known_utility(run: Path, evaluation: Evaluation) -> Utility | None:
    """Return what an earlier evaluation has found on the same images, in the same state, by the same extractor."""
    same = ("split", "step", "config", "extractor", "n_real", "seed")
    known = (one for one in evaluations_of(run) if all(getattr(one, x) == getattr(evaluation, x) for x in same))
    return next((one.utility for one in known if one.utility is not None), None)


def _first(train: ImageSet, size: int | None) -> ImageSet:
    """Return the images that a recipe's ``train_size`` leaves of the training images."""
    if size is None or size >= len(train):
        return train
    images: Tensor = train.images[:size]
    identity = train.identity.model_copy(update={"count": size, "sha256": hash_of(images.numpy())})
    labels = None if train.labels is None else train.labels[:size]
    return replace(train, images=images, labels=labels, groups=train.groups[:size], identity=identity)


def _write(run: Path, evaluation: Evaluation, found: Compared, fake: Tensor, held: Held) -> None:
    text = (to_json(evaluation, indent=2) + "\n").encode()
    (run / KEPT).mkdir(exist_ok=True)
    write_atomically(run / KEPT / f"{evaluation.split}-{evaluation.extractor.name}.json", text)
    write_atomically(run / EVALUATION, text)
    first = evaluations_of(run)[0]
    if (first.split, first.extractor) != (evaluation.split, evaluation.extractor):
        return  # pictures are of the evaluation that page and card begin with
    write_atomically(run / REAL, grid_png(to_8_bits(held.real.images[:SHOWN])))
    if found.fake is not None and found.control is not None:
        train, real = held.train.images, held.real.images
        write_atomically(run / SHEET, closest_pairs(fake, train, found.fake, real=real, control=found.control))
