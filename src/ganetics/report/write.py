"""The page of a run, whatever kind it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ganetics._check import InputError
from ganetics.execution.log import KINDS, read_config
from ganetics.report.bench import write_bench_report
from ganetics.report.detect import write_detect_report
from ganetics.report.search import write_search_report

WRITERS: Mapping[str, Callable[[Path], Path]] = {
    "a search": write_search_report,
    "a benchmark": write_bench_report,
    "a detector": write_detect_report,
}
"""What a kind of run is called → what writes its page."""


def write_report(run: Path) -> Path:
    """Write ``report.html`` from what a run has recorded so far, and return its path.

    The page of a training run tells what is known of its loss, which takes PyTorch to say:
    :func:`ganetics.report.train.write_train_report`.

    Raises:
        InputError: the folder holds no run, one of a kind that has no page here, or a file in it is damaged.
        OSError: the disk is full or the folder not writable.
    """
    kind = kind_of(run)
    if kind not in WRITERS:
        *first, last = WRITERS
        raise InputError(f"{run}: must hold {', '.join(first)} or {last}, got {kind or 'none of these'}")
    return WRITERS[kind](run)


def kind_of(run: Path) -> str:
    """Return what kind of run a folder holds, in words; empty for none that is known.

    Raises:
        InputError: there is no configuration in it, or it is damaged.
    """
    config = read_config(run)
    kinds = [kind for field, kind in KINDS.items() if field in config]
    return " and ".join(kinds)
