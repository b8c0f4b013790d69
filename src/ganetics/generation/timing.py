"""How long a training run took, and on what: kept apart from its results, which do not depend on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import torch

from ganetics.execution.log import Log
from ganetics.training import TrainingState

FILE = "timings.jsonl"


@contextmanager
def noted(run: Path, state: TrainingState, devices: int) -> Iterator[None]:
    """Write a line to ``timings.jsonl`` when the block ends, in whatever way: steps, wall time, device.

    Of a process that is killed there is none; that steps are missing tells.

    Args:
        run: folder of the run.
        state: what is trained in the block.
        devices: how many share the work.
    """
    first, begun = state.step, time.monotonic()
    try:
        yield
    finally:
        line = {
            "kind": "training",
            "from_step": first,
            "step": state.step,
            "wall_seconds": round(time.monotonic() - begun, 3),
            "device": _called(state.device),
            "devices": devices,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        log = Log(run / FILE, skip_damaged=True)
        with suppress(OSError):  # no result is lost for it
            log.append(line)
            log.close()


def _called(device: torch.device) -> str:
    """Return what a device is called: of a GPU its model."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
