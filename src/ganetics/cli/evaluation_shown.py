"""An evaluation for people: its figures, how to read them, and what makes them mean less than they seem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from ganetics.cli.console import console, warn
from ganetics.report.evaluated import ALIKE, FOUND, copying, figure_rows, in_words
from ganetics.report.words import words

if TYPE_CHECKING:
    from ganetics.generation.results import Evaluation


def warn_of(result: Evaluation, where: str) -> None:
    """Say on standard error why a copy rate may mean less than it seems."""
    if result.held_out_duplicates:
        warn(
            f"{where}: {result.held_out_duplicates} of {result.n_real} real images are training images too: "
            "they are not held out, and the control of the copy rate is made without them"
        )
    missed = [name for name, share in (result.copy_rate_replayed or {}).items() if share < FOUND]
    if missed:
        warn(
            f"copy rate: training images {' or '.join(missed)} are not found reliably among these images: "
            "a low rate does not rule such copies out"
        )
    if (result.copy_rate_control or 0) > ALIKE:
        warn(
            f"copy rate: {result.copy_rate_control:.2f} of the held-out real images count as copies too: "
            "a rate near that says nothing"
        )


def rows(result: Evaluation) -> list[tuple[str, str, str]]:
    """Return (figure, value, how to read it) of every figure."""
    found = figure_rows(result)
    if result.copy_rate is not None and result.copy_rate_interval is not None:
        low, high = result.copy_rate_interval
        meaning = (
            f"of {result.looked_at:,} generated images those that count as copies of training images; 95 %: "
            f"{low:.4f} to {high:.4f}"
        )
        found.append(("copy rate", f"{result.copy_rate:.3f}", meaning))
        control = f"the same of {result.strangers:,} held-out real images"
        if result.copy_rate_control_interval is not None:
            control += "; 95 %: {:.4f} to {:.4f}".format(*result.copy_rate_control_interval)
        found.append(("  control", f"{result.copy_rate_control:.3f}", control))
        for name, share in (result.copy_rate_replayed or {}).items():
            found.append(("  found", f"{share:.3f}", f"the same of training images {name}"))
    for probe in () if result.utility is None else result.utility.probes:
        one, value = ("AUROC", probe.auroc) if probe.auroc is not None else ("accuracy", probe.balanced_accuracy)
        on = "real and generated" if probe.trained_on == "both" else probe.trained_on
        meaning = f"of a linear probe trained on {on} images ({probe.n:,})"
        found.append((one, words(value), meaning))
    return found


def show(result: Evaluation, *, skipped: int = 0) -> None:
    """Print the table for people, and how to read it."""
    table = Table(box=None, pad_edge=False)
    for column in ("figure", "value", "meaning"):
        table.add_column(column)
    for row in rows(result):
        table.add_row(*row)
    console.print(table)
    console.print(f"\n{in_words(result)}", soft_wrap=True)
    if result.copy_rate is not None:
        console.print(f"\n{copying(result)}", soft_wrap=True)
    split = "" if result.split is None else f" ({result.split})"
    sides = f"{result.n} generated and {result.n_real} real images{split}"
    trained = "" if result.n_train is None else f", {result.n_train} training images"
    left_out = f", {skipped} skipped" if skipped else ""
    console.print(f"\n{sides}{trained}{left_out}; {result.extractor.name}, resize: {result.resize}.")
    console.print(
        f"The floor compares two halves of {result.floor_n} real images; at {result.n_real} a side it would be lower."
    )
    if result.utility is not None:
        console.print(
            "The probe is logistic regression on frozen features, tested on the held-out real images: it says what the "
            "features see of the classes, not what a network trained on generated images would learn."
        )
