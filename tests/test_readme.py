"""What the README shows is what runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from ganetics.cli.main import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"ganetics ((?:demo|search|report|train|sample|evaluate|doctor|loss \w+))", README)))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_loop_runs_as_written() -> None:
    (loop,) = blocks("python")
    found: dict[str, object] = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec(compile(loop, "README.md", "exec"), found)
    generator = found["G"]
    assert isinstance(generator, torch.nn.Linear)
    assert generator.bias.detach().tolist() == pytest.approx([3.0, 3.0], abs=1.0)  # where the real samples lie
    assert len(loop.strip().splitlines()) <= 16


def test_all_commands_are_found() -> None:
    assert {"demo", "search", "train", "sample", "evaluate", "report", "doctor", "loss export"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists(command: str) -> None:
    result = CliRunner().invoke(app, [*shlex.split(command), "--help"])
    assert result.exit_code == 0, result.output


def test_pictures_and_links_are_there() -> None:
    targets = re.findall(r"\]\(((?!https?:|#)[^)]+)\)", README)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target


def test_the_example_runs() -> None:
    script = ROOT / "examples" / "own_loop.py"
    done = subprocess.run([sys.executable, str(script), "300"], capture_output=True, text=True, check=True, timeout=120)
    d_real, d_fake = map(float, re.findall(r"0\.\d{3}", done.stdout)[:2])
    assert d_real == pytest.approx(0.599, abs=0.15)
    assert d_fake == pytest.approx(0.599, abs=0.15)
