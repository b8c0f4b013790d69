"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganetics.cli.place import Executors

GROUPS = (
    "of files: regular expression of what in a name (with a slash in it: in a path) must stay in one split, such as a "
    "patient; or dicom:PatientID"
)
"""Help of --groups."""

AcceptAudit = Annotated[
    bool, typer.Option("--accept-audit", help="train although the audit of the images found errors")
]
Address = Annotated[str | None, typer.Option(help="of a Ray cluster, HOST:PORT or auto [default: start one]")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]
DataDir = Annotated[Path | None, typer.Option(help="where the dataset's files already lie")]
Dataset = Annotated[
    str | None,
    typer.Option(help="digits, mnist, cifar10, medmnist:NAME, a folder, .csv or .npz of images [default: digits]"),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: cuda if there is a GPU")]
Groups = Annotated[str | None, typer.Option(help=GROUPS)]
MemoryMib = Annotated[
    int | None, typer.Option(min=100, help="memory that a job may take beyond an idle worker [default: no limit]")
]
Precision = Annotated[
    str | None, typer.Option(help="float32, or bfloat16: faster where the processor has it [default: the recipe's]")
]
RecipeName = Annotated[str | None, typer.Option(help="a named recipe [default: the dataset's]")]
Resume = Annotated[bool, typer.Option("--resume", help="go on with the run in the folder")]
Where = Annotated[Executors, typer.Option(help="where trials run")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="processes [default: one a core, as memory allows; Ray: its CPUs]")
]
