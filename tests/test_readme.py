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
from typing import Any

import pytest
import torch
from typer.main import get_command

from ganetics.cli.main import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))


def commands() -> list[tuple[str, str]]:
    """Return page and line of every command of ours in a block of code."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        code = "".join(re.findall(r"^```.*?\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))
        found += [(page.name, line) for line in re.findall(r"^(?:\.venv/bin/)?ganetics .*", code, flags=re.MULTILINE)]
    return found


COMMANDS = commands()


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
    named = {"search", "bench", "train", "sample", "export", "evaluate", "report", "doctor", "loss", "detect"}
    assert {shlex.split(line, comments=True)[1] for _, line in COMMANDS} == named


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_every_command_has_the_options_that_a_page_gives_it(page: str, line: str) -> None:
    found: Any = get_command(app)
    words = shlex.split(line, comments=True)[1:]
    while hasattr(found, "commands"):
        assert words[0] in found.commands, page
        found = found.commands[words.pop(0)]
    known = {option for one in found.params for option in one.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pictures_and_links_lead_to_a_file_or_a_heading(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^):#]*)(?:#([^)]+))?\)", text)
    assert len(links) == len(re.findall(r"\]\((?!https?:)", text))
    for target, heading in links:
        file = page.parent / target if target else page
        assert file.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_example_runs() -> None:
    script = ROOT / "examples" / "own_loop.py"
    done = subprocess.run([sys.executable, str(script), "300"], capture_output=True, text=True, check=True, timeout=120)
    found = re.fullmatch(r"D\(real\) (\S+), D\(generated\) (\S+); GANetic's equilibrium: 0\.599\n", done.stdout)
    assert found is not None
    assert list(map(float, found.groups())) == pytest.approx([0.599, 0.599], abs=0.06)  # 0.52 and 0.51 untrained


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
