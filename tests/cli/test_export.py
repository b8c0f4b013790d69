"""``ganetics export``, and the model card that ``train`` leaves."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from ganetics._check import InputError, MissingDependencyError
from ganetics.generation import export as module
from ganetics.generation import fit
from ganetics.records import to_json


def command_in(card: str) -> list[str]:
    found = re.search(r"^```sh\n(.+)\n```$", card, flags=re.MULTILINE)
    assert found is not None
    return shlex.split(found.group(1))


def test_a_generator_is_exported_with_its_card(
    train_run: Any, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Any:
        raise MissingDependencyError("export to ONNX: onnx is not installed: pip install onnx, or ganetics[onnx]")

    monkeypatch.setattr(module, "runtime", missing)
    out = tmp_path / "out"
    ended = command("export", train_run.path, "--out", out, "--json")
    names = ["generator.safetensors", "generator.json", "card.md"]
    assert json.loads(ended.out) == {"run": str(train_run.path), "out": str(out), "files": names}
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    assert ended.err == (
        "ganetics: export to ONNX: onnx is not installed: pip install onnx, or ganetics[onnx]; written without it: "
        "generator.safetensors, generator.json, card.md\n"
    )
    assert (out / "card.md").read_bytes() == (train_run.path / "card.md").read_bytes()
    again = command("export", train_run.path, "--out", out)
    assert (again.status, again.complaint) == (2, f"{out}: must be an empty folder or not be there yet")


def test_with_onnx_there_is_a_graph_and_a_script(train_run: Any, command: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    ended = command("export", train_run.path, "--out", tmp_path / "out")
    assert (ended.status, ended.err) == (0, "")
    files = "generator.safetensors, generator.json, generator.onnx, sample.py, card.md"
    assert ended.out == f"{files} in {tmp_path / 'out'}\n"


def test_a_search_holds_no_generator(search_run: Any, command: Any, tmp_path: Path) -> None:
    ended = command("export", search_run.path, "--out", tmp_path / "out")
    assert (ended.status, ended.complaint) == (2, f"{search_run.path}: holds a search, not a training run")
    assert not (tmp_path / "out").exists()


def test_a_run_has_a_card_and_its_command_makes_the_run_again(train_run: Any, command: Any, tmp_path: Path) -> None:
    files = train_run.files()
    for name in ("timings.jsonl", "report.html"):  # they say how long it took
        del files[name]
    words = command_in(files["card.md"].decode())
    assert words[:3] == ["ganetics", "train", "RUN"]
    run = tmp_path / "run"
    assert command("train", run, *words[3:]).status == 0
    found = {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert {name: found[name] for name in files} == files


def test_a_licence_is_kept_goes_into_the_card_and_can_be_stated_later(command: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert command("train", run, "--steps", 2, "--json").status == 0
    assert "**Licence:** not stated" in (run / "card.md").read_text()
    before = {name: (run / name).read_bytes() for name in ("config.json", "metrics.json", "checkpoint/state.json")}
    assert command("train", run, "--resume", "--licence", "CC BY 4.0").status == 0
    assert command("train", run, "--resume").status == 0
    assert "**Licence:** CC BY 4.0" in (run / "card.md").read_text()
    assert {name: (run / name).read_bytes() for name in before} == before
    ended = command("train", tmp_path / "other", "--licence", "two\nlines")
    assert (ended.status, "train: licence: Value error, must be one line of text" in ended.complaint) == (2, True)
    assert not (tmp_path / "other").exists()


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the configurations of runs, which end where training would begin."""
    found: list[Any] = []

    def catch(_: Path, config: Any, *rest: Any, **options: Any) -> None:
        found.append(config)
        raise InputError("caught")

    monkeypatch.setattr(fit, "fit", catch)
    return found


@pytest.mark.parametrize(
    "options",
    [
        ["--recipe", "digits", "--augment", "adaptive", "--rate-half-life", "70.5", "--precision", "bfloat16"],
        ["--conditional", "--loss", "2*p - y+r1:0.5/16+clip:0.25", "--ema-half-life", 1e-7, "--groups", r"^p\d+"],
        ["--patience", 3, "--evaluate-every", 50, "--steps", 50, "--rate", 0.1 + 0.2, "--seed", -4, "--image-size", 16],
    ],
)  # fmt: skip
def test_the_command_of_own_images_says_all_that_was_asked_for(
    options: list[Any], caught: list[Any], gray_images: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganetics.generation.command import beyond_command, train_command

    assert command("train", "RUN", "--dataset", gray_images, *options).err.endswith("ganetics: caught\n")
    monkeypatch.chdir(gray_images.parent)
    words = shlex.split(train_command(caught[0]))
    assert command(*words[1:]).err.endswith("ganetics: caught\n")
    assert to_json(caught[0]) == to_json(caught[1])
    assert beyond_command(caught[0]) == ()
