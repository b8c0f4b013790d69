"""The page of a detector: one HTML file that needs no script and no network, made from the run's records alone."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

import ganetics
from ganetics._files import write_atomically
from ganetics.anomaly.results import (
    TEST_IMAGES,
    Baseline,
    Evaluation,
    FitResult,
    Histogram,
    Picture,
    Points,
    Shortcut,
    Variant,
)
from ganetics.anomaly.settings import DetectConfig
from ganetics.execution.log import read_config_as
from ganetics.execution.looks import looks_at
from ganetics.records import Penalty, read_record_if_there
from ganetics.report.charts import Axis, Chart, linear_axis, tick
from ganetics.report.template import environment, picture
from ganetics.report.words import counted, figure, signed, words

LEVEL = 0.05
"""Of the tests against all baselines together."""
BINS = 40
"""Of a histogram."""
PLACES = np.linspace(0.0, 1.0, 101)
NAMES: Mapping[str, str] = {
    "fanogan": "f-AnoGAN",
    "fanogan-features": "f-AnoGAN on frozen features",
    "fanogan-maps": "f-AnoGAN on deviations of frozen maps",
    "ganomaly": "GANomaly",
    "autoencoder": "auto-encoder",
    "padim": "PaDiM",
    "padim-mean": "PaDiM, mean of all places",
    "neighbours": "neighbours in frozen features",
    "neighbours-maps": "neighbours in deviations of frozen maps",
    "pixels": "16×16 pixels",
    "colour": "mean colour",
    "brightness": "brightness",
    "contrast": "contrast",
}
"""Of detectors, for people."""
KINDS: Mapping[str, str] = {
    "best": "Clearest: abnormal images with the highest scores",
    "worst": "Least clear: abnormal images with the lowest scores; those below the threshold are missed",
    "false alarm": "False alarms: normal images above the threshold",
    "borderline": "Borderline: nearest to the threshold",
}


@dataclass(frozen=True)
class Shown:
    """A picture with what is known of it; ``url`` is a data: URI, None where there is none."""

    picture: Picture
    url: str | None


def write_detect_report(run: Path, folder: Path | None = None) -> Path:
    """Write ``report.html`` from what a run has recorded so far, and return its path.

    Args:
        run: folder of the run.
        folder: of its evaluation, and of the page; None: the run's.

    Raises:
        InputError: it holds no run of a detector, or a file in it is damaged.
        OSError: the disk is full or the folder not writable.
    """
    folder = folder or run
    config = read_config_as(DetectConfig, run)
    fit = read_record_if_there(FitResult, run / "fit.json")
    found = read_record_if_there(Evaluation, folder / "evaluation.json")
    page = environment().get_template("detect.html").render(**_content(run, folder, config, fit, found))
    path = folder / "report.html"
    write_atomically(path, page.encode("utf-8", "backslashreplace"))
    return path


def _content(
    run: Path, folder: Path, config: DetectConfig, fit: FitResult | None, found: Evaluation | None
) -> dict[str, Any]:
    looks = looks_at(run / "looks.json", TEST_IMAGES)
    content: dict[str, Any] = {
        "config": config,
        "fit": fit,
        "found": found,
        "name": called(config.name),
        "called": called,
        "counted": counted,
        "words": words,
        "figure": figure,
        "signed": signed,
        "title": title(config, fit, found, looks),
        "looks": looks,
        "facts_of": card(config, fit),
        "version": ganetics.__version__,
        "run": shlex.quote(run.name),
        "localises": fit is not None and fit.localises,
        "held_out": Markup("") if fit is None else held_out(fit),
    }
    if found is not None:
        content |= {
            "roc": receiver(found.roc),
            "precision_recall": precision(found.precision_recall, found.prevalence),
            "scores": scores(found.histogram, found.threshold),
            "audit": audit_rows(found.shortcuts),
            "variants": VARIANTS,
            "sets": [
                (heading, [Shown(one, picture(folder, one.file)) for one in found.pictures if one.kind == kind])
                for kind, heading in KINDS.items()
            ],
        }
    return content


VARIANTS: tuple[Variant, ...] = ("as it is", "colour normalised", "border masked", "both")


def title(config: DetectConfig, fit: FitResult | None, found: Evaluation | None, looks: int = 0) -> str:
    """Return what it came to, in a sentence."""
    name, data = called(config.name), config.dataset
    if fit is not None and fit.failure is not None:
        return f"{name} on {data}: training {fit.failure.kind}"
    if fit is None:
        return f"{name} on {data}: not fitted yet"
    if found is None:
        times = "once" if looks == 1 else f"{looks} times"
        return f"{name} on {data}: fitted, {f'tested {times}, in another folder' if looks else 'not tested yet'}"
    if found.auroc.value is None:
        return f"{name} on {data}: no AUROC, since {found.auroc.reason}"
    return f"{name} on {data}: AUROC {words(found.auroc)}, {_standing(found.baselines)}"


def _standing(baselines: Sequence[Baseline]) -> str:
    told: dict[str, list[str]] = {"worse than": [], "not shown to be better than": []}
    for one in baselines:
        shown = one.p_holm is not None and one.p_holm < LEVEL
        difference = one.difference.value or 0.0
        if not (shown and difference > 0):
            told["worse than" if shown and difference < 0 else "not shown to be better than"].append(called(one.name))
    found = [f"{how} {_listed(names)}" for how, names in told.items() if names]
    return ", ".join(found) or "better than everything beside it"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if names[1:] else names[0]


def called(name: str) -> str:
    """Return a detector's name for people.

    >>> called("fanogan"), called("brightness")
    ('f-AnoGAN', 'brightness')
    """
    return NAMES.get(name, name)


def receiver(found: Points | None) -> Markup:
    """Return the plot of sensitivity over one minus specificity with its band; empty without one."""
    chart = Chart(_unit("1 − specificity: normal images above a threshold"), _unit("sensitivity"), 300, gutter=40)
    if found is None:
        return Markup("")
    marks = [chart.line((0.0, 0.0), (1.0, 1.0), "floor"), *_band(chart, found)]
    return chart.draw([*marks, chart.curve(found.xs, found.ys, "thick found")], "receiver operating characteristic")


def precision(found: Points | None, prevalence: float) -> Markup:
    """Return the plot of precision over recall with its band; empty without one."""
    chart = Chart(_unit("recall (sensitivity)"), _unit("precision"), 300, gutter=40)
    if found is None:
        return Markup("")
    # each precision holds back to the recall before it
    xs, ys = np.repeat(found.xs, 2)[:-1], np.repeat(found.ys, 2)[1:]
    marks = [chart.line((0.0, prevalence), (1.0, prevalence), "floor"), *_band(chart, found)]
    return chart.draw([*marks, chart.curve(xs, ys, "thick found")], "precision over recall")


def scores(found: Histogram, threshold: float) -> Markup:
    """Return the plot of the shares of images over their scores."""
    rows = {"c2": found.held_out, "thick rival": found.normal, "thick found": found.abnormal}
    return _shares(found.edges, rows, threshold)


def held_out(fit: FitResult) -> Markup:
    """Return the plot of the scores of held-out normals; empty of a fit that has none."""
    if not fit.held_out_scores or fit.threshold is None:
        return Markup("")
    counts, edges = np.histogram(fit.held_out_scores, bins=BINS)
    return _shares(edges.tolist(), {"c2": counts.tolist()}, fit.threshold)


def _shares(edges: Sequence[float], rows: Mapping[str, Sequence[int]], threshold: float) -> Markup:
    shares = {kind: np.array(counts) / max(1, sum(counts)) for kind, counts in rows.items()}
    highest = max(float(row.max()) for row in shares.values())
    low, high = min(edges[0], threshold), max(edges[-1], threshold)
    chart = Chart(
        linear_axis(low, high, "score, in standard deviations of held-out normals"),
        linear_axis(0.0, 1.05 * highest or 1.0, "share of the images of its kind, in each of 40 bins"),
        240,
    )
    corners = np.repeat(edges, 2)[1:-1]
    curves = [chart.curve(corners, np.repeat(row, 2), kind) for kind, row in shares.items()]
    line = chart.line((threshold, 0.0), (threshold, chart.y.high), "baseline")
    return chart.draw([line, *curves], "histograms of the scores")


def audit_rows(found: Sequence[Shortcut]) -> list[tuple[str, dict[str, Shortcut]]]:
    """Return name → variant → what it reaches, in the order in which they were made."""
    rows: dict[str, dict[str, Shortcut]] = {}
    for one in found:
        rows.setdefault(one.name, {})[one.variant] = one
    return list(rows.items())


def card(config: DetectConfig, fit: FitResult | None) -> list[tuple[str, str]]:
    """Return what the detector is and was made from, name and value."""
    parts, before = config.parts, config.preprocessing
    settings = config.detector.model_dump(mode="json", exclude={"kind"})
    steps = f"middle square, {before.image_size}×{before.image_size}, {'gray' if before.channels == 1 else 'colour'}"
    steps += ", colours normalised" if before.normalise_colour else ""
    steps += ", border masked" if before.mask_border else ""
    rows = [
        ("detector", called(config.name)),
        ("settings", ", ".join(f"{name} {_told(value)}" for name, value in settings.items())),
        ("normal images", f"{config.data.count:,} of {config.dataset}"),
        ("groups fitted on", f"{len(parts.fit):,}"),
        ("groups held out to choose with", f"{len(parts.held_out):,}"),
        ("groups kept for the test", f"{len(parts.test):,}"),
        ("split, training seed", f"{config.split}, {config.seed}"),
        ("preprocessing", steps),
    ]
    if fit is not None and fit.threshold is not None:
        rows += [("images", f"{fit.fit:,} fitted on, {fit.held_out:,} held out")]
        rows += [("threshold", f"{fit.threshold:.3g}, from {fit.threshold_from}")]
    return rows


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return " + ".join(f"{weight:g} · {name}" for name, weight in value.items())
    if isinstance(value, list):
        return " + ".join(Penalty.model_validate(one).text for one in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _unit(label: str) -> Axis:
    return Axis(0.0, 1.0, tuple((i / 4, tick(i / 4)) for i in range(5)), label)


def _band(chart: Chart, found: Points) -> list[Markup]:
    return [chart.band(PLACES, found.lows, found.highs, "found")] if found.lows else []
