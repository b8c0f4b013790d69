"""What within the method might do better than f-AnoGAN on pixels? Tried on polyp sequences that are never tested on.

    python benchmarks/detection_attempts.py --data-dir DIR [--seeds 1] [--out results/detection-attempts]

The sequences that ``ganetics detect fit`` fits on and holds out (its split 0) have polyps too, which no test sees. They
are dealt into four folds; of each the AUROC of a score that was learnt from the normal patches of the other three: by
detectors that need no training, and by GANs on frozen features, their scores summed over seeds. ``fundus_attempts.py``
does it for glaucoma. Nothing here is a figure of the test set.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganetics._random import numpy_generator
from ganetics.anomaly.detector import combined
from ganetics.anomaly.detectors import build
from ganetics.anomaly.protocol import split_groups
from ganetics.anomaly.settings import NAMED, Settings
from ganetics.data import load
from ganetics.execution.process import prepare
from ganetics.metrics.detection import auroc
from ganetics.records import write_json

Array = npt.NDArray[np.float64]
SEQUENCE = r"seq\d+"
FOLDS = 4
NO_TRAINING = ("neighbours", "neighbours-maps", "padim", "padim-mean", "pixels", "contrast")
ON_FEATURES = ("fanogan-features", "fanogan-maps")
LOSSES = ("ganetic", "non-saturating")
PARTS = ("residual", "image", "generated")
"""Of the scores of a GAN on features, those that are told."""


@dataclass(frozen=True)
class Split:
    """Images of a view, by what they are for."""

    fit: Tensor
    held_out: Tensor
    abnormal: Tensor
    groups: tuple[str, ...]
    """Of held-out and of abnormal images, in this order."""

    @property
    def scored(self) -> Tensor:
        return torch.cat([self.held_out, self.abnormal])

    @property
    def labels(self) -> list[int]:
        return [0] * len(self.held_out) + [1] * len(self.abnormal)


def detector_scores(settings: Settings, seen: Split, seeds: int, parts: Sequence[str] = ()) -> dict[str, Array]:
    """Return part of the score (its own, if none is named) → scores of held-out and of abnormal images.

    Summed over seeds, each in standard deviations of its held-out normals.
    """
    found: dict[str, list[Array]] = defaultdict(list)
    for seed in range(seeds):
        detector = build(settings, seed=seed).fit_parts(seen.fit, seen.held_out)
        results = detector.results(seen.scored, maps=False)
        for part in parts or ("",):
            own = combined(results.components, {part: 1.0}, detector.frozen) if part else results.pred_score
            found[part].append(own)
    return {part: np.sum(scores, axis=0) for part, scores in found.items()}


def attempts(seen: Split, seeds: int) -> Iterator[tuple[str, Array]]:
    """Yield what is tried in a view, and its scores."""
    for detector in NO_TRAINING:
        yield detector, detector_scores(NAMED[detector], seen, 1)[""]
    for detector in ON_FEATURES:
        for loss in LOSSES:
            settings = NAMED[detector].model_copy(update={"loss": loss})
            for part, scores in detector_scores(settings, seen, seeds, PARTS).items():
                yield f"{detector}, {loss}: {part}", scores


def folds(groups: Sequence[str], labels: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the places of normals to learn from and of images to score, fold after fold."""
    normal = [group for group, label in zip(groups, labels, strict=True) if label == 0]
    parts = split_groups(normal)
    free = sorted({*parts.fit, *parts.held_out})
    order = [free[place] for place in numpy_generator(0, "attempts").permutation(len(free))]
    for number in range(FOLDS):
        out = set(order[number::FOLDS])
        kept = set(order) - out
        yield (
            [i for i, group in enumerate(groups) if group in kept and labels[i] == 0],
            [i for i, group in enumerate(groups) if group in out],
        )


def main() -> None:
    """Try them all and write down what each comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--seeds", type=int, default=1, help="of each GAN, whose scores are summed")
    parser.add_argument("--out", type=Path, default=Path("results/detection-attempts"))
    given = parser.parse_args()
    prepare()
    given.out.mkdir(parents=True, exist_ok=True)
    images = load(str(given.data_dir / "polyp-patches"), split="all", groups=SEQUENCE)
    if images.labels is None or images.classes != ("normal", "polyp"):
        raise SystemExit(f"polyp-patches must hold folders normal and polyp, got {images.classes}")
    labels, found, counts = images.labels.tolist(), defaultdict(list), []
    for number, (fit, scored) in enumerate(folds(images.groups, labels)):
        normal, abnormal = ([i for i in scored if labels[i] == kind] for kind in (0, 1))
        groups = tuple(images.groups[i] for i in (*normal, *abnormal))
        seen = Split(images.images[fit], images.images[normal], images.images[abnormal], groups)
        counts.append({"fit": len(fit), "normal": len(normal), "abnormal": len(abnormal), "sequences": len({*groups})})
        for what, scores in attempts(seen, given.seeds):
            if (area := auroc(seen.labels, scores).value) is None:
                raise SystemExit(f"fold {number + 1}: only normal patches, or only polyps")
            found[what].append(area)
            print(f"fold {number + 1} of {FOLDS}", what, f"{found[what][-1]:.3f}", flush=True)
    write_json(
        given.out / "polyp.json",
        {
            "command": f"python benchmarks/detection_attempts.py --data-dir DIR --seeds {given.seeds}",
            "folds": counts,
            "attempts": [
                {"attempt": what, "mean": fmean(values), "folds": values}
                for what, values in sorted(found.items(), key=lambda item: -fmean(item[1]))
            ],
        },
    )


if __name__ == "__main__":
    main()
