"""What the README shows is what runs."""

from __future__ import annotations

import json
import math
import re
import shlex
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest
import torch
from typer.testing import CliRunner

from ganetics.cli.main import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = r"ganetics ((?:demo|search|report|train|sample|export|evaluate|doctor|loss \w+))"
COMMANDS = sorted(set(re.findall(NAMES, README)))


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
    named = {"demo", "search", "train", "sample", "export", "evaluate", "report", "doctor", "loss export"}
    assert named <= set(COMMANDS)


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


def table(first_heading: str) -> list[list[str]]:
    """Return the cells of the rows of the README's table whose second heading begins with this."""
    lines = README.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| loss | {first_heading}"))
    rows = lines[start + 2 : start + 2 + next(i for i, line in enumerate(lines[start + 2 :]) if not line)]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def geometric_mean(values: list[float]) -> float:
    return math.exp(fmean(map(math.log, values)))


def test_figures_of_the_rate_sweep_are_those_of_the_results() -> None:
    fid = json.loads((ROOT / "results/rates-mnist/summary.json").read_text())["fid"]
    rows = table("rate 0.000316")
    assert {row[0] for row in rows} == set(fid)
    for name, *cells in rows:
        assert cells == [f"{geometric_mean(values):.1f}" for values in fid[name].values()]


def test_figures_of_the_search_are_those_of_the_results() -> None:
    fame = json.loads((ROOT / "results/search-mnist-tied/hall_of_fame.json").read_text())
    by_name = {entry["name"] or f"candidate {entry['candidate']}": entry["finals"] for entry in fame}
    rows = table("rate ×0.3")
    assert len(rows) == 7
    for name, *cells in rows:
        runs = by_name[re.sub(r"^evolved, (candidate \d+): .*", r"\1", name)]
        means = [geometric_mean([run["fid"] for run in runs if run["rate"] == rate]) for rate in (0.3, 1.0, 3.0)]
        assert cells == [f"{value:.1f}" for value in (*means, max(run["fid"] for run in runs))]


def test_every_folder_of_results_is_in_their_index() -> None:
    index = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    listed = {
        name
        for row in re.findall(r"^\| (`.*?) \|", index, flags=re.MULTILINE)
        for name in re.findall(r"`([\w-]+)`", row)
    }
    assert listed == {folder.name for folder in (ROOT / "results").iterdir() if folder.is_dir()}
