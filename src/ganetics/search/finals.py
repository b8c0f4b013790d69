"""The last round: the best candidates and their rivals, trained again at several rates on seeds no selection saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ganetics._check import one_of
from ganetics._random import seed_of
from ganetics.catalogue import CATALOGUE, expression_of, paired_expression_of
from ganetics.expressions.text import to_text
from ganetics.expressions.tree import Expression
from ganetics.search.config import SearchConfig
from ganetics.search.pairs import PAIRS, as_pairs, trained_as

PREVIEW = 64
"""Images in a preview."""


@dataclass(frozen=True)
class Final:
    """One training run of the last round."""

    index: int
    loss: str
    """What a trial is given: a catalogue name, or an expression, perhaps of pairs."""
    expression: str
    """As the archive has it: of pairs that which pairs are taken of; a rival that has none is there by its name."""
    paired: bool
    """Whether the search is one of pairs, and this is a loss of pairs."""
    name: str | None
    """The catalogue name, for a rival."""
    rate: float
    seed: int
    preview: str | None
    """File of the preview, relative to the run's folder; of the first seed at each rate."""


def rivals(config: SearchConfig) -> tuple[list[str], list[Expression]]:
    """Return the names of the rivals, and the expressions of those that the search could have found.

    Raises:
        InputError: a rival is not in the catalogue.
    """
    names = list(dict.fromkeys(one_of("rival", name, CATALOGUE) for name in config.rivals))
    pairs = config.mode == PAIRS
    known = [paired_expression_of(name) if pairs else expression_of(name) for name in names]
    return names, [as_pairs(rival) if pairs else rival for rival in known if rival is not None]


def plan(config: SearchConfig, finalists: Sequence[str]) -> list[Final]:
    """Return the runs of the last round, seed after seed, so that an interrupted round has complete comparisons.

    Args:
        config: names rivals, seeds and rates.
        finalists: texts of the losses that the search is proud of.

    Raises:
        InputError: a rival is not in the catalogue.
    """
    pairs = config.mode == PAIRS
    losses: list[tuple[str, str, bool, str | None]] = [
        (trained_as(text, config.mode), text, pairs, None) for text in finalists
    ]
    losses += [(name, *_expression(name, pairs=pairs), name) for name in rivals(config)[0]]
    finals: list[Final] = []
    for number in range(config.final_seeds):
        for rate_number, rate in enumerate(config.final_rates):
            for loss_number, (loss, text, paired, name) in enumerate(losses):
                stem = name or f"finalist-{loss_number + 1}"
                preview = f"previews/{stem}-rate-{rate_number + 1}.png" if number == 0 else None
                seed = seed_of(config.seed, "final", number)
                finals.append(Final(len(finals), loss, text, paired, name, rate, seed, preview))
    return finals


def _expression(name: str, *, pairs: bool) -> tuple[str, bool]:
    """Return a rival's expression, or its name if it has none, and whether the search is of pairs and it is, too."""
    if pairs and (base := paired_expression_of(name)) is not None:
        return to_text(as_pairs(base)), True
    expression = expression_of(name)
    return (name if expression is None else to_text(expression)), False
