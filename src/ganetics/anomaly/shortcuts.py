"""What a detector has to beat, and what gives a test set away: trivial scores, and frozen features."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

import ganetics
from ganetics._files import write_atomically
from ganetics.anomaly.detectors import build
from ganetics.anomaly.images import Images, masked, normalised
from ganetics.anomaly.results import Baseline, Shortcut, Variant
from ganetics.anomaly.settings import FROZEN, NAMED, TRIVIAL, Settings
from ganetics.anomaly.spaces import brightness, contrast
from ganetics.data.cache import cache_folder, private
from ganetics.data.imageset import hash_of
from ganetics.execution.process import environment
from ganetics.features import load_extractor
from ganetics.metrics.detection import Resamples, auroc, paired_difference
from ganetics.metrics.significance import holm
from ganetics.records import to_json

Array = npt.NDArray[np.float64]
VARIANTS: Mapping[Variant, Callable[[Tensor], Tensor]] = {
    "as it is": lambda images: images,
    "colour normalised": normalised,
    "border masked": masked,
    "both": lambda images: masked(normalised(images)),
}
NEAREST = 5
FORMAT = 1
"""Of scores that are kept, and of how detectors on frozen features make them; a change makes old ones unused."""
NUMBERS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "brightness": lambda images: brightness(images)[:, 0],
    "contrast": lambda images: contrast(images).mean(dim=1),
}
"""Trivial scores that are of one number, which may tell the classes apart in either direction."""


def baseline_scores(
    fit: Images, held_out: Images, test: Images, *, skip: str = "", copies: str = "none"
) -> dict[str, Array]:
    """Return the scores of the trivial detectors, of file sizes and of the neighbours in frozen features.

    What is no trivial one's is kept in ``cache_folder()/baselines``, as runs that are compared are tested on the same
    images; what is damaged there is made again.

    Args:
        fit: what the detector was fitted on.
        held_out: what it was chosen with.
        test: what is tested on.
        skip: the detector itself, if it is one of them.
        copies: what the detector has learnt from beside the images: what is not trivial learns from these, too.
    """
    beside = {name: NAMED[name].model_copy(update={"copies": copies if name in FROZEN else "none"})
              for name in (*TRIVIAL, *FROZEN) if name != skip}  # fmt: skip
    sets = [part.images for part in (fit, held_out, test)]
    found = {
        name: kept_scores(settings, *sets) if name in FROZEN else _scores(settings, *sets)
        for name, settings in beside.items()
    }
    return {**found, "file size": file_size_scores(fit.files, test.files)}


def _scores(settings: Settings, fit: Tensor, held_out: Tensor, test: Tensor) -> Array:
    return build(settings).fit_parts(fit, held_out).score_samples(test)


def kept_scores(settings: Settings, fit: Tensor, held_out: Tensor, test: Tensor) -> Array:
    """Return the scores ``[n]`` of a detector, from the cache if they were made before."""
    key = {
        "format": FORMAT,
        "versions": {"ganetics": ganetics.__version__, **environment()},
        "settings": settings.model_dump(mode="json"),
        "extractor": load_extractor("efficientnet-lite0").identity.model_dump(mode="json"),
        "images": [hash_of(part.numpy()) for part in (fit, held_out, test)],
    }
    file = cache_folder() / "baselines" / f"{hashlib.sha256(to_json(key).encode()).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(file.read_text(encoding="utf-8"))
        scores = np.array(found["scores"], dtype=np.float64)
        if len(scores) == len(test) and _digest(scores) == found["sha256"]:
            return scores
    scores = _scores(settings, fit, held_out, test)
    with suppress(OSError):  # without a cache it only takes longer
        private(file.parent)
        kept = {"scores": scores.tolist(), "sha256": _digest(scores)}
        write_atomically(file, to_json(kept).encode())
    return scores


def _digest(scores: Array) -> str:
    return hashlib.sha256(scores.astype(np.float64).tobytes()).hexdigest()


def file_size_scores(fit: Sequence[Path], test: Sequence[Path]) -> Array:
    """Return the mean distance of the logarithm of each file's size to the five nearest of those fitted on."""
    normal, others = _log_sizes(fit), _log_sizes(test)
    distances = np.sort(np.abs(others[:, None] - normal[None]), axis=1)
    return np.asarray(distances[:, :NEAREST].mean(axis=1))


def baselines(
    labels: Sequence[int], scores: Array, others: Mapping[str, Array], *, resamples: Resamples
) -> tuple[Baseline, ...]:
    """Return how much higher the AUROC of the scores is than each other's, corrected for their number (Holm)."""
    differences = {
        name: paired_difference(labels, scores, other, resamples=resamples) for name, other in others.items()
    }
    corrected = holm([difference.p for difference in differences.values()])
    return tuple(
        Baseline(name=name, auroc=auroc(labels, others[name], resamples=resamples), difference=difference, p_holm=p)
        for (name, difference), p in zip(differences.items(), corrected, strict=True)
    )


def shortcuts(
    fit: Images, held_out: Images, test: Images, labels: Sequence[int], *, resamples: Resamples
) -> tuple[Shortcut, ...]:
    """Return what the trivial scores reach, with and without normalising colours and masking the border.

    What falls when colours are normalised lay in the colours; what falls when the border is masked lay there.
    """
    found = []
    for variant, change in VARIANTS.items():
        sets = [change(part.images) for part in (fit, held_out, test)]
        for name in TRIVIAL:
            scores = _scores(NAMED[name], *sets)
            value = NUMBERS[name](sets[2]).numpy() if name in NUMBERS else None
            found.append(_shortcut(name, variant, labels, scores, value, resamples))
    scores, value = file_size_scores(fit.files, test.files), _log_sizes(test.files)
    return (*found, _shortcut("file size", "as it is", labels, scores, value, resamples))


def _shortcut(
    name: str, variant: Variant, labels: Sequence[int], scores: Array, value: Array | None, resamples: Resamples
) -> Shortcut:
    area = None if value is None else auroc(labels, value).value
    return Shortcut(
        name=name,
        variant=variant,
        auroc=auroc(labels, scores, resamples=resamples),
        separates=None if area is None else max(area, 1 - area),
    )


def _log_sizes(files: Sequence[Path]) -> Array:
    return np.log([max(1, file.stat().st_size) for file in files])
