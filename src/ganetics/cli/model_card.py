"""A training run's model card, written anew whenever what it tells of has changed."""

from __future__ import annotations

from pathlib import Path

FILE = "card.md"


def write_model_card(run: Path) -> Path:
    """Write ``card.md`` from the records of a training run, and return its path.

    Raises:
        InputError: the folder holds no training run, or a file in it is damaged.
        OSError: the disk is full or the folder not writable.
    """
    from ganetics._files import write_atomically
    from ganetics.generation.card import card_facts
    from ganetics.report.model_card import render_model_card

    path = run / FILE
    write_atomically(path, render_model_card(card_facts(run)).encode())
    return path
