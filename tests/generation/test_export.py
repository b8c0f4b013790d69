"""What is exported makes the images that the run makes, without PyTorch."""

from __future__ import annotations

import builtins
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ganetics._check import InputError
from ganetics.generation import export as module
from ganetics.generation.export import CHECKED, SAME, ExportedGenerator, difference, export, load_generator
from ganetics.generation.fit import configuration
from ganetics.generation.sample import sample_run
from ganetics.records import Recipe, from_json, to_json
from ganetics.training import RECIPES, TrainingState, checkpoint, start
from ganetics.training.sampling import decode
from ganetics.trial import TrialData, load_trial_data

TINY = RECIPES["digits"].model_copy(update={"width": 2, "latent_dim": 4, "eval_samples": 20, "ema_half_life": 100.0})
RECIPES_TRIED = {
    "dcgan": TINY,
    "dcgan of classes": TINY.model_copy(update={"classes": 10}),
    "resnet of classes": TINY.model_copy(update={"model": "resnet", "classes": 10, "width": 1, "image_size": 32}),
}


@pytest.fixture(scope="module")
def data() -> TrialData:
    return load_trial_data("digits", None, TINY)


def spread(net: nn.Module) -> None:
    """Give a net weights and statistics that make images differ, as training does."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for key, values in net.state_dict().items():
            if values.is_floating_point():
                drawn = torch.rand(values.shape, generator=random)
                values.add_(drawn if key.endswith("running_var") else drawn - 0.5)


def made(run: Path, recipe: Recipe, data: TrialData, folder: str = "checkpoint") -> TrainingState:
    state = start(recipe, 3)
    assert state.average is not None
    spread(state.average)
    run.mkdir(exist_ok=True)
    config = configuration("digits", "hinge", recipe, data, seed=3)
    (run / "config.json").write_text(to_json(config))
    checkpoint.save(run / folder, state)
    return state


def run_script(
    out: Path, *arguments: object, without: tuple[str, ...] = ("torch", "ganetics", "PIL", "scipy")
) -> subprocess.CompletedProcess[str]:
    program = f"import runpy, sys; sys.modules.update(dict.fromkeys({without})); " \
              "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"  # fmt: skip
    command = [sys.executable, "-c", program, out / "sample.py", *arguments]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", RECIPES_TRIED)
def test_graph_weights_and_script_make_the_images_of_the_run(name: str, data: TrialData, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    recipe, run, out = RECIPES_TRIED[name], tmp_path / "run", tmp_path / "out"
    state = made(run, recipe, data)
    assert export(run, out) == (["generator.safetensors", "generator.json", "generator.onnx", "sample.py"], None)
    assert not list(out.glob(".*"))

    net, described = load_generator(out)
    assert described.weights_sha256 == hashlib.sha256((out / "generator.safetensors").read_bytes()).hexdigest()
    assert (described.recipe, described.loss, described.seed, described.average) == (recipe, "hinge", 3, True)
    assert described.data == data.train.identity
    assert described.graph is not None
    assert (described.graph.latents, described.graph.tolerance) == (CHECKED, SAME)
    assert described.graph.largest_difference <= SAME
    z = torch.randn(5, recipe.latent_dim, generator=torch.Generator().manual_seed(7))
    labels = torch.arange(5) if recipe.classes else None
    images = decode(state.sampler, z, labels)
    assert len({image.numpy().tobytes() for image in images}) == 5
    assert torch.equal(decode(net, z, labels), images)
    given = {"latents": z} if labels is None else {"latents": z, "labels": labels}
    assert difference(out / "generator.onnx", net, given) <= SAME

    assert run_script(out, tmp_path / "a.npz", "--count", 70, "--seed", 5).stderr == ""
    found = np.load(tmp_path / "a.npz")
    assert (found["images"].dtype, found["images"].shape) == (np.uint8, (70, recipe.image_size, recipe.image_size, 1))
    z = torch.from_numpy(np.random.default_rng(5).standard_normal((70, recipe.latent_dim), dtype=np.float32))
    turns = torch.arange(70) % 10 if recipe.classes else None
    expected = decode(state.sampler, z, turns).permute(0, 2, 3, 1).numpy()
    assert np.abs(found["images"].astype(int) - expected).max() <= 1
    assert np.mean(found["images"] == expected) > 0.99
    assert ("labels" in found) == bool(recipe.classes)
    assert run_script(out, tmp_path / "a.png", "--count", 10, "--seed", 5, without=("torch", "ganetics")).stderr == ""
    with Image.open(tmp_path / "a.png") as picture:
        pixels, side = np.asarray(picture), recipe.image_size
        assert (picture.mode, pixels.shape) == ("L", (2 * side, 8 * side))
    ten = pixels.reshape(2, side, 8, side).swapaxes(1, 2).reshape(16, side, side)
    assert np.abs(ten[:10].astype(int) - found["images"][:10, ..., 0]).max() <= 1
    assert (ten[10:] == 255).all()


def test_the_script_asks_for_a_class_and_refuses_what_it_has_not(data: TrialData, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out = tmp_path / "out"
    state = made(tmp_path / "run", RECIPES_TRIED["dcgan of classes"], data)
    export(tmp_path / "run", out)
    assert run_script(out, tmp_path / "a.npz", "--class", "7", "--count", 3).stderr == ""
    found = np.load(tmp_path / "a.npz")
    assert found["labels"].tolist() == [7, 7, 7]
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 4), dtype=np.float32))
    expected = decode(state.sampler, z, torch.full((3,), 7)).permute(0, 2, 3, 1).numpy()
    assert np.abs(found["images"].astype(int) - expected).max() <= 1
    for given, told in (
        (["--class", "x"], "--class must be one of 0, 1, 2"),
        (["--count", "0"], "--count must be at least 1 and --seed at least 0, got 0 and 0"),
        (["--seed", "-1"], "got 64 and -1"),
    ):
        ended = run_script(out, tmp_path / "b.npz", *given)
        assert (ended.returncode, told in ended.stderr) == (2, True), ended.stderr
    assert "must end in .npz or .png" in run_script(out, tmp_path / "b.npy").stderr
    assert not (tmp_path / "b.npz").exists()


def test_the_best_state_is_exported_as_sample_takes_it(
    data: TrialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "runtime", missing)
    run = tmp_path / "run"
    made(run, TINY, data, "checkpoint")
    best = made(run, TINY, data, "best")
    assert best.average is not None
    with torch.no_grad():
        next(best.average.parameters()).mul_(2.0)
    checkpoint.save(run / "best", best)
    export(run, tmp_path / "out")
    net, _ = load_generator(tmp_path / "out")
    assert torch.equal(decode(net, latents(TINY, "sample")), sample_run(run, 6).images)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), best.average.parameters(), strict=True))


def latents(recipe: Recipe, role: str) -> torch.Tensor:
    from ganetics._random import torch_generator

    return torch.randn(16, recipe.latent_dim, generator=torch_generator(0, role))[:6]


def missing() -> Any:
    raise module.MissingDependencyError("export to ONNX: onnx is not installed: pip install onnx")


def test_a_graph_that_differs_is_not_given_out(
    data: TrialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    made(tmp_path / "run", TINY, data)
    monkeypatch.setattr(torch.onnx, "export", lambda _, __, path, **options: Path(path).write_bytes(b""))
    for found in (0.5, float("nan")):
        monkeypatch.setattr(module, "difference", lambda *_, found=found: found)
        with pytest.raises(RuntimeError, match=r"the ONNX graph gives other images than the generator: they differ by"):
            export(tmp_path / "run", tmp_path / "out")
        assert list((tmp_path / "out").iterdir()) == []


def test_without_onnx_the_weights_are_written_and_what_is_missing_is_named(
    data: TrialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "run", TINY, data)
    plain = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name == "onnxruntime":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return plain(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    files, told = export(tmp_path / "run", tmp_path / "out")
    assert files == ["generator.safetensors", "generator.json"]
    assert told is not None
    assert told.startswith("export to ONNX: onnxruntime is not installed: pip install onnx onnxruntime onnxscript")
    assert "ganetics[onnx]" in told
    assert load_generator(tmp_path / "out")[1].graph is None


def test_a_folder_that_holds_something_and_a_run_without_a_generator_are_refused(
    data: TrialData, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    state = made(run, TINY, data)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x").touch()
    with pytest.raises(InputError, match="out: must be an empty folder or not be there yet"):
        export(run, tmp_path / "out")
    assert state.average is not None
    with torch.no_grad():
        next(state.average.parameters())[0] = torch.nan
    checkpoint.save(run / "checkpoint", state)
    with pytest.raises(InputError, match="training diverged"):
        export(run, tmp_path / "new")
    (run / "checkpoint/state.json").unlink()
    with pytest.raises(InputError, match="it holds no checkpoint"):
        export(run, tmp_path / "new")
    with pytest.raises(InputError, match=r"no file at .*config\.json"):
        export(tmp_path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_damaged_weights_are_not_loaded(data: TrialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "runtime", missing)
    out = tmp_path / "out"
    made(tmp_path / "run", TINY, data)
    export(tmp_path / "run", out)
    described = from_json(ExportedGenerator, (out / "generator.json").read_text(), where="x")
    content = (out / "generator.safetensors").read_bytes()
    (out / "generator.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=f"must have SHA-256 {described.weights_sha256}, which generator.json names"):
        load_generator(out)
    other = described.model_copy(update={"recipe": TINY.model_copy(update={"width": 3})})
    (out / "generator.json").write_text(to_json(other))
    (out / "generator.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"generator\.safetensors does not fit: Error"):
        load_generator(out)
    (out / "generator.safetensors").unlink()
    with pytest.raises(InputError, match="cannot read"):
        load_generator(out)
    (out / "generator.json").write_text(json.dumps({"schema_version": 2}))
    with pytest.raises(InputError, match="schema_version"):
        load_generator(out)
