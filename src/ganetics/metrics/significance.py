"""Correction of p-values for how many tests there are."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values corrected for their number, in the order given: Holm 1979 (Scand. J. Statist. 6, 65 to 70).

    What could not be tested (None) stays None and counts as one of the family: as a p-value of 1.

    >>> [round(p, 4) for p in holm([0.5, 0.003, 0.32, 0.054, 0.0003])]
    [0.64, 0.012, 0.64, 0.162, 0.0015]
    """
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    for step, (p, place) in enumerate(tested):
        largest = min(max(largest, (len(p_values) - step) * p), 1.0)
        corrected[place] = largest
    return corrected
