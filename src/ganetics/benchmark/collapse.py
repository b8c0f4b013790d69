"""When a run counts as collapsed."""

from __future__ import annotations

from collections.abc import Mapping

COVERAGE = 0.05
"""Of 5,000 against 5,000 images (``results/collapse-rule``): equal distributions have 0.94 to 0.97, runs at a right
rate on MNIST 0.08 to 0.16, 32 real images repeated 0.03, noise below 0.01. A generator that repeats m images covers
about 5 m / n of n real ones: the fewer real images, the fewer repeated ones it takes to pass (32 of 2,000: 0.08)."""
RULE = f"failed, or at the last step fewer than {COVERAGE:.0%} of the real images have a generated one near (coverage)"


def collapsed(metrics: Mapping[str, float] | None) -> bool:
    """Tell whether a run has collapsed by :data:`RULE`.

    Coverage (Naeem et al. 2020, arXiv 2002.09797) does not depend on the scale of the features, so that one number
    serves all extractors. It sees generators that lost most of the data, not those that lost a part: for these there
    are coverage and recall themselves.

    Args:
        metrics: of the last step, with ``coverage``; None for a failed run.

    >>> collapsed({"coverage": 0.3}), collapsed({"coverage": 0.01}), collapsed(None)
    (False, True, True)
    """
    return metrics is None or metrics["coverage"] < COVERAGE
