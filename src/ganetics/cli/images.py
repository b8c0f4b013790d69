"""What there is to say of the images that were read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganetics.cli.console import warn

if TYPE_CHECKING:
    from ganetics.trial import TrialData

FEW = 50
"""Below so many images a side every figure is mostly chance."""


def warn_of_data(data: TrialData) -> None:
    """Name on standard error the images that were left out, and warn of a reference of few images."""
    warn_of_skipped(data.skipped)
    count, dimension = data.reference.features.shape
    if count < FEW:
        warn(
            f"only {count} real images to compare with: a Fréchet distance of {dimension} features against "
            f"{count} images is mostly noise, at any quality: go by the kernel distance (KID)"
        )


def warn_of_skipped(skipped: Iterable[str], *, option: str | None = None) -> None:
    """Name on standard error each image that was left out (path and reason), and the option that brought it."""
    for line in skipped:
        warn(f"skipped {line}" if option is None else f"{option}: skipped {line}")
