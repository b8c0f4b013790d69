"""What a benchmark's folder holds, as tables: made from configuration, archive and protocol, and from nothing else."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ganetics._files import write_atomically
from ganetics.benchmark.collapse import RULE
from ganetics.benchmark.config import BenchConfig
from ganetics.benchmark.export import csv_text, latex_steadiness, latex_text
from ganetics.benchmark.plan import Line, Phase, Tuned, plan, split, tuned
from ganetics.benchmark.protocol import departures, frozen
from ganetics.benchmark.tables import Checkpoint, Steadiness, Sweep, Table, steadiness, table
from ganetics.benchmark.times import times
from ganetics.execution.log import Log
from ganetics.records import read_text, to_json

TABLES: tuple[tuple[str, Phase, Checkpoint], ...] = (
    ("final", "final", "last"),
    ("final-best-checkpoint", "final", "best"),
    ("common", "common", "last"),
    ("common-best-checkpoint", "common", "best"),
)
STEADINESS: tuple[tuple[str, Phase, Literal["rate", "batch_size"], str], ...] = (
    ("rates", "tuning", "rate", "learning rate"),
    ("batch-sizes", "batch", "batch_size", "batch size"),
)


@dataclass(frozen=True)
class Results:
    """All tables of a benchmark, as far as there are runs for them."""

    tables: dict[str, Table]
    """By the names of :data:`TABLES`."""
    steadiness: dict[str, tuple[Steadiness, ...]]
    """By the names of :data:`STEADINESS`; of phases that are complete."""
    sweeps: dict[str, Sweep]
    """By the same names: what stands beside them."""
    tuned: dict[str, Tuned]
    """By label: how each contender's own rate was found."""
    departures: tuple[str, ...]
    """In what the run is not as its protocol has it."""
    confirmatory: bool
    """Whether there is a protocol."""


def results(folder: Path, config: BenchConfig, lines: Sequence[Line]) -> Results:
    """Return the tables of a benchmark.

    Args:
        folder: of the run; its protocol and the floors of its reference images are read, if they are there.
        config: the run's.
        lines: of its archive.

    Raises:
        InputError: the lines are not of this configuration.
    """
    archive, protocol = folder / "archive.jsonl", frozen(folder, config)
    runs = plan(config, lines, where=archive).runs
    made, decided = Counter(line["phase"] for line in lines), Counter(run.phase for run in runs)
    found = tuned(config, lines)
    departed = [] if protocol is None else departures(protocol, config, lines, where=archive)
    floors, kept = _floors(folder), {"protocol": _kept(protocol is not None, departed)}
    tables, steady, sweeps = {}, {}, {}
    for name, phase, checkpoint in TABLES:
        if made[phase]:
            one = table(lines, reference=config.baseline, phase=phase, checkpoint=checkpoint, seed=config.seed)
            edges = _at_edge(found) if phase == "final" else []
            notes = (*departed, *edges, *one.notes, f"Collapsed: {RULE}.")
            tables[name] = replace(one, facts=one.facts | floors.get(split(config, phase), {}) | kept, notes=notes)
    for name, phase, by, _ in STEADINESS:
        if decided[phase] and made[phase] == decided[phase]:
            swept, steady[name] = steadiness(lines, reference=config.baseline, by=by, seed=config.seed)
            facts = swept.facts | floors.get(split(config, phase), {}) | kept
            sweeps[name] = replace(swept, facts=facts, notes=(*departed, *swept.notes))
    return Results(tables, steady, sweeps, found, tuple(departed), protocol is not None)


def write_results(folder: Path, config: BenchConfig, lines: Sequence[Line]) -> Results:
    """Write ``tables.json`` with all figures, each table as ``tables/*.csv`` and ``tables/*.tex``, and ``times.csv``.

    What runs took stands apart: all else is equal to the byte on equal machines, however often it was interrupted.

    Raises:
        InputError: the lines are not of this configuration.
        OSError: the disk is full or the folder not writable.
    """
    found = results(folder, config, lines)
    (folder / "tables").mkdir(exist_ok=True)
    labels = [contender.label for contender in config.contenders]
    files = {"tables.json": to_json(as_json(found), indent=1) + "\n"}
    for name, one in found.tables.items():
        files |= {f"tables/{name}.csv": csv_text(one), f"tables/{name}.tex": latex_text(one, labels)}
    for name, _, _, level in STEADINESS:
        if name in found.steadiness:
            rows, swept = found.steadiness[name], found.sweeps[name]
            files[f"tables/{name}.csv"] = csv_text(rows, swept)
            files[f"tables/{name}.tex"] = latex_steadiness(rows, swept, labels, level=level)
    if took := times(lines, Log(folder / "timings.jsonl", skip_damaged=True).read()):
        files["times.csv"] = csv_text(took)
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
    return found


def as_json(found: Results) -> dict[str, Any]:
    """Return results as plain values."""
    plain: dict[str, Any] = json.loads(to_json(asdict(found)))
    return plain


def preview_name(config: BenchConfig, label: str, which: str) -> str:
    """Return the file, relative to the run's folder, of images of a contender's "best" or "worst" final run.

    Of the worst that made images: a run that failed made none.
    """
    number = [contender.label for contender in config.contenders].index(label) + 1
    words = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:40]
    return str(Path("previews") / f"{number:02d}-{words}-{which}.png")


def _kept(confirmatory: bool, departed: Sequence[str]) -> str | None:
    return ("departed from" if departed else "kept") if confirmatory else None


def _at_edge(found: Mapping[str, Tuned]) -> list[str]:
    return [
        f"{label}: its best rate, ×{one.rate:g}, is at the edge of those tried, "
        f"{one.rates[0]:g} to {one.rates[-1]:g}: a better one may lie beyond."
        for label, one in found.items()
        if one.at_edge
    ]


def _floors(folder: Path) -> dict[str, dict[str, Any]]:
    """Return for each split the Fréchet distance of two halves of its images; empty where nobody has noted it."""
    path = folder / "reference.json"
    return json.loads(read_text(path, "reference")) if path.exists() else {}
