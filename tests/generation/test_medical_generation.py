"""The script of the medical generators: what it runs, what it leaves out, what it publishes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image

from ganetics.training.sampling import grid_png

FAILS = "least-squares-seed0"
"""A run whose training does not stay finite."""
BEST = 0.3
GRID = grid_png(torch.zeros(64, 3, 32, 32, dtype=torch.uint8))
"""Eight rows of eight images."""


@pytest.fixture
def script(benchmark: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, its commands not run: each leaves what it would, and is noted in ``asked``."""
    found: Any = benchmark("medical_generation")
    found.asked = []

    def call(command: Any) -> None:
        if command.done.exists():
            return
        found.asked.append(command.arguments)
        run = command.done.parent
        run.mkdir(parents=True, exist_ok=True)
        if command.arguments[0] == "bench":
            losses = command.arguments[command.arguments.index("--losses") + 1].split(",")
            lines = [
                {"loss": loss, "lr": rate_of(run.name, loss) * rate / BEST, "rate": rate, "fid": 40.0}
                for loss in losses
                for rate in (BEST / 3, BEST)
            ]
            (run / "archive.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            command.done.write_text(json.dumps({"tuned": {loss: {"rate": BEST} for loss in losses}}))
            return
        if command.arguments[0] == "train":
            (run / "samples").mkdir()
            (run / "samples" / "step-000007.png").write_bytes(GRID)
            (run / "closest.png").write_bytes(b"real")
            (run / "config.json").write_text(json.dumps({"dataset": command.arguments[3]}))
        failure = {"kind": "diverged"} if run.name == FAILS else None
        command.done.write_text(json.dumps({"outcome": {"failure": failure}}))

    monkeypatch.setattr(found, "call", call)
    return found


def rate_of(bench: str, loss: str) -> float:
    """A learning rate that no other benchmark or loss has."""
    return {"rates": 1e-3, "rates-further": 1e-2, "rates-resnet": 1e-4}[bench] * (1 + len(loss))


def carried_out(script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *options: str) -> list[tuple[str, ...]]:
    places = ("--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"))
    monkeypatch.setattr(sys, "argv", ["medical_generation", *options, *places])
    script.main()
    found: list[tuple[str, ...]] = script.asked
    return found


def test_the_pair_has_more_seeds_than_the_rest_and_each_its_rate(
    script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = carried_out(script, monkeypatch, tmp_path, "polyp", "--seeds", "4", "--further-seeds", "2")
    trained = [line for line in asked if line[0] == "train"]
    names = [Path(line[1]).name for line in trained]
    assert len(names) == len(set(names)) == 4 * 2 + 2 * 3 + 2 * 2
    assert {name for name in names if name.endswith("seed3")} == {"ganetic-seed3", "non-saturating-seed3"}
    assert {name for name in names if name.startswith("resnet")} == {
        f"resnet-{loss}-seed{seed}" for loss in script.RESNET for seed in range(2)
    }
    for line in trained:
        recipe, loss, rate = (line[line.index(option) + 1] for option in ("--recipe", "--loss", "--rate"))
        bench = "rates-resnet" if recipe == "images-64-resnet" else "rates" if loss in script.PAIR else "rates-further"
        assert rate == f"{rate_of(bench, loss):g}"
    steps = {line[line.index("--recipe") + 1]: line[line.index("--steps") + 1] for line in trained}
    assert steps == {"images-64": "2500", "images-64-resnet": "1000"}
    told = {Path(line[1]).name: line for line in asked if line[0] == "bench"}
    chosen_at = {name: line[line.index("--steps") + 1] for name, line in told.items()}
    assert chosen_at == {"rates": "1250", "rates-further": "833", "rates-resnet": "333"}
    groups = {line[line.index("--groups") + 1] for line in asked if "--groups" in line}
    assert groups == {r"seq\d+"}


def test_what_failed_is_published_and_not_evaluated_and_nothing_shows_a_real_image(
    script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = carried_out(script, monkeypatch, tmp_path, "histology", "--seeds", "1", "--further-seeds", "1")
    evaluated = {Path(line[2]).name for line in asked if line[0] == "evaluate"}
    runs = {path.name for path in (tmp_path / "out" / "histology").iterdir() if not path.name.startswith("rates")}
    assert runs - evaluated == {FAILS}
    published = {path.name for path in (tmp_path / "out" / "histology" / FAILS).iterdir()}
    assert published == {"config.json", "metrics.json", "samples.png"}
    config = json.loads((tmp_path / "out" / "histology" / FAILS / "config.json").read_text())
    assert config == {"dataset": "DIR/histology-colon"}
    assert [line[0] for line in asked][-1] == "report"


def test_a_loss_that_fails_at_every_rate_is_not_trained(
    script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench = tmp_path / "out" / "fundus" / "rates-further"
    bench.mkdir(parents=True)
    (bench / "tables.json").write_text(json.dumps({"tuned": {"least-squares": {"rate": 0.3}}}))
    (bench / "archive.jsonl").write_text(json.dumps({"loss": "least-squares", "lr": 3e-4, "rate": 0.3, "fid": None}))
    asked = carried_out(script, monkeypatch, tmp_path, "fundus", "--seeds", "1", "--further-seeds", "1")
    trained = {Path(line[1]).name for line in asked if line[0] == "train"}
    assert trained == {"non-saturating-seed0", "ganetic-seed0"}


def test_sheets_are_whole_for_the_first_seed_and_short_for_the_others(
    script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    carried_out(script, monkeypatch, tmp_path, "fundus", "--seeds", "2", "--further-seeds", "0")
    out = tmp_path / "out" / "fundus"
    for seed, rows in enumerate((script.FIRST_ROWS, script.ROWS)):
        with Image.open(out / f"ganetic-seed{seed}" / "samples.png") as sheet:
            assert sheet.height == 2 + rows * (32 + 2)


def test_a_trial_of_few_steps_lies_apart(script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    carried_out(script, monkeypatch, tmp_path, "fundus", "--seeds", "1", "--further-seeds", "0", "--steps", "7")
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out-7-steps" / "fundus" / "ganetic-seed0" / "metrics.json").exists()


def test_it_goes_on_from_what_is_published(script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = ("polyp", "--seeds", "2", "--further-seeds", "1")
    carried_out(script, monkeypatch, tmp_path, *options)
    shutil.rmtree(tmp_path / "work")  # another machine
    (tmp_path / "out" / "polyp" / "ganetic-seed1" / "metrics.json").unlink()  # killed while it published
    script.asked.clear()
    asked = carried_out(script, monkeypatch, tmp_path, *options)
    assert [line[0] for line in asked] == ["train", "evaluate", "report"]
    assert Path(asked[0][1]).name == "ganetic-seed1"


def test_it_ends_where_a_command_has_not(script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = sys.modules[script.carry_out.__module__]

    def call(command: Any) -> None:
        raise module.NotEndedError(f"{command.arguments[0]}: has not ended")

    monkeypatch.setattr(script, "call", call)
    with pytest.raises(SystemExit, match=r"^rates: 2 of 2 have not ended: bench: has not ended$"):
        carried_out(script, monkeypatch, tmp_path, "fundus")
