"""What there is to say of the images that were read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ganetics.cli.console import warn

if TYPE_CHECKING:
    from ganetics.trial import TrialData

FEW = 50
"""Below so many images a side every figure is mostly chance."""


def gone_on_with(run: Path, stored: str, given: str | None) -> str:
    """Return where a run that is gone on with has its images: where it began, or those given, which are compared later.

    Args:
        run: its folder.
        stored: the dataset in its configuration.
        given: with --resume; images of one's own may lie elsewhere by now.

    Raises:
        InputError: one of them is known by name, and they are not the same.
    """
    from ganetics.data import is_named, resolved
    from ganetics.execution.log import hold

    if given is None:
        return stored
    if is_named(stored) or is_named(given):  # before another one is fetched
        hold(run, "dataset", stored, resolved(given))
    return given


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
