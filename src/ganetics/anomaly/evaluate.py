"""Test a fitted detector on labelled images of groups that it has not seen, and note that they were looked at."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics._random import numpy_generator
from ganetics.anomaly.detector import Detector
from ganetics.anomaly.fit import Prepared, fitted_detector, prepared_again
from ganetics.anomaly.images import Progress
from ganetics.anomaly.masks import Mask, masks_of
from ganetics.anomaly.pictures import overlay
from ganetics.anomaly.results import Evaluation, Histogram, Kind, Picture, RunSummary, points
from ganetics.anomaly.settings import DetectConfig
from ganetics.anomaly.shortcuts import baseline_scores, baselines, shortcuts
from ganetics.anomaly.sliding import slide, windows_of
from ganetics.anomaly.testset import Options, TestSet, assembled, note_look
from ganetics.execution.log import RunFolder
from ganetics.metrics.curves import precision_recall, roc
from ganetics.metrics.detection import Figure, Resamples, auroc, average_precision, share_above
from ganetics.metrics.localisation import pixel_auroc, region_overlap
from ganetics.records import write_json

Array = npt.NDArray[np.float64]
BINS = 40
SHOWN = 6
"""Pictures of each kind."""


@dataclass(frozen=True)
class Seen:
    """What the detector says of a test set."""

    scores: Array
    components: dict[str, Array]
    maps: Sequence[npt.NDArray[np.float32]] | npt.NDArray[np.float32] | None


def evaluate(
    run: Path, options: Options, *, out: Path | None = None, on_progress: Progress | None = None
) -> Evaluation:
    """Test a run's detector and write ``scores.csv``, ``run.json``, ``evaluation.json`` and pictures.

    ``looks.json`` in the run's folder says when labelled images were first looked at and how often since: whoever looks
    more than once, and changes something in between, has chosen by the test set.

    Args:
        run: folder of a finished fit.
        options: on what.
        out: folder for what is written; None: the run's.
        on_progress: called while images are read and scored.

    Raises:
        InputError: what was given is wrong; says what, where, the rule and the value; the run is at work.
        OSError: the disk is full or the folder not writable.
    """
    config, detector, _ = fitted_detector(run)
    with RunFolder(run):  # so that no look is lost
        return _evaluate(run, config, detector, options, run if out is None else out, on_progress)


def _evaluate(
    run: Path, config: DetectConfig, detector: Detector[Any], options: Options, folder: Path,
    on_progress: Progress | None,
) -> Evaluation:  # fmt: skip
    if options.masks is not None and not detector.localises:
        raise InputError(f"masks: the detector must say where an image is abnormal, {config.name} does not")
    prepared = prepared_again(run, on_progress=on_progress)
    test = assembled(prepared, options, on_progress=on_progress)
    # what can be wrong with them is found before they are looked at
    _check_windows(config, test, options)
    masks = _masks(config, test, options)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: must be a folder, got a file")
    folder.mkdir(parents=True, exist_ok=True)
    look = note_look(run, test)
    seen = _look(detector, config, test, options, on_progress)
    resamples = Resamples(test.images.groups, generator=numpy_generator(0, "bootstrap"), resamples=options.resamples)
    found = _figures(detector, prepared, test, seen, masks, resamples, options).model_copy(update=look)
    if options.pictures and detector.localises:
        found = found.model_copy(update={"pictures": _pictures(folder, detector, config, test, seen, options)})
    _write_scores(folder / "scores.csv", test, seen.scores)
    write_json(folder / "run.json", summary(config, test, found, headline=options.headline))
    write_json(folder / "evaluation.json", found)
    return found


def summary(config: DetectConfig, test: TestSet, found: Evaluation, *, headline: bool) -> RunSummary:
    """Return the run in a line."""
    settings = config.detector
    return RunSummary(
        dataset=config.dataset,
        detector=config.name,
        loss=getattr(settings, "loss", None),
        lr=getattr(settings, "learning_rate", None),
        seed=config.seed,
        train_groups=tuple(sorted(config.seen)),
        test_groups=tuple(sorted(set(test.images.groups))),
        headline=headline,
        settings=settings,
        preprocessing=config.preprocessing,
        split=config.split,
        auroc=found.auroc.value,
        looks=found.looks,
        first_look=found.first_look,
    )


def _check_windows(config: DetectConfig, test: TestSet, options: Options) -> None:
    """Check that both classes are seen through as many windows: the largest score of more of them is larger."""
    if options.sliding is None:
        return
    counts = windows_of(test.images.files, config.preprocessing, stride=options.sliding)
    normal, abnormal = ({count for count, one in zip(counts, test.labels, strict=True) if one == k} for k in (0, 1))
    if normal and abnormal and normal != abnormal:
        told = [", ".join(map(str, sorted(part))) for part in (normal, abnormal)]
        raise InputError(
            "sliding: normal and abnormal images must be of as many windows, as the largest score of more windows is "
            f"larger, got {told[0]} and {told[1]}: give normal images of the same size, or none (--no-normal)"
        )


def _look(
    detector: Detector[Any], config: DetectConfig, test: TestSet, options: Options, on_progress: Progress | None
) -> Seen:
    if options.sliding is not None:
        scores, maps = slide(
            detector, config.preprocessing, test.images.files, stride=options.sliding, on_progress=on_progress
        )
        return Seen(scores, {}, maps)
    found = detector.results(test.images.images, maps=options.masks is not None)
    return Seen(found.pred_score, dict(found.components), found.anomaly_map)


def _figures(
    detector: Detector[Any],
    prepared: Prepared,
    test: TestSet,
    seen: Seen,
    masks: Sequence[Mask],
    resamples: Resamples,
    options: Options,
) -> Evaluation:
    config, frozen = prepared.config, detector.frozen
    labels, scores = np.array(test.labels), seen.scores
    fit, held_out = prepared.part(config.parts.fit), prepared.part(config.parts.held_out)
    # of one class alone nothing is told apart
    both = len(set(test.labels)) == 2
    copies = config.detector.copies
    others = baseline_scores(fit, held_out, test.images, skip=config.name, copies=copies) if both else {}
    abnormal = {group for group, label in zip(test.images.groups, test.labels, strict=True) if label}
    pixel, overlap = _localised(test, seen, masks, resamples)
    sensitivity, specificity = _at_threshold(test, scores, frozen.threshold, resamples, options)
    held_out_scores = detector.score_samples(held_out.images)
    return Evaluation(
        dataset=config.dataset,
        detector=config.name,
        normal=int((labels == 0).sum()),
        abnormal=int(labels.sum()),
        groups=resamples.groups,
        abnormal_groups=len(abnormal),
        left_out=test.left_out,
        duplicates=test.duplicates,
        unreadable=test.unreadable,
        prevalence=float(labels.mean()),
        auroc=auroc(labels, scores, resamples=resamples),
        average_precision=average_precision(labels, scores, resamples=resamples),
        sensitivity=sensitivity,
        specificity=specificity,
        threshold=frozen.threshold,
        threshold_from=frozen.threshold_from,
        components={name: auroc(labels, values, resamples=resamples) for name, values in seen.components.items()},
        baselines=baselines(test.labels, scores, others, resamples=resamples),
        shortcuts=shortcuts(fit, held_out, test.images, test.labels, resamples=resamples) if both else (),
        roc=points(roc(labels, scores, resamples=resamples)),
        precision_recall=points(precision_recall(labels, scores, resamples=resamples)),
        histogram=histogram(held_out_scores, scores, labels),
        localises=detector.localises,
        pixel_auroc=pixel,
        region_overlap=overlap,
        masks=len(masks),
        sliding=options.sliding,
        map_low=frozen.map_low,
        map_high=frozen.map_high,
        resamples=options.resamples,
        looks=0,
        first_look="",
        command=options.command,
    )


def _at_threshold(
    test: TestSet, scores: Array, threshold: float, resamples: Resamples, options: Options
) -> tuple[Figure, Figure]:
    """Return sensitivity and specificity."""
    if options.sliding is not None:
        unknown = Figure(None, reason="the threshold is of single images, not of the most abnormal of many windows")
        return unknown, unknown
    above = [share_above(test.labels, scores, threshold, label=label, resamples=resamples) for label in (1, 0)]
    return above[0], _complement(above[1])


def _complement(share: Figure) -> Figure:
    if share.value is None or share.low is None or share.high is None:
        return replace(share, value=None if share.value is None else 1 - share.value)
    return Figure(1 - share.value, 1 - share.high, 1 - share.low)


def _masks(config: DetectConfig, test: TestSet, options: Options) -> list[Mask]:
    """Return the masks of the abnormal images; none where they are not asked for."""
    if options.masks is None:
        return []
    rows = zip(test.images.paths, test.images.files, test.labels, strict=True)
    size = None if options.sliding is not None else config.preprocessing.image_size
    return masks_of({path: file for path, file, label in rows if label}, options.masks, image_size=size)


def _localised(
    test: TestSet, seen: Seen, abnormal: Sequence[Mask], resamples: Resamples
) -> tuple[Figure | None, Figure | None]:
    """Return pixel AUROC and per-region overlap, or nothing without masks; a normal image has an empty one."""
    if not abnormal or seen.maps is None:
        return None, None
    given = iter(abnormal)
    masks = [
        next(given) if label else np.zeros(values.shape, dtype=bool)
        for label, values in zip(test.labels, seen.maps, strict=True)
    ]
    maps = list(seen.maps)
    return pixel_auroc(masks, maps, resamples=resamples), region_overlap(masks, maps, resamples=resamples)


def histogram(held_out: Array, scores: Array, labels: npt.NDArray[np.int64]) -> Histogram:
    """Return the counts of the scores of held-out normals and of both classes of the test set."""
    every = np.concatenate([held_out, scores])
    low, high = float(every.min()), float(np.quantile(every, 0.995))
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    # what is above the last edge counts in the last bin: one extreme score must not flatten the rest
    counts = [
        tuple(np.histogram(np.minimum(part, edges[-1]), edges)[0].tolist())
        for part in (held_out, scores[labels == 0], scores[labels == 1])
    ]
    return Histogram(edges=tuple(edges.tolist()), held_out=counts[0], normal=counts[1], abnormal=counts[2])


def chosen(scores: Array, labels: npt.NDArray[np.int64], threshold: float) -> list[tuple[Kind, int]]:
    """Return which images are shown: abnormal ones with the highest and the lowest scores, those nearest to the
    threshold, and normal ones above it; none twice.
    """
    abnormal, normal = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    alarms = normal[scores[normal] > threshold]
    orders: dict[Kind, npt.NDArray[np.int64]] = {
        "best": abnormal[np.argsort(-scores[abnormal], kind="stable")],
        "worst": abnormal[np.argsort(scores[abnormal], kind="stable")],
        "false alarm": alarms[np.argsort(-scores[alarms], kind="stable")],
        "borderline": np.argsort(np.abs(scores - threshold), kind="stable"),
    }
    found: list[tuple[Kind, int]] = []
    for kind, order in orders.items():
        taken = {place for _, place in found}
        found += [(kind, int(place)) for place in order if int(place) not in taken][:SHOWN]
    return found


def _pictures(
    folder: Path, detector: Detector[Any], config: DetectConfig, test: TestSet, seen: Seen, options: Options
) -> tuple[Picture, ...]:
    labels = np.array(test.labels)
    places = chosen(seen.scores, labels, detector.frozen.threshold)
    (folder / "previews").mkdir(exist_ok=True)
    for kind in get_args(Kind):  # of an earlier evaluation, and nothing else that may lie there
        for old in (folder / "previews").glob(f"[0-9][0-9]-{kind.replace(' ', '-')}.png"):
            old.unlink()
    found = []
    for number, (kind, place) in enumerate(places):
        image = test.images.images[place]
        # of a window the map is of another size than the small image: the small image's own map is shown
        values = detector.anomaly_map(image[None])[0]
        name = f"previews/{number:02d}-{kind.replace(' ', '-')}.png"
        (folder / name).write_bytes(overlay(image, values, low=detector.frozen.map_low, high=detector.frozen.map_high))
        found.append(
            Picture(
                kind=kind,
                file=name,
                path=test.names[place],
                group=test.images.groups[place],
                label=1 if labels[place] else 0,
                score=float(seen.scores[place]),
            )
        )
    return tuple(found)


def _write_scores(path: Path, test: TestSet, scores: Array) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "group", "label", "pred_score"))
    rows = zip(test.names, test.images.groups, test.labels, scores, strict=True)
    writer.writerows((name, group, label, f"{score:.9g}") for name, group, label, score in rows)
    write_atomically(path, text.getvalue().encode("utf-8", "backslashreplace"))
