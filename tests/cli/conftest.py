"""The command in this process, and a small run of each kind that it has made."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganetics.cli import main
from ganetics.data import load
from ganetics.data.decode import read_image
from ganetics.execution.process import prepared


@dataclass(frozen=True)
class Ended:
    """How a command has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What ``--json`` has printed; fails if that is not one line that is one object."""
        assert self.status == 0, self.err
        line, rest = self.out.split("\n", 1)
        assert rest == ""
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    @property
    def complaint(self) -> str:
        """The one line on standard error; fails if there are more, or anything on standard output."""
        assert self.out == ""
        assert self.err.startswith("ganetics: ")
        assert self.err.count("\n") == 1
        assert self.err.endswith("\n")
        return self.err.removeprefix("ganetics: ").rstrip("\n")


Command = Callable[..., Ended]


@pytest.fixture(scope="session")
def command() -> Command:
    """Return what runs ``ganetics`` with arguments."""

    def run(*arguments: object) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        with prepared(), redirect_stdout(out), redirect_stderr(err):
            status = main.run([str(argument) for argument in arguments])
        return Ended(status, out.getvalue(), err.getvalue())

    return run


@dataclass(frozen=True)
class Run:
    """A folder of a run, and what the command has printed that made it. No test may change it."""

    path: Path
    ended: Ended

    def files(self) -> dict[str, bytes]:
        """Name → content of all files but the lock."""
        found = (path for path in self.path.rglob("*") if path.is_file() and path.name != ".lock")
        return {str(path.relative_to(self.path)): path.read_bytes() for path in found}


@pytest.fixture(scope="session")
def search_run(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a search of four losses; none of its settings is the default."""
    path = tmp_path_factory.mktemp("search") / "run"
    small = [
        "--trials",
        "4",
        "--population",
        "4",
        "--steps",
        "10",
        "--finalists",
        "1",
        "--final-seeds",
        "1",
        "--workers",
        "1",
    ]
    return Run(path, command("search", path, *small, "--seed", 3, "--guess", "(p - y)**2", "--json"))


@pytest.fixture(scope="session")
def train_run(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a training run of ten steps; none of its settings is the default."""
    path = tmp_path_factory.mktemp("train") / "run"
    given = ["--loss", "least-squares", "--steps", "10", "--rate", "0.001", "--seed", "3"]
    return Run(path, command("train", path, *given, "--json"))


@pytest.fixture
def gray_images(tmp_path: Path) -> Path:
    """Return a folder of 60 gray images of 30 patients and two classes, nothing wrong with them."""
    folder = tmp_path / "images"
    for number in range(60):
        coarse = np.random.default_rng(number).integers(0, 256, (9, 9), dtype=np.uint8)
        file = folder / "ab"[number // 2 % 2] / f"p{number // 2:02d}_{number % 2}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize((24, 24), Image.Resampling.BICUBIC).save(file)
    return folder


@pytest.fixture
def copied_images(gray_images: Path) -> Path:
    """Return a folder of which a held-out image is in train, too."""
    parts = {
        split: {tuple(image.flatten().tolist()) for image in load(str(gray_images), split=split).images}
        for split in ("train", "test")
    }
    files = {}
    for file in sorted(gray_images.rglob("*.png")):
        pixels = tuple(read_image(file).flatten().tolist())
        files.setdefault(next((split for split in parts if pixels in parts[split]), ""), file)
    files["test"].write_bytes(files["train"].read_bytes())
    return gray_images
