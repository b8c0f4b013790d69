"""A search in the state that its archive says, and its archive held to what this release would write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganetics._check import InputError
from ganetics.execution.process import uncollected
from ganetics.search.config import SearchConfig
from ganetics.search.evolve import Search
from ganetics.search.finals import Final
from ganetics.search.lines import Line, log_fid_of
from ganetics.search.rungs import Candidate, Trial

PLACE = ("candidate", "rung", "rate", "seed", "expression")


def restored(config: SearchConfig, lines: Sequence[Line], *, where: Path) -> Search:
    """Return the search in the state after these lines of its archive; nothing is drawn, screened or trained again.

    Only the last candidate is proposed anew, to see that this release goes on as the one that began.

    Raises:
        InputError: the lines are not of this configuration, or of another release; names ``where`` and the trial.
    """
    search = Search(config)
    last = max((line["index"] for line in lines if line.get("born")), default=-1)
    with uncollected():
        for line in lines:
            born = line.get("born")
            known = _candidate(len(search.candidates), born) if born and line["index"] != last else None
            trial = search.decide(known)
            expected = None if trial is None else _place(trial)
            found = (line["candidate"], line["rung"], line["rate"], line["seed"], born["expression"] if born else None)
            if expected != found:
                named, got = (place and dict(zip(PLACE, place, strict=True)) for place in (expected, found))
                raise InputError(f"{where}: trial {line['index']} must be {named!r} by this release, got {got!r}")
            search.commit(log_fid_of(line))
    return search


def hold_finals(finals: Sequence[Final], lines: Sequence[Line], *, where: Path) -> None:
    """Check that the archive's runs of the last round are the first of these.

    Raises:
        InputError: one is another; names ``where`` and which.
    """
    for final, line in zip(finals, lines, strict=False):
        expected = (final.name or final.expression, final.rate, final.seed)
        found = (line["name"] or line["expression"], line["rate"], line["seed"])
        if expected != found:
            raise InputError(f"{where}: final {final.index} must be {expected!r} by this release, got {found!r}")


def _candidate(number: int, born: Line) -> Candidate:
    return Candidate(
        number,
        born["expression"],
        born["complexity"],
        born["signature"],
        born["origin"],
        tuple(born["parents"]),
        born["rejected"],
    )


def _place(trial: Trial) -> tuple[Any, ...]:
    """Return what of a trial is held to the archive: :data:`PLACE`."""
    return (
        trial.candidate.number,
        trial.rung,
        trial.rate,
        trial.seed,
        trial.candidate.text if trial.born else None,
    )
