"""Write the tables of docs/detection.md: comparisons under results/detection, and the detectors' settings.

    python benchmarks/detection_tables.py [--check]

With ``--check`` nothing is written, and the exit code is 1 if the page is not what the comparisons say.
"""

from __future__ import annotations

import ast
import csv
import inspect
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from marked import markdown, run

from ganetics.anomaly.compare import Comparison, Row, labels_of, read_run
from ganetics.anomaly.results import Evaluation
from ganetics.anomaly.settings import NAMED
from ganetics.metrics.detection import Difference, Figure, auroc
from ganetics.records import read_record

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "detection.md"
DOMAINS = ("polyp", "fundus")
GANS = ("fanogan", "ganomaly")
FAMILIES = ("fanogan", "ganomaly", "chosen", "added", "all", "features", "features-chosen", "features-added")
PARTS = ("residual", "image", "features", "code", "logit", "ratio", "ratio-gap")
"""Of f-AnoGAN's score."""
PARTS_ON_FEATURES = ("residual", "image", "features", "code", "generated")
SETTABLE = ("fanogan", "fanogan-features", "ganomaly", "autoencoder", "padim", "neighbours")
HEADER = ("detector, loss", "learning rate", "seeds", "AUROC", "SD over seeds", "average precision", "difference", "p")


def comparison(name: str, family: str) -> str:
    """Return the table of a domain's detectors of a family.

    Raises:
        FileNotFoundError: they were not compared.
    """
    where = ROOT / "results" / "detection" / name / f"compared-{family}" / "comparison.json"
    if not where.exists():
        raise FileNotFoundError(where)
    found = read_record(Comparison, where)
    chance = found.abnormal / (found.normal + found.abnormal)
    said = (
        f"{found.normal:,} normal and {found.abnormal:,} abnormal images of {found.groups} groups (average precision "
        f"by chance: {chance:.2f}); differences are from {found.reference}. Intervals: 95 %, {found.resamples:,} draws "
        "of groups and of seeds; p by Holm over the rows, of ten groups or more."
    )
    failed = failures(name, family)
    said += f" Training failed: {', '.join(failed)}." if failed else ""
    return f"{markdown(HEADER, [cells(row, found.reference) for row in found.rows])}\n\n{said}"


def failures(name: str, family: str) -> list[str]:
    """Return the runs of a family whose training failed."""
    kind = "failures-features" if family.startswith("features") else "failures"
    where = ROOT / "results" / "detection" / name / f"{kind}.json"
    found = json.loads(where.read_text(encoding="utf-8")) if where.exists() else {}
    return sorted(label for label in found if family not in GANS or label.startswith(family))


def cells(row: Row, reference: str) -> list[str]:
    """Return a row of the table."""
    p = "" if row.p_holm is None else "< 0.001" if row.p_holm < 0.001 else f"{row.p_holm:.2g}"
    return [
        row.label,
        ", ".join(f"{rate:g}" for rate in row.rates),
        str(len(row.seeds)),
        ends(row.auroc),
        "" if row.sd is None else f"{row.sd:.3f}",
        "" if row.average_precision is None else f"{row.average_precision:.3f}",
        "the reference" if row.label == reference else ends(row.difference or Difference(None)),
        p,
    ]


def ends(found: Figure | Difference) -> str:
    """Return a value with its interval."""
    if found.value is None:
        return "–"
    between = "" if found.low is None or found.high is None else f" ({found.low:.3f} to {found.high:.3f})"
    return f"{found.value:.3f}{between}".replace("-", "−")


def evaluations(folder: str, prefix: str = "") -> dict[str, list[Evaluation]]:
    """Return row → what the runs of a folder under results/detection came to.

    Raises:
        FileNotFoundError: there are none.
    """
    where = ROOT / "results" / "detection" / folder
    folders = [file.parent for file in sorted(where.glob(f"{prefix}*-seed*/evaluation.json"))]
    if not folders:
        raise FileNotFoundError(where)
    rows: dict[str, list[Evaluation]] = defaultdict(list)
    for row, one in zip(labels_of([read_run(one) for one in folders]), folders, strict=True):
        rows[row].append(read_record(Evaluation, one / "evaluation.json"))
    return rows


def ablation(name: str, prefix: str = "fanogan-", parts: Sequence[str] = PARTS) -> str:
    """Return the AUROC of each part of f-AnoGAN's score alone, of those that any has."""
    whole = ROOT / "results" / "detection" / name / f"compared-{'features' if prefix == 'features-' else 'all'}"
    if not whole.exists():
        raise FileNotFoundError(whole)  # some seeds are missing
    runs = evaluations(name, prefix)
    had = [part for part in parts if any(part in one.components for found in runs.values() for one in found)]
    rows = [
        [row, str(len(found)), *(spread([one.components.get(part) for one in found]) for part in had)]
        for row, found in runs.items()
    ]
    return markdown(("detector, loss", "seeds", *had), rows)


def within(name: str) -> str:
    """Return the AUROC over pairs of images of one group, beside that over all pairs.

    Raises:
        FileNotFoundError: nothing was compared.
    """
    where = ROOT / "results" / "detection" / name
    if not (where / "compared-all").exists():
        raise FileNotFoundError(where)
    folders = sorted(file.parent for file in where.glob("*-seed*/scores.csv"))
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row, folder in zip(labels_of([read_run(one) for one in folders]), folders, strict=True):
        rows[row].append(both_areas(folder / "scores.csv"))
    means = {row: [fmean(areas) for areas in zip(*found, strict=True)] for row, found in rows.items()}
    order = sorted(means, key=lambda row: -means[row][1])
    cells = [[row, str(len(rows[row])), *(f"{area:.3f}" for area in reversed(means[row]))] for row in order]
    return markdown(("detector, loss", "seeds", "within sequences", "all pairs"), cells)


def both_areas(table: Path) -> tuple[float, float]:
    """Return the AUROC of a table of scores over all pairs, and over those of one group, each pair alike."""
    with table.open(encoding="utf-8", newline="") as opened:
        lines = [(line["group"], int(line["label"]), float(line["pred_score"])) for line in csv.DictReader(opened)]
    groups = {group: [(label, score) for one, label, score in lines if one == group] for group, _, _ in lines}
    counts = [np.bincount([label for label, _ in found], minlength=2).prod() for found in groups.values()]
    areas = [auroc(*zip(*found, strict=True)).value or 0.0 for found in groups.values()]  # of one class: no pairs
    pooled = auroc([label for _, label, _ in lines], [score for *_, score in lines]).value
    assert pooled is not None
    return pooled, float(np.average(areas, weights=counts))


def calibration(name: str) -> str:
    """Return the AUROC by which the best were named, with its two studies' choices.

    Raises:
        FileNotFoundError: nothing was chosen.
    """
    where = ROOT / "results" / "detection" / name
    files = {"pixels": where / "chosen.json", "features": where / "chosen-features.json"}
    studies = {study: json.loads(file.read_text(encoding="utf-8")) for study, file in files.items() if file.exists()}
    if not studies:
        raise FileNotFoundError(where)
    rows = []
    for study, found in studies.items():
        why = {"loss": "best loss", "gan": "best GAN", "frozen": "best without a GAN"}
        for row, area in sorted(found["calibration"].items(), key=lambda one: -one[1]):
            chosen = [said for kind, said in why.items() if found[kind] == row]
            rows.append([study, f"`{row}`", f"{area:.3f}", ", ".join(chosen)])
    return markdown(("study", "runs", "AUROC", "chosen"), rows)


def pixels(folder: str) -> str:
    """Return how well maps find abnormal pixels."""
    rows = [
        [row, str(len(found)), *(spread(values) for values in (
            [one.pixel_auroc for one in found], [one.region_overlap for one in found]))]
        for row, found in evaluations(folder).items()
    ]  # fmt: skip
    return markdown(("detector, loss", "seeds", "pixel AUROC", "region overlap"), rows)


def polyp_attempts() -> str:
    """Return the AUROC of each attempt on polyp sequences that are not tested on, fold by fold."""
    found = attempts("polyp")
    folds = [f"fold {number + 1}" for number in range(len(found["folds"]))]
    rows = [
        [one["attempt"], f"{one['mean']:.3f}", *(f"{value:.3f}" for value in one["folds"])] for one in found["attempts"]
    ]
    return markdown(("detector, loss: part of its score", "mean", *folds), rows)


def fundus_attempts() -> str:
    """Return the AUROC of each attempt on fundus patients who are not tested on, view by view."""
    found = attempts("fundus")
    areas = {(one["attempt"], one["view"]): Figure(one["auroc"], one["low"], one["high"]) for one in found["attempts"]}
    views = sorted({view for _, view in areas})
    names = dict.fromkeys(attempt for attempt, _ in areas)
    rows = [[name, *(ends(areas[name, view]) if (name, view) in areas else "" for view in views)] for name in names]
    return markdown(("detector, loss: part of its score", *views), rows)


def attempts(name: str) -> Any:
    """Return what was found beside the study.

    Raises:
        FileNotFoundError: it was not run.
    """
    where = ROOT / "results" / "detection-attempts" / f"{name}.json"
    return json.loads(where.read_text(encoding="utf-8"))


def settings() -> str:
    """Return what ``--set`` takes: each setting with its default, and what stands below it in the source."""
    fields = {name: type(NAMED[name]).model_fields for name in SETTABLE}
    below = {name: docstrings(type(NAMED[name])) for name in SETTABLE}
    names = dict.fromkeys(name for own in fields.values() for name in own if name != "kind")
    rows = []
    for name in names:
        told = {one: texts[name] for one, texts in below.items() if name in texts}
        what = [text if len(set(told.values())) == 1 else f"{one}: {text}" for one, text in told.items()]
        defaults = [default(own[name].default) if name in own else "" for own in fields.values()]
        rows.append([f"`{name}`", *defaults, " ".join(dict.fromkeys(what))])
    return markdown(("setting", *(f"`{name}`" for name in SETTABLE), "what"), rows)


def docstrings(kind: type) -> dict[str, str]:
    """Return field → what stands below it, in one line, of a class and of those that it is made from."""
    found = {}
    for one in reversed([one for one in kind.__mro__ if one.__module__ == kind.__module__]):
        (parsed,) = ast.parse(inspect.getsource(one)).body
        assert isinstance(parsed, ast.ClassDef)
        for field, below in pairwise(parsed.body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
                found[field.target.id] = " ".join(ast.literal_eval(below.value).split()).replace("``", "`")
    return found


def default(value: object) -> str:
    """Return a default as ``--set`` and its like would have it."""
    if isinstance(value, dict):
        return "`" + ",".join(f"{name}={weight:g}" for name, weight in value.items()) + "`"
    if isinstance(value, tuple):
        return "`" + ",".join(f"{one.kind}:{one.weight:g}" for one in value) + "`" if value else "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def spread(found: Sequence[Figure | None]) -> str:
    """Return mean and standard deviation over seeds; of one seed its interval by groups; – where it has none."""
    values = [one.value for one in found if one is not None and one.value is not None]
    if not values:
        return "–"
    if len(values) == 1:
        return ends(next(one for one in found if one is not None))
    return f"{fmean(values):.3f} ± {stdev(values):.3f}"


TABLES: dict[str, Callable[[], str]] = {
    f"{name}_{family}": partial(comparison, name, family) for name in DOMAINS for family in FAMILIES
}
TABLES |= {f"{name}_parts": partial(ablation, name) for name in DOMAINS}
TABLES |= {f"{name}_features-parts": partial(ablation, name, "features-", PARTS_ON_FEATURES) for name in DOMAINS}
TABLES |= {f"{name}_calibration": partial(calibration, name) for name in DOMAINS}
TABLES["settings"] = settings
TABLES |= {"polyp_attempts": polyp_attempts, "fundus_attempts": fundus_attempts}
TABLES["polyp_within"] = partial(within, "polyp")
TABLES["polyp_pixels"] = partial(pixels, "polyp-frames")

if __name__ == "__main__":
    run([PAGE], TABLES, about=__doc__)
