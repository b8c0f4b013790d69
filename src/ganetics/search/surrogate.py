"""A guess at how well a loss trains, from the losses trained before: its nearest neighbours by shape.

What training feels of a loss are its slopes, and Adam takes no notice of their scale; so losses are compared by their
slopes over the logit, each player's divided by its largest. On the pool of learning curves
(``benchmarks/replay.py``) the best guessed of a few random losses is two to three times as often a good one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganetics.expressions.numeric import term_gradients
from ganetics.expressions.primitives import Array
from ganetics.expressions.tree import Expression
from ganetics.search.screen import LOGITS

NEIGHBOURS = 4
MEMORY = 200
"""Losses that are remembered: the latest."""
FEWEST = 12
"""With fewer there is no guess."""
BEND = 20.0
"""Slopes are compressed by arcsinh: differences in the small ones count, too."""


def shape(expression: Expression) -> Array:
    """Return the loss's slopes, float64 ``[93]``: real, fake and generator term over :data:`~.screen.LOGITS`."""
    slopes = term_gradients(expression, LOGITS)
    parts = (np.concatenate([slopes.real, slopes.fake]), slopes.generator)
    bent: Array = np.arcsinh(BEND * np.concatenate([part / max(float(np.abs(part).max()), 1e-300) for part in parts]))
    return bent


def predictions(shapes: Array, known: Array, scores: Sequence[float]) -> Array:
    """Return the expected rank of each loss, 0 the best to 1 the worst: its neighbours' mean by inverse distance.

    Args:
        shapes: float64 ``[n, d]``, of the losses to guess at.
        known: float64 ``[m, d]``, of those that were trained; m at least :data:`NEIGHBOURS`.
        scores: m numbers, lower is better, of which the order counts.
    """
    ranks = np.argsort(np.argsort(scores, kind="stable"), kind="stable") / max(len(scores) - 1, 1)
    distances = np.sqrt(np.square(shapes[:, None, :] - known[None, :, :]).sum(axis=2))
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]
    weights = 1.0 / np.maximum(np.take_along_axis(distances, nearest, axis=1), 1e-6)
    guessed: Array = (weights * ranks[nearest]).sum(axis=1) / weights.sum(axis=1)
    return guessed
