"""A training run's page, written anew whenever what it tells of has changed."""

from __future__ import annotations

from pathlib import Path


def write_train_page(run: Path) -> Path:
    """Write ``report.html`` from the records of a training run, and return its path.

    Raises:
        InputError: the folder holds no training run, or a file in it is damaged.
        OSError: the disk is full or the folder not writable.
    """
    from ganetics.generation.card import card_facts
    from ganetics.report.train import write_train_report

    return write_train_report(card_facts(run), run)
