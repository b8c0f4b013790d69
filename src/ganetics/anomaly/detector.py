"""What every detector is: fitted on normal images alone, frozen, and the same whatever is scored with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from ganetics import _check
from ganetics._check import InputError
from ganetics.anomaly.protocol import places_of, split_groups, threshold_at
from ganetics.anomaly.settings import FittedSettings, Share
from ganetics.records import Record
from ganetics.training.loop import Diverged

Array = npt.NDArray[np.float64]
Maps = npt.NDArray[np.float32]
BATCH = 64
"""Images that are looked at in one go."""
MAP_QUANTILES = 0.9, 0.999
"""Of the pixels of the held-out normals' maps: up to where a heat map is clear, what its strongest colour stands for.
Distances in features are nowhere near 0 in normal images, so a scale from 0 would veil all of them."""


@dataclass(frozen=True)
class Seen:
    """What a detector sees in a batch.

    Attributes:
        components: name of a part of the score → ``[n]``, higher is more abnormal.
        maps: ``[n, h, w]``; None where the detector does not say where.
    """

    components: Mapping[str, Tensor]
    maps: Tensor | None = None


@dataclass(frozen=True)
class Results:
    """What is said of images.

    Attributes:
        pred_score: ``[n]``, higher is more abnormal.
        pred_label: ``[n]``, 1 where the score is above the frozen threshold.
        anomaly_map: ``[n, h, w]``, or None where maps were not asked for.
        components: the parts of the score, ``[n]`` each, not standardised.
    """

    pred_score: Array
    pred_label: npt.NDArray[np.int64]
    anomaly_map: Maps | None
    components: Mapping[str, Array]


class Frozen(Record):
    """What was fixed on held-out normals, before anything was tested."""

    shape: tuple[int, int, int]
    """Channels, height and width of the images."""
    means: dict[str, float]
    """Component → mean over the held-out normals."""
    deviations: dict[str, float]
    deviation: float = 1.0
    """Of the sum of the standardised components, by which it is divided."""
    threshold: float
    """Of the score; what is above it is abnormal."""
    specificity: Share
    threshold_from: str
    """How it was chosen."""
    map_low: float = Field(default=0.0, ge=0)
    """Up to where a heat map is clear."""
    map_high: float = Field(ge=0)
    """What the strongest colour of a heat map stands for."""
    held_out: int
    """Images."""


@dataclass(frozen=True)
class Place:
    """Where a fit keeps what it can go on from, and whom it tells.

    Attributes:
        folder: of unfinished work; None: none is kept.
        on_progress: called with steps done, steps in all, and a note.
    """

    folder: Path | None = None
    on_progress: Callable[[int, int, str], None] | None = None
    done_before: int = 0
    """Steps of an earlier stage, which count as done."""

    def inside(self, name: str) -> Path | None:
        """Return a folder in the folder."""
        return None if self.folder is None else self.folder / name

    def after(self, steps: int) -> Place:
        """Return the place of a stage that so many steps come before."""
        return replace(self, done_before=self.done_before + steps)

    def tell(self, done: int, total: int, note: str = "") -> None:
        """Tell how far it is; both without what was done before."""
        if self.on_progress is not None:
            self.on_progress(self.done_before + done, self.done_before + total, note)


S = TypeVar("S", bound=FittedSettings)


class Detector(ABC, Generic[S]):
    """Scores how abnormal images are. **Higher is more abnormal**, as in PyOD; scikit-learn has it the other way.

    A score is in standard deviations of the held-out normals, 0 for their mean. It depends on the image alone: not on
    its batch, its place in it, or what else is scored.

    Args:
        settings: of the detector.
        seed: of everything random in it.
    """

    localises: ClassVar[bool] = False
    """Whether its maps say where; else a map is the score everywhere."""

    def __init__(self, settings: S, *, seed: int = 0) -> None:
        self.settings = settings
        self.seed = seed
        self._frozen: Frozen | None = None

    @property
    def frozen(self) -> Frozen:
        """What was fixed when it was fitted.

        Raises:
            InputError: it was not fitted.
        """
        if self._frozen is None:
            raise InputError(f"{type(self).__name__}: fit must come before scoring")
        return self._frozen

    def fit(self, X: Tensor, groups: Sequence[str] | None = None, *, specificity: float = 0.95) -> Self:
        """Learn from normal images; half of the groups are held out to choose with.

        Args:
            X: uint8 ``[n, c, h, w]``, normal images alone.
            groups: patient, sequence … of each; None: each stands alone, which has to be true.
            specificity: share of the held-out normals that the threshold leaves at or below it.

        Raises:
            InputError: other images, or too few groups.
        """
        names = [str(place) for place in range(len(X))] if groups is None else list(groups)
        if len(names) != len(X):
            raise InputError(f"groups must be those of the {len(X)} images, got {len(names)}")
        parts = split_groups(names)
        held_out = places_of(names, parts.held_out + parts.test)  # nothing is tested here
        return self.fit_parts(X[places_of(names, parts.fit)], X[held_out], specificity=specificity)

    def fit_parts(
        self, fit: Tensor, held_out: Tensor, *, specificity: float = 0.95, place: Place | None = None
    ) -> Self:
        """Learn from ``fit`` and choose with ``held_out``: normal images of other groups.

        Raises:
            InputError: not uint8 ``[n, c, h, w]``, two different sizes, or fewer than two images on a side.
            Diverged: training did not stay finite.
        """
        for name, part in (("images to fit", fit), ("held-out images", held_out)):
            _check_images(name, part)
            _check.number(f"number of {name}", len(part), low=2)
        if fit.shape[1:] != held_out.shape[1:]:
            raise InputError(f"held-out images must have shape {list(fit.shape[1:])}, got {list(held_out.shape[1:])}")
        self._learn(with_copies(fit, self.settings.copies), held_out, place or Place())
        self._freeze(held_out, specificity)
        return self

    def score_samples(self, X: Tensor) -> Array:
        """Return the scores ``[n]`` of uint8 images ``[n, c, h, w]``; higher is more abnormal.

        Raises:
            InputError: it was not fitted, or on images of another shape.
        """
        return self.results(X, maps=False).pred_score

    def predict(self, X: Tensor) -> npt.NDArray[np.int64]:
        """Return 1 for images whose score is above the threshold, else 0.

        Raises:
            InputError: as for :meth:`score_samples`.
        """
        return self.results(X, maps=False).pred_label

    def anomaly_map(self, X: Tensor) -> Maps:
        """Return ``[n, h, w]``, higher where it is more abnormal; the score itself where :attr:`localises` is false.

        Raises:
            InputError: as for :meth:`score_samples`.
        """
        maps = self.results(X).anomaly_map
        assert maps is not None
        return maps

    def results(self, X: Tensor, *, maps: bool = True) -> Results:
        """Return scores, labels and, if asked for, maps, from one look at each image.

        Raises:
            InputError: as for :meth:`score_samples`.
        """
        frozen = self.frozen
        _check_images("images", X)
        if tuple(X.shape[1:]) != frozen.shape:
            raise InputError(f"images must have the shape {list(frozen.shape)} fitted on, got {list(X.shape[1:])}")
        components, found = self._look_at_all(X, maps=maps)
        score = combined(components, self.weights(), frozen)
        label = (score > frozen.threshold).astype(np.int64)
        if maps and found is None:
            found = np.broadcast_to(score.astype(np.float32)[:, None, None], (len(score), *X.shape[2:])).copy()
        return Results(score, label, found, components)

    def set_threshold(self, value: float, how: str) -> None:
        """Replace the threshold, as a labelled calibration set says; how it was chosen stands beside it."""
        self._frozen = self.frozen.model_copy(update={"threshold": value, "threshold_from": how})

    def restore(self, tensors: dict[str, Tensor], frozen: Frozen) -> None:
        """Become what was saved.

        Raises:
            KeyError: a tensor is missing.
            RuntimeError: a tensor has another shape.
        """
        self._fill(tensors, frozen.shape)
        self._frozen = frozen

    @abstractmethod
    def weights(self) -> Mapping[str, float]:
        """Return component of the score → weight."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Return everything learnt, by name."""

    @abstractmethod
    def _learn(self, fit: Tensor, held_out: Tensor, place: Place) -> None:
        """Learn from ``fit``; ``held_out`` may choose when to stop."""

    @abstractmethod
    def _look(self, images: Tensor) -> Seen:
        """Return what is seen in a batch of uint8 images; each image for itself."""

    @abstractmethod
    def _fill(self, tensors: dict[str, Tensor], shape: tuple[int, int, int]) -> None:
        """Take what :meth:`tensors` gave."""

    def _look_at_all(self, images: Tensor, *, maps: bool) -> tuple[dict[str, Array], Maps | None]:
        with torch.inference_mode():
            seen = []
            for part in torch.split(images, BATCH):
                one = self._look(part)
                seen.append(one if maps else Seen(one.components))
        components = {
            name: np.concatenate([one.components[name].double().cpu().numpy() for one in seen])
            for name in seen[0].components
        }
        found = [one.maps.float().cpu().numpy() for one in seen if one.maps is not None]
        return components, np.concatenate(found) if found else None

    def _freeze(self, held_out: Tensor, specificity: float) -> None:
        components, maps = self._look_at_all(held_out, maps=True)
        for name in self.weights():
            _check.one_of("score", name, components)
        for name, values in components.items():
            if not np.isfinite(values).all():
                raise Diverged(f"the part {name!r} of the score is not finite for held-out normals", 0)
        frozen = Frozen(
            shape=(held_out.shape[1], held_out.shape[2], held_out.shape[3]),
            means={name: float(values.mean()) for name, values in components.items()},
            # of a component that says nothing, nothing is made
            deviations={name: float(values.std()) or 1.0 for name, values in components.items()},
            threshold=0.0,
            specificity=specificity,
            threshold_from=f"{len(held_out)} held-out normals at specificity {specificity:g}",
            map_high=0.0,
            held_out=len(held_out),
        )
        # parts hang together, so their sum is not in standard deviations
        spread = float(combined(components, self.weights(), frozen).std()) or 1.0
        frozen = frozen.model_copy(update={"deviation": spread})
        score = combined(components, self.weights(), frozen)
        low, high = np.maximum(np.quantile(score if maps is None else maps, MAP_QUANTILES), 0.0).tolist()
        self._frozen = frozen.model_copy(
            update={"threshold": threshold_at(score, specificity), "map_low": low, "map_high": high}
        )


def combined(components: Mapping[str, Array], weights: Mapping[str, float], frozen: Frozen) -> Array:
    """Return the score ``[n]``: the sum of components ``[n]``, each standardised on held-out normals, by weight; in
    standard deviations of held-out normals itself.
    """
    parts = [
        weight * (components[name] - frozen.means[name]) / frozen.deviations[name] for name, weight in weights.items()
    ]
    return np.asarray(np.sum(parts, axis=0)) / frozen.deviation


def with_copies(images: Tensor, copies: str) -> Tensor:
    """Return images ``[n, c, h, w]`` and their copies ``[k·n, c, h, w]``, as :attr:`FittedSettings.copies` says.

    Raises:
        InputError: images that are to be turned are not square.
    """
    if copies == "none":
        return images
    if copies == "mirrored":
        return torch.cat([images, images.flip(3)])
    if images.shape[2] != images.shape[3]:
        raise InputError(f"copies: images to be turned must be square, got {list(images.shape[2:])}")
    turned = [images.rot90(quarters, (2, 3)) for quarters in range(4)]
    return torch.cat([*turned, *(one.flip(3) for one in turned)])


def _check_images(name: str, images: Tensor) -> None:
    _check.images(name, images)
    if images.dtype != torch.uint8:
        raise InputError(f"{name} must be uint8 (0 to 255), got {images.dtype}")
