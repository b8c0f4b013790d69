"""An audit as the command makes it, shows it, and lets it stop a training run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from ganetics._check import InputError, printable
from ganetics.cli.console import console, progress, warn

if TYPE_CHECKING:
    from ganetics.data.audit import Audit
    from ganetics.data.listing import Listing

PICTURE = 96
"""Longest side of a picture in the page, pixels."""
MOST = 20
"""Classes that a terminal is shown."""
SHOWN = ("train", "validation", "test", "all")
"""Splits, in the order in which they are shown."""


def audit_of(dataset: str, data_dir: Path | None, groups: str | None) -> tuple[Listing, Audit]:
    """Read all images of somebody's own, or of ``medmnist:NAME``, and return them with what was found.

    Raises:
        InputError: they cannot be listed, or the dataset is of :data:`ganetics.data.NAMED`: always the same.
    """
    from ganetics.data import NAMED
    from ganetics.data.audit import audit
    from ganetics.data.load import listed
    from ganetics.data.measure import measure_all

    if dataset in NAMED:
        raise InputError(f"--data: must be images of your own, got the public data set {dataset!r}")
    listing = listed(dataset, data_dir=data_dir, groups=groups)
    with progress("audit") as report:
        measured = measure_all(listing, report)
    return listing, audit(listing, measured)


def refusal(dataset: str, found: Audit) -> str:
    """Return in one line why nothing is trained on images; empty if nothing is wrong."""
    if not found.errors:
        return ""
    first, others = max(found.errors, key=lambda one: one.final), len(found.errors) - 1
    more = f" (and {others} error{'s' if others > 1 else ''} more)" if others else ""
    return f"{dataset}: the audit refuses these images: {first.message}{more}"


def checked(dataset: str, data_dir: Path | None, groups: str | None, *, accept: bool) -> Audit | None:
    """Return the audit of images that are to be trained on; warnings are told on standard error.

    None of :data:`ganetics.data.NAMED`, which are always the same; ``medmnist:NAME`` is audited as a folder is.

    Raises:
        InputError: there are errors, and they are not accepted, or nothing lifts them.
    """
    from ganetics.data import NAMED

    if dataset in NAMED:
        return None
    _, found = audit_of(dataset, data_dir, groups)
    refused, final = refusal(dataset, found), any(one.final for one in found.errors)
    if refused and (final or not accept):
        given = ["--data-dir", str(data_dir)] if data_dir else []
        given += ["--groups", groups] if groups else []
        see = shlex.join(["ganetics", "doctor", "--data", dataset, *given])
        lifts = "--accept-audit does not lift this" if final else "--accept-audit trains all the same"
        raise InputError(f"{refused}; {see} --html audit.html shows them, {lifts}")
    for finding in (*found.errors, *found.warnings):
        warn(f"audit: {finding.severity}: {finding.message}")
    return found


def write_page(page: Path, listing: Listing, found: Audit, command: str) -> None:
    """Write the audit's page, with pictures of the images concerned."""
    from ganetics._files import write_atomically
    from ganetics.data.decode import png
    from ganetics.report.audit import pictured, render_audit

    places = {entry.path: place for place, entry in enumerate(listing.entries)}
    pictures = {}
    for name in pictured(found):
        try:
            pictures[name] = png(listing.read(places[name]), PICTURE)
        except InputError:
            continue  # that is what is wrong with it
    write_atomically(page, render_audit(found, pictures, command).encode())


def show(found: Audit) -> None:
    """Print an audit for people."""
    splits = [name for name in SHOWN if any(name in row for row in found.counts.values())]
    counts = Table(box=None, pad_edge=False, title_justify="left", title=f"{found.dataset}: {found.images:,} images")
    for heading in ("class", *splits):
        counts.add_column(heading, justify="left" if heading == "class" else "right")
    for name, row in list(found.counts.items())[:MOST]:
        counts.add_row(name, *(f"{row.get(split, 0):,}" for split in splits))
    console.print(counts, markup=False)
    if len(found.counts) > MOST:
        console.print(f"and {len(found.counts) - MOST:,} more classes")
    groups = f"groups: {found.groups_told}"
    sizes, depths = (
        ", ".join(f"{name} ({count:,})" for name, count in part.items()) for part in (found.sizes, found.depths)
    )
    console.print(f"\n{groups}; sizes: {sizes}; {depths}\n", markup=False)
    for finding in found.findings:
        line = f"{finding.severity:8} {finding.rule}: {printable(finding.message)}"
        console.print(line, markup=False, soft_wrap=True)
    if not found.findings:
        console.print("nothing was found", markup=False)
