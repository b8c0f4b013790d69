"""What pages and tables say alike: numbers, intervals, durations, images and features in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ganetics.metrics.detection import Figure
from ganetics.records import DataIdentity, ExtractorIdentity, Recipe
from ganetics.report.charts import number

Rows = list[tuple[str, str]]


def counted(count: int, noun: str) -> str:
    """Return a number and what is counted.

    >>> counted(1, "seed"), counted(1200, "seed")
    ('1 seed', '1,200 seeds')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def capital(text: str) -> str:
    """Return the text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def figure(value: float | None) -> str:
    """Return a share or an area for people.

    >>> figure(0.8126), figure(None)
    ('0.813', '–')
    """
    return "–" if value is None else f"{value:.3f}"


def signed(value: float | None) -> str:
    """Return a difference for people.

    >>> signed(0.0312), signed(-0.2)
    ('+0.031', '−0.200')
    """
    return "–" if value is None else f"{value:+.3f}".replace("-", "−")


def words(found: Figure) -> str:
    """Return a figure with its interval for people.

    >>> words(Figure(0.8126, 0.75, 0.9)), words(Figure(None))
    ('0.813 (0.750 to 0.900)', '–')
    """
    interval = "" if found.low is None else f" ({figure(found.low)} to {figure(found.high)})"
    return figure(found.value) + interval


def chance(p: float | None) -> str:
    """Return a p-value for people.

    >>> chance(0.00004), chance(0.0342), chance(None)
    ('p < 0.001', 'p = 0.034', 'too few seeds for a p')
    """
    return "too few seeds for a p" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def duration(seconds: float) -> str:
    """Return a time for people.

    >>> duration(7.26), duration(400), duration(9000)
    ('7.26 s', '6.67 min', '2.50 h')
    """
    size, unit = next(((size, unit) for size, unit in ((3600, "h"), (60, "min")) if seconds >= 2 * size), (1, "s"))
    return f"{number(seconds / size)} {unit}"


def rows_of(values: Mapping[str, Any]) -> Rows:
    """Return settings as rows of words."""
    return [(name.replace("_", " "), plain(value)) for name, value in values.items()]


def plain(value: Any) -> str:
    """Return a JSON value for people.

    >>> plain([1.0, 0.3]), plain(None), plain({"kind": "r1"})
    ('1, 0.3', 'none', 'kind r1')
    """
    if isinstance(value, list):
        return ", ".join(map(plain, value)) or "none"
    if isinstance(value, dict):
        return " ".join(f"{name} {plain(inner)}" for name, inner in value.items())
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def measured(recipe: Recipe, data: DataIdentity, reference: DataIdentity, extractor: ExtractorIdentity) -> str:
    """Return in one line what a figure was made from: images, split, n, extractor, steps and recipe."""
    trained = min(recipe.train_size or data.count, data.count)
    compared = min(recipe.eval_samples, reference.count)
    return (
        f"{data.name}: trained on {trained:,} images ({data.split}); {recipe.eval_samples:,} generated against "
        f"{compared:,} real images ({reference.split}); FID on {extractor.dimension} features of {extractor.name} "
        f"{extractor.version}, resize: {extractor.resize}; {recipe.steps:,} steps, recipe {recipe.name}"
    )


def identity(data: DataIdentity) -> str:
    """Return which images, in words."""
    shape = f"{data.channels}×{data.height}×{data.width}"
    return f"{data.name}, {data.split}: {data.count:,} images of {shape}, sha256 {data.sha256[:16]}"


def left_out(skipped: Sequence[str]) -> str:
    """Return how many images were left out; their names, which may be those of patients, stay in the run's folder.

    >>> left_out(["doe.png: cannot be read"])
    '1 (config.json names them)'
    """
    return f"{len(skipped)} (config.json names them)" if skipped else "0"


def extractor(found: ExtractorIdentity) -> str:
    """Return which features, in words."""
    return (
        f"{found.name} {found.version}, {found.dimension} features, resize: {found.resize}, "
        f"weights sha256 {found.weights_sha256[:16]}"
    )
