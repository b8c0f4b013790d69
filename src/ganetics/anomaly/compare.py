"""Several runs on one test set as a table: losses and detectors, each over its training seeds, paired."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ganetics import _check
from ganetics._check import InputError
from ganetics._random import numpy_generator
from ganetics.anomaly.results import RunSummary
from ganetics.anomaly.settings import NAMED, Preprocessing
from ganetics.metrics.detection import (
    RESAMPLES,
    Difference,
    Figure,
    Resamples,
    average_precision,
    mean_auroc,
    paired_difference,
)
from ganetics.metrics.significance import holm
from ganetics.records import Record, read_record, read_text

Array = npt.NDArray[np.float64]
COLUMNS = ("path", "group", "label", "pred_score")
NAMED_ALREADY = ("kind", "features", "loss", "penalties", "learning_rate")
"""Settings that the label says otherwise, or that the table has a column for."""


@dataclass(frozen=True)
class TestedRun:
    """A run with its scores on the test set."""

    folder: Path
    summary: RunSummary
    images: tuple[tuple[str, str, int], ...]
    """Path, group and label, sorted by path."""
    scores: Array


def labels_of(runs: Sequence[TestedRun]) -> list[str]:
    """Return what the row of each run is called: detector, loss with its penalties, and what is not usual in it.

    What is the same in all runs of a detector, or of all images, is left out.
    """
    settings: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for name, value in run.summary.settings:
            settings[f"{run.summary.detector} {name}"].add(repr(value))
    differ = {name for name, values in settings.items() if len(values) > 1}
    seen = len({(one.image_size, one.normalise_colour, one.mask_border) for one in map(_preprocessing, runs)}) > 1
    return [_label(run, differ, seen=seen) for run in runs]


def _preprocessing(run: TestedRun) -> Preprocessing:
    return run.summary.preprocessing


def _label(run: TestedRun, differ: Collection[str], *, seen: bool) -> str:
    summary, images = run.summary, run.summary.preprocessing
    penalties = "".join(f"+{penalty.text}" for penalty in getattr(summary.settings, "penalties", ()))
    parts = [summary.detector, *([summary.loss + penalties] if summary.loss else [])]
    for name, value in summary.settings:
        usual = value == getattr(NAMED[summary.detector], name)
        if name not in NAMED_ALREADY and not usual and f"{summary.detector} {name}" in differ:
            parts.append(_setting(name, value))
    changes = {
        f"{images.image_size} px": images.image_size != Preprocessing().image_size,
        "colours normalised": images.normalise_colour,
        "border masked": images.mask_border,
    }
    return ", ".join([*parts, *(name for name, made in changes.items() if made and seen)])


def _setting(name: str, value: object) -> str:
    if name == "score" and isinstance(value, Mapping):
        return "+".join(f"{weight:g}·{part}" for part, weight in sorted(value.items()))
    return f"{name}={value}"


class Row(Record):
    """A detector under a loss over its training seeds, the mean of their scores, or a sum with the reference's."""

    label: str
    seeds: tuple[int, ...]
    rates: tuple[float, ...]
    auroc: Figure
    """Mean over the seeds; the interval is by groups of images, and over the seeds."""
    sd: float | None
    """Standard deviation over the seeds."""
    average_precision: float | None
    """Mean over the seeds."""
    difference: Difference | None = None
    """Of the mean AUROC and that of the reference, over the seeds that both have where both have several; None for the
    reference itself."""
    p_holm: float | None = None
    """Corrected for all rows but the reference."""


class Comparison(Record):
    """The table, best mean AUROC first."""

    dataset: str
    reference: str
    normal: int
    abnormal: int
    groups: int
    resamples: int
    rows: tuple[Row, ...]


def compare(
    folders: Sequence[Path],
    *,
    reference: str | None = None,
    ensembles: bool = False,
    added: bool = False,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare runs that were tested on the same images.

    Runs that differ in nothing but seed and learning rate are one row: each seed must occur once.

    Args:
        folders: of evaluations, or folders that hold such folders.
        reference: row that the others are compared with; None: the first in alphabetical order.
        ensembles: whether the mean score of a row's seeds, each in standard deviations of held-out normals, is a row
            too.
        added: whether a row's scores added to those of the reference (mean over its seeds) are a row, too: does it
            know what the reference does not?
        resamples: of the intervals.

    Raises:
        InputError: no run, other test images, one seed twice in a row, or no such reference.
    """
    runs = [read_run(folder) for folder in _found(folders)]
    first = runs[0]
    for run in runs[1:]:
        if (run.images, run.summary.dataset) != (first.images, first.summary.dataset):
            raise InputError(f"{run.folder}: must be tested on the same images as {first.folder}, got others")
    rows: dict[str, list[TestedRun]] = defaultdict(list)
    for label, run in zip(labels_of(runs), runs, strict=True):
        rows[label].append(run)
    for label, members in rows.items():
        seeds = [run.summary.seed for run in members]
        if len(set(seeds)) < len(seeds):
            raise InputError(f"{label}: each seed must occur once, got {', '.join(map(str, sorted(seeds)))}")
    groups, labels = [group for _, group, _ in first.images], [label for _, _, label in first.images]
    drawn = Resamples(groups, generator=numpy_generator(0, "bootstrap"), resamples=resamples)
    ordered = {label: sorted(members, key=lambda run: run.summary.seed) for label, members in rows.items()}
    scores = {label: np.stack([run.scores for run in members]) for label, members in ordered.items()}
    table = [_row(label, members, scores[label], labels, drawn) for label, members in ordered.items()]
    made = {
        f"{label}, {len(members)} seeds together": (label, scores[label].mean(axis=0, keepdims=True))
        for label, members in ordered.items()
        if ensembles and len(members) > 1
    }
    scores |= {name: values for name, (_, values) in made.items()}
    chosen = sorted(scores)[0] if reference is None else _check.one_of("reference", reference, scores)
    for label in ordered if added else ():
        if label != chosen:
            made[f"{label}, with {chosen}"] = label, scores[label] + scores[chosen].mean(axis=0)
    scores |= {name: values for name, (_, values) in made.items()}
    table += [_row(name, ordered[label], values, labels, drawn) for name, (label, values) in made.items()]
    table = _compared(table, scores, chosen, labels, drawn)
    return Comparison(
        dataset=first.summary.dataset,
        reference=chosen,
        normal=labels.count(0),
        abnormal=labels.count(1),
        groups=drawn.groups,
        resamples=resamples,
        rows=tuple(sorted(table, key=lambda row: (-(row.auroc.value or 0.0), row.label))),
    )


def read_run(folder: Path) -> TestedRun:
    """Return a run with its scores.

    Raises:
        InputError: a file is missing or damaged.
    """
    where = folder / "run.json"
    summary = read_record(RunSummary, where)
    file = folder / "scores.csv"
    rows = list(csv.reader(io.StringIO(read_text(file, "scores"))))
    try:
        if not rows or tuple(rows[0]) != COLUMNS:
            raise ValueError
        found = sorted((path, group, int(label), float(score)) for path, group, label, score in rows[1:])
    except ValueError:
        raise InputError(f"{file}: must be a table of {', '.join(COLUMNS)}") from None
    return TestedRun(folder, summary, tuple(row[:3] for row in found), np.array([row[3] for row in found]))


def to_csv(found: Comparison) -> str:
    """Return the table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ("label", "seeds", "auroc", "low", "high", "sd", "average_precision", "difference", "d_low", "d_high",
            "p", "p_holm")  # fmt: skip
    writer.writerow(head)
    for row in found.rows:
        difference = row.difference or Difference(None)
        values = (row.auroc.value, row.auroc.low, row.auroc.high, row.sd, row.average_precision, difference.value,
                  difference.low, difference.high, difference.p, row.p_holm)  # fmt: skip
        writer.writerow((row.label, len(row.seeds), *("" if value is None else f"{value:.4f}" for value in values)))
    return text.getvalue()


def _found(folders: Sequence[Path]) -> list[Path]:
    found = [file.parent for folder in folders for file in sorted(folder.rglob("run.json"))]
    if not found:
        raise InputError(f"{', '.join(map(str, folders))}: must hold at least 1 evaluated run, got none")
    return list(dict.fromkeys(found))


def _row(label: str, runs: Sequence[TestedRun], scores: Array, labels: Sequence[int], drawn: Resamples) -> Row:
    singles = [mean_auroc(labels, row).value for row in scores]
    precisions = [average_precision(labels, row).value for row in scores]
    known = [value for value in singles if value is not None]
    return Row(
        label=label,
        seeds=tuple(run.summary.seed for run in runs),
        rates=tuple(sorted({run.summary.lr for run in runs if run.summary.lr is not None})),
        auroc=mean_auroc(labels, scores, resamples=drawn),
        sd=float(np.std(known, ddof=1)) if len(known) > 1 else None,
        average_precision=None if None in precisions else float(np.mean([p for p in precisions if p is not None])),
    )


def _of_shared_seeds(
    one: str, other: str, seeds: Mapping[str, tuple[int, ...]], scores: Mapping[str, Array]
) -> tuple[Array, Array]:
    """Return the scores of two rows, of the seeds that both have if there are several: a training may have failed."""
    shared = sorted(set(seeds[one]) & set(seeds[other]))
    if len(shared) < 2 or min(len(scores[one]), len(scores[other])) < 2:
        return scores[one], scores[other]
    first, second = (scores[row][[seeds[row].index(seed) for seed in shared]] for row in (one, other))
    return first, second


def _compared(
    rows: Sequence[Row], scores: Mapping[str, Array], reference: str, labels: Sequence[int], drawn: Resamples
) -> list[Row]:
    others = [row for row in rows if row.label != reference]
    seeds = {row.label: row.seeds for row in rows}
    pairs = [_of_shared_seeds(row.label, reference, seeds, scores) for row in others]
    differences = [paired_difference(labels, one, other, resamples=drawn) for one, other in pairs]
    corrected = holm([difference.p for difference in differences])
    return [row for row in rows if row.label == reference] + [
        row.model_copy(update={"difference": difference, "p_holm": p})
        for row, difference, p in zip(others, differences, corrected, strict=True)
    ]
