"""The page of images that were scored: the most abnormal first, each with its heat map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ganetics
from ganetics._files import write_atomically
from ganetics.anomaly.settings import DetectConfig
from ganetics.report.detect import called, card
from ganetics.report.template import environment, picture


@dataclass(frozen=True)
class Scored:
    """What was scored, and how to read it."""

    out: Path
    """The table of all scores."""
    images: int
    above: int
    """The threshold."""
    unreadable: int
    threshold: float
    threshold_from: str
    map_low: float
    """Up to where a map is clear."""
    map_high: float
    """What the strongest colour of a map stands for."""


@dataclass(frozen=True)
class Image:
    """One of the most abnormal ones; ``url`` is a data: URI, None where there is no picture."""

    path: str
    score: float
    url: str | None


def write_scores_report(
    folder: Path, config: DetectConfig, scored: Scored, highest: Sequence[tuple[float, str, str]]
) -> Path:
    """Write ``report.html`` into the folder of the maps, and return its path.

    Args:
        folder: of the maps.
        config: of the detector.
        scored: all images together.
        highest: score, path and picture in ``folder`` of those to show, in order.

    Raises:
        OSError: the disk is full or the folder not writable.
    """
    shown = [Image(path, score, picture(folder, file, within=".")) for score, path, file in highest]
    template = environment().get_template("scores.html")
    page = template.render(
        name=f"{called(config.name)} on {config.dataset}",
        scored=scored,
        shown=shown,
        facts_of=card(config, None),
        version=ganetics.__version__,
    )
    path = folder / "report.html"
    write_atomically(path, page.encode("utf-8", "backslashreplace"))
    return path
