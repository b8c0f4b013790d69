"""What a run of a detector comes to: records that go to the disk. Imports no torch."""

from __future__ import annotations

from typing import Literal

from ganetics.anomaly.settings import Preprocessing, Settings
from ganetics.metrics.curves import Curve
from ganetics.metrics.detection import Difference, Figure
from ganetics.records import Failure, Record

Variant = Literal["as it is", "colour normalised", "border masked", "both"]
Kind = Literal["best", "worst", "borderline", "false alarm"]
TEST_IMAGES = "labelled images"
"""What looks are noted of."""


class FitResult(Record):
    """How a fit ended."""

    schema_version: Literal[1] = 1
    fit: int
    """Images."""
    held_out: int
    calibration: int = 0
    """Abnormal images that the threshold was chosen with."""
    threshold: float | None = None
    threshold_from: str = ""
    held_out_scores: tuple[float, ...] = ()
    localises: bool = False
    """Whether it says where an image is abnormal."""
    failure: Failure | None = None


class Points(Record):
    """A curve and its band at 0, 0.01 … 1."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()


class Baseline(Record):
    """What the detector has to beat, on the same test images."""

    name: str
    auroc: Figure
    difference: Difference
    """Of the detector's AUROC and this one's."""
    p_holm: float | None
    """Corrected for all baselines."""


class Shortcut(Record):
    """What something trivial reaches."""

    name: str
    variant: Variant
    auroc: Figure
    """Of a detector fitted on it."""
    separates: float | None = None
    """AUROC of the value itself, upwards or downwards, whichever is more: with hindsight."""


class Histogram(Record):
    """Counts of scores between edges."""

    edges: tuple[float, ...]
    held_out: tuple[int, ...]
    normal: tuple[int, ...]
    abnormal: tuple[int, ...]


class Picture(Record):
    """An image with its map."""

    kind: Kind
    file: str
    """In the folder of the evaluation."""
    path: str
    group: str
    label: Literal[0, 1]
    score: float


class Evaluation(Record):
    """What a detector was found to do on images of groups that it had not seen."""

    schema_version: Literal[1] = 1
    dataset: str
    detector: str
    normal: int
    """Test images."""
    abnormal: int
    groups: int
    """Of all test images."""
    abnormal_groups: int
    left_out: int
    """Images of seen groups that were not tested on."""
    duplicates: int
    """Normal test images that equal one that was fitted on or chosen with, pixel by pixel."""
    unreadable: int = 0
    """Files that are not among the test images, as they could not be read."""
    prevalence: float
    """Share of abnormal test images: the average precision of chance."""
    auroc: Figure
    average_precision: Figure
    sensitivity: Figure
    specificity: Figure
    threshold: float
    threshold_from: str
    components: dict[str, Figure]
    """AUROC of each part of the score alone: an ablation, which chooses nothing."""
    baselines: tuple[Baseline, ...]
    shortcuts: tuple[Shortcut, ...]
    roc: Points | None
    precision_recall: Points | None
    histogram: Histogram
    localises: bool
    pixel_auroc: Figure | None = None
    region_overlap: Figure | None = None
    masks: int = 0
    sliding: int | None = None
    """Pixels between two windows; None: whole images."""
    map_low: float = 0.0
    """Up to where the pictures are clear."""
    map_high: float
    """What the strongest colour of the pictures stands for."""
    pictures: tuple[Picture, ...] = ()
    resamples: int
    looks: int
    """How often labelled test images were looked at, this time included."""
    first_look: str
    command: str = ""


class RunSummary(Record):
    """``run.json``: a run in a line, for tables."""

    dataset: str
    detector: str
    loss: str | None
    lr: float | None
    seed: int
    train_groups: tuple[str, ...]
    """Fitted on or chosen with."""
    test_groups: tuple[str, ...]
    headline: bool
    settings: Settings
    """Of the detector."""
    preprocessing: Preprocessing
    split: int
    auroc: float | None
    looks: int
    first_look: str


def points(curve: Curve | None) -> Points | None:
    """Return a curve as a record."""
    if curve is None:
        return None
    lows, highs = (() if side is None else tuple(side.round(6).tolist()) for side in (curve.lows, curve.highs))
    return Points(xs=tuple(curve.xs.round(6).tolist()), ys=tuple(curve.ys.round(6).tolist()), lows=lows, highs=highs)
