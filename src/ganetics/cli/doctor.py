"""``ganetics doctor``: what this machine has and what is at hand; or what is wrong with a set of images."""

from __future__ import annotations

import shlex
import shutil
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Annotated, Any

import torch
import typer
from rich.table import Table

from ganetics._check import InputError, MissingDependencyError
from ganetics.cli import audit, calibration
from ganetics.cli.console import console, print_json, warn
from ganetics.cli.options import AsJson, Groups
from ganetics.data import cache_folder
from ganetics.execution.process import environment
from ganetics.features import EXTRACTORS

DATASET_FILES: dict[str, tuple[str, ...]] = {
    "mnist": ("*train-images-idx3-ubyte*", "*t10k-images-idx3-ubyte*"),
    "cifar10": ("data_batch_1.bin", "test_batch.bin"),
}
"""Files by which a data set's folder is known (a fetched one has a hash before its name); ``digits`` is embedded."""
FOLDERS = (".", "mnist", "MNIST/raw", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin")
"""Where in a data folder they may lie: the places in which ganetics.data looks."""


def doctor(
    data_dir: Annotated[Path | None, typer.Option(help="also look for data sets here")] = None,
    calibrate: Annotated[bool, typer.Option(help="measure the best number of workers (below 15 seconds)")] = True,
    data: Annotated[
        str | None, typer.Option(help="audit these images instead: a folder, .csv or .npz, or medmnist:NAME")
    ] = None,
    groups: Groups = None,
    html: Annotated[
        Path | None, typer.Option(help="also write the audit as a page with the pictures concerned")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show device, cores, best number of workers, and which extractors and data are at hand.

    With --data: audit a set of images for what would spoil training or its figures; the exit status is 2 where training
    would not start.
    """
    if data is not None:
        audit_data(data, data_dir, groups, html, as_json=as_json)
        return
    for option, value in (("--groups", groups), ("--html", html)):
        if value is not None:
            raise InputError(f"{option}: belongs to --data, got {str(value)!r} without it")
    found = {
        **machine(),
        "workers": workers() if calibrate else None,
        "extractors": extractors(),
        "datasets": datasets(data_dir),
        "cache": cache(cache_folder()),
    }
    if as_json:
        print_json(found)
    else:
        show(found)


def audit_data(dataset: str, data_dir: Path | None, groups: str | None, html: Path | None, *, as_json: bool) -> None:
    """Audit a set of images and show what was found.

    Raises:
        InputError: they cannot be listed.
        Exit: there are errors; one line says so.
    """
    listing, found = audit.audit_of(dataset, data_dir, groups)
    if html is not None:
        # last parts of paths: the page may go to others
        given = {"--data": PurePath(dataset).name, "--groups": groups, "--html": html.name}
        words = [word for option, value in given.items() if value is not None for word in (option, value)]
        audit.write_page(html, listing, found, shlex.join(["ganetics", "doctor", *words]))
    if as_json:
        print_json(found)
    else:
        audit.show(found)
        if html is None and any(finding.files for finding in found.findings):
            console.print("with the images concerned: --html audit.html", markup=False)
    if refused := audit.refusal(dataset, found):
        warn(refused)
        raise typer.Exit(2)


def machine() -> dict[str, Any]:
    """Return device, processor, cores, memory and the versions that results depend on."""
    memory = calibration.available_mib()
    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "cores": calibration.cores(),
        "threads": torch.get_num_threads(),
        "available_mib": round(memory) if memory < float("inf") else None,
        **environment(),
    }


def workers() -> dict[str, Any]:
    """Measure how many workers do most, within the memory that is free."""
    memory = calibration.available_mib() / calibration.WORKER_MIB
    most = max(1, int(min(calibration.cores(), memory)))
    measured = calibration.calibrate(most)
    if measured is None:
        # one a core is right on most machines
        return {"recommended": most, "measured": False, "steps_a_second": {}}
    speeds = {str(count): round(value, 1) for count, value in measured.throughput.items()}
    return {"recommended": measured.recommended, "measured": True, "steps_a_second": speeds}


def extractors() -> list[dict[str, Any]]:
    """Return every extractor by name, whether its weights are there, and if not what to type."""
    found: list[dict[str, Any]] = []
    for name, known in EXTRACTORS.items():
        try:
            known.locate()
        except MissingDependencyError as error:
            found.append({"name": name, "ready": False, "install": str(error)})
        else:
            found.append({"name": name, "ready": True, "install": None})
    return found


def datasets(data_dir: Path | None) -> list[dict[str, Any]]:
    """Return every named data set, and the folder in which it was found. Nothing is downloaded."""
    found: list[dict[str, Any]] = [{"name": "digits", "ready": True, "where": "embedded"}]
    roots = [root for root in (data_dir, cache_folder() / "downloads") if root is not None]
    folders = [root / inner for root in roots for inner in FOLDERS]
    for name, patterns in DATASET_FILES.items():
        where = next((folder for folder in folders if _holds(folder, patterns)), None)
        found.append({"name": name, "ready": where is not None, "where": None if where is None else str(where)})
    return found


def _holds(folder: Path, patterns: tuple[str, ...]) -> bool:
    return folder.is_dir() and all(any(folder.glob(pattern)) for pattern in patterns)


def cache(folder: Path) -> dict[str, Any]:
    """Return the cache's folder, its size, and the free space of its disk (bytes)."""
    size = 0
    for file in folder.rglob("*") if folder.is_dir() else ():
        with suppress(OSError):  # others may be at work in it
            size += file.stat().st_size if file.is_file() else 0
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    return {"folder": str(folder), "bytes": size, "free_bytes": shutil.disk_usage(existing).free}


def show(found: dict[str, Any]) -> None:
    """Print what was found, for people."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in _lines(found):
        table.add_row(name, value)
    console.print(table)


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [
        ("device", f"{found['device']}; {found['cpu']} ({found['cpu_capability']})"),
        ("cores", f"{found['cores']}; torch {found['torch']} uses {found['threads']} threads"),
        ("workers", _workers_line(found["workers"])),
    ]
    for kind in ("extractors", "datasets"):
        for item in found[kind]:
            missing = item.get("install") or "not found: fetched at its first use, or give its folder with --data-dir"
            lines.append((item["name"], f"ready {item.get('where') or ''}".strip() if item["ready"] else missing))
    cached = found["cache"]
    size, free = cached["bytes"] / 2**20, cached["free_bytes"] / 2**30
    lines.append(("cache", f"{cached['folder']}: {size:.0f} MiB, {free:.1f} GiB free"))
    return lines


def _workers_line(workers: dict[str, Any] | None) -> str:
    if workers is None:
        return "not measured"
    if not workers["measured"]:
        return f"{workers['recommended']}: one a core, not measured (the machine is too busy to start workers in time)"
    speeds = ", ".join(f"{count}: {value:g}" for count, value in workers["steps_a_second"].items())
    return f"{workers['recommended']} recommended (steps a second by workers: {speeds})"
