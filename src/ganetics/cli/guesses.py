"""What a search is told to begin with, or to be compared with: ``--guess``, ``--warm-start``, ``--rival``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ganetics._check import InputError, one_of
from ganetics.catalogue import CATALOGUE
from ganetics.cli.console import warn
from ganetics.cli.loss_files import LossFile, read_losses
from ganetics.cli.losses_given import loss_text
from ganetics.search.guesses import MISFITS, misfit

WARM_START = "warm start"


def guesses_given(guesses: Sequence[str], file: Path | None, *, mode: str) -> tuple[str, ...]:
    """Return the names and expressions that a search begins with: those of ``--guess``, then those of a file.

    Of a hall of fame, which has rivals of both kinds in it, what does not fit the mode is left out, and one line on
    standard error says so. What somebody has written down himself must fit.

    Args:
        guesses: names, expressions, ``@FILE`` or ``@FILE#N``.
        file: a search's hall of fame, or a text file of one loss a line.
        mode: "tied", "separate" or "pairs".

    Raises:
        InputError: one is neither a name nor an expression, or does not fit; no such file, or one in which nothing
            fits; names file and line.
    """
    found = []
    for given in guesses:
        loss = loss_text(given, what="--guess")
        _check_fit(loss, mode, where=f"--guess: {given}" if given.startswith("@") else "--guess")
        found.append(loss)
    return (*found, *(() if file is None else _begun_with(read_losses(file, what=WARM_START), mode)))


def rivals_given(names: Sequence[str]) -> tuple[str, ...]:
    """Return the rivals that a command line names.

    Raises:
        InputError: one is not in the catalogue; names the nearest three, or says where an expression can be compared.
    """
    for name in names:
        if re.search(r"[^\w -]", name):
            raise InputError(f"--rival: must be a name of the catalogue, got {name!r}; ganetics bench takes any loss")
        one_of("rival", name, CATALOGUE)
    return tuple(names)


def _begun_with(file: LossFile, mode: str) -> list[str]:
    if file.unit == "line":
        for row in file.rows:
            _check_fit(row.loss, mode, where=f"{WARM_START}: {file.where(row)}")
        return [row.loss for row in file.rows]
    reasons = [_misfit(row.loss, mode, where=f"{WARM_START}: {file.where(row)}") for row in file.rows]
    out = [reason for reason in reasons if reason is not None]
    why = f"in {mode} mode: {_counted(out)}"
    if len(out) == len(reasons):
        raise InputError(f"{WARM_START}: none of the losses of {file.path} fits, {why}")
    if out:
        warn(f"{WARM_START}: {len(out)} of {len(reasons)} losses of {file.path} are left out, {why}")
    return [row.loss for row, reason in zip(file.rows, reasons, strict=True) if reason is None]


def _counted(reasons: Iterable[str]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in Counter(reasons).items())


def _check_fit(loss: str, mode: str, *, where: str) -> None:
    if (reason := _misfit(loss, mode, where=where)) is not None:
        raise InputError(f"{where}: {MISFITS[reason]}, got {loss!r}")


def _misfit(loss: str, mode: str, *, where: str) -> str | None:
    """Return why a search in this mode cannot begin with a loss: a key of :data:`MISFITS`; None: it can."""
    try:
        return misfit(loss, mode)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
