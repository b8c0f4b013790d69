"""A training run's folder as a report sees it: read only, so that the run may be at work. Imports no torch."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics.execution.log import Log
from ganetics.generation.results import Evaluation, FitConfig, FitResult, evaluations_of, stored_configuration
from ganetics.records import Outcome, from_json, optional_object, read_record_if_there, to_json
from ganetics.report.grids import as_webp, top_rows
from ganetics.report.template import PNG

LARGEST = 32 * 2**20
"""Of a picture that is put into a page; bytes."""


@dataclass(frozen=True, eq=False)
class TrainRun:
    """What a training run has recorded."""

    path: Path
    config: FitConfig
    result: FitResult | None
    """None: training has not ended."""
    history: tuple[Mapping[str, float], ...]
    held_out: tuple[Outcome, ...]
    """Evaluations on the way, with early stopping."""
    evaluations: tuple[Evaluation, ...]
    """Those of the state that images are sampled from: of test images first."""
    timings: tuple[Mapping[str, Any], ...]
    environment: Mapping[str, Any]

    @property
    def evaluation(self) -> Evaluation | None:
        """The one that counts most; None: there is none."""
        return self.evaluations[0] if self.evaluations else None

    @property
    def step(self) -> int:
        """The last step that is known of."""
        steps = [line.get("step", 0) for line in self.history]
        return self.result.outcome.step if self.result is not None else int(max(steps, default=0))

    @property
    def failure(self) -> str | None:
        """How training failed; None if it did not."""
        failure = None if self.result is None else self.result.outcome.failure
        return None if failure is None else f"{failure.kind}: {failure.message}"

    @property
    def seconds(self) -> float | None:
        """Wall time of all steps; None where a part of them was not recorded, as the process was killed."""
        spans = sorted((line.get("from_step", 0), line.get("step", 0)) for line in self.timings)
        known = 0
        for first, last in spans:
            if first > known:
                return None
            known = max(known, last)
        if not spans or known < (self.step if self.result is None else (self.result.stopped or self.step)):
            return None
        return float(sum(line.get("wall_seconds", 0.0) for line in self.timings))

    @property
    def devices(self) -> list[str]:
        """What it was trained on, each once."""
        found = (f"{line['devices']} × {line['device']}" if line.get("devices", 1) > 1 else str(line.get("device", "?"))
                 for line in self.timings)  # fmt: skip
        return list(dict.fromkeys(found))

    @property
    def grids(self) -> list[tuple[int, Path]]:
        """Grids of samples from the same latents as training went on: step and file."""
        found = []
        for path in sorted((self.path / "samples").glob("step-*.png")):
            number = path.stem.removeprefix("step-")
            if number.isdigit() and int(number) <= self.config.recipe.steps:
                found.append((int(number), path))
        return found

    @property
    def sheet(self) -> Path | None:
        """The grid of the state that images are sampled from; None where there is none."""
        best = self.path / "samples" / "best.png"
        if best.is_file():
            return best
        last = self.grids[-1][1] if self.grids else self.path / "samples.png"
        return last if last.is_file() else None


def read_train(folder: Path) -> TrainRun:
    """Read a training run's folder.

    Raises:
        InputError: it holds no training run, or a file in it is damaged; names the file.
    """
    config = stored_configuration(folder)
    result = read_record_if_there(FitResult, folder / "metrics.json")
    return TrainRun(
        path=folder,
        config=config,
        result=result,
        history=tuple(Log(folder / "history.jsonl").read()),
        held_out=tuple(
            from_json(Outcome, to_json(line), where=str(folder / "evaluations.jsonl"))
            for line in Log(folder / "evaluations.jsonl").read()
        ),
        evaluations=evaluations_of(folder),
        timings=tuple(Log(folder / "timings.jsonl", skip_damaged=True).read()),
        environment=optional_object(folder / "environment.json"),
    )


def data_url(path: Path | None, *, rows: int | None = None) -> str | None:
    """Return a PNG as a data: URI, or None where there is none; of a grid the first rows, as a WebP, if asked for."""
    if path is None or not path.is_file() or path.is_symlink() or path.stat().st_size > LARGEST:
        return None
    content = path.read_bytes()
    if not content.startswith(PNG):
        return None
    try:
        kind, content = ("png", content) if rows is None else ("webp", as_webp(top_rows(content, rows)))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: must be a picture, it is damaged: {error}") from None
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
