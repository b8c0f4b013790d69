"""Checkpoints: exact continuation, atomic, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganetics._check import InputError
from ganetics.losses import GANetic
from ganetics.records import Penalty, Recipe
from ganetics.training import TrainingState, checkpoint, sample, start, train

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "all": {
        "ema_half_life": 50.0,
        "channels_last": True,
        "image_size": 16,
        "channels": 3,
        "penalties": (Penalty(kind="gradient"),),
    },
    "classes": {
        "model": "resnet",
        "image_size": 32,
        "width": 1,
        "classes": 3,
        "ema_half_life": 50.0,
        "rate_half_life": 20.0,
        "augment": "adaptive",
        "precision": "bfloat16",
        "channels_last": True,
        "batch_size": 2,
    },
}


def prepared(recipe: Recipe, images: Tensor, variant: str) -> tuple[Recipe, Tensor]:
    recipe = recipe.model_copy(update=VARIANTS[variant])
    return recipe, images.repeat(1, recipe.channels, recipe.image_size // 8, recipe.image_size // 8)


def tensors_of(state: TrainingState) -> dict[str, Tensor]:
    return checkpoint.tensors_of(state)


@pytest.mark.parametrize("variant", VARIANTS)
def test_going_on_from_a_checkpoint_equals_never_having_stopped(
    variant: str, recipe: Recipe, images: Tensor, tmp_path: Path
) -> None:
    recipe, images = prepared(recipe, images, variant)
    labels = torch.arange(45) % max(recipe.classes, 1)
    whole = train(start(recipe, 0), GANetic(), images, until=57, labels=labels)
    checkpoint.save(tmp_path / "c", train(start(recipe, 0), GANetic(), images, until=51, labels=labels))
    loaded = train(checkpoint.load(tmp_path / "c"), GANetic(), images, until=57, labels=labels)
    assert (whole.step, whole.history, whole.loss) == (loaded.step, loaded.history, loaded.loss)
    assert (whole.augment_p is None) == (recipe.augment != "adaptive")
    assert whole.augment_p == loaded.augment_p
    expected, found = tensors_of(whole), tensors_of(loaded)
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        assert torch.equal(value, found[key]), key


def test_dropout_goes_on_where_it_was(tmp_path: Path) -> None:
    recipe = Recipe(
        name="p", model="dcgan-paper", image_size=32, channels=3, latent_dim=1, batch_size=2, steps=2,
        learning_rate=1e-4, extractor="none", channels_last=True,
    )  # fmt: skip
    images = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    state = train(start(recipe, 0), GANetic(), images, until=1)
    checkpoint.save(tmp_path, state)
    train(state, GANetic(), images, until=2)
    loaded = train(checkpoint.load(tmp_path), GANetic(), images, until=2)
    assert torch.equal(loaded.random["dropout"].get_state(), state.random["dropout"].get_state())
    for key, value in state.gan.discriminator.state_dict().items():
        assert torch.equal(value, loaded.gan.discriminator.state_dict()[key])


def test_a_new_checkpoint_replaces_the_old_one(recipe: Recipe, images: Tensor, tmp_path: Path) -> None:
    state = start(recipe, 0)
    for until in (0, 1, 2, 2):
        checkpoint.save(tmp_path, train(state, GANetic(), images, until=until))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.json", "tensors-2.safetensors"]
    assert checkpoint.load(tmp_path).step == 2


def test_a_kill_between_the_files_leaves_the_old_checkpoint(
    recipe: Recipe, images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = train(start(recipe, 0), GANetic(), images, until=1)
    checkpoint.save(tmp_path, state)
    write = checkpoint.write_atomically

    def killed_at_the_second(path: Path, content: bytes) -> None:
        if path.name == "state.json":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(checkpoint, "write_atomically", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path, train(state, GANetic(), images, until=2))
    assert checkpoint.load(tmp_path).step == 1


def saved(folder: Path, recipe: Recipe) -> dict[str, Any]:
    checkpoint.save(folder, start(recipe, 0))
    content: dict[str, Any] = json.loads((folder / "state.json").read_text())
    return content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"unknown": 1}, "unknown"),
        ({"tensors": "../elsewhere.safetensors"}, "same folder"),
        ({"tensors": "tensors-9.safetensors"}, "no file at"),
        ({"step": -1}, "step"),
    ],
)
def test_what_is_not_understood_is_refused(
    change: dict[str, Any], message: str, recipe: Recipe, tmp_path: Path
) -> None:
    content = saved(tmp_path, recipe)
    (tmp_path / "state.json").write_text(json.dumps({**content, **change}))
    with pytest.raises(InputError, match=message):
        checkpoint.load(tmp_path)


def test_missing_and_damaged_files_are_named(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file at .*state\.json"):
        checkpoint.load(tmp_path / "none")
    content = saved(tmp_path, recipe)
    file = tmp_path / content["tensors"]
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(InputError, match="does not fit"):
        checkpoint.load(tmp_path)
    saved(tmp_path, recipe)
    wider = {**content, "recipe": {**content["recipe"], "width": 5}}
    (tmp_path / "state.json").write_text(json.dumps(wider))
    with pytest.raises(InputError, match="does not fit"):
        checkpoint.load(tmp_path)


def test_what_a_gpu_has_trained_is_sampled_anywhere_and_trained_on_there_alone(
    recipe: Recipe, images: Tensor, tmp_path: Path
) -> None:
    state = train(start(recipe, 0), GANetic(), images, until=3)
    checkpoint.save(tmp_path, state)
    # as a GPU leaves it: states of its generators are shorter
    told = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps({**told, "device": "cuda"}))
    held = load_file(tmp_path / told["tensors"])
    short = {f"random/{role}": torch.zeros(16, dtype=torch.uint8) for role in ("dropout", "penalty")}
    save_file({**held, **short}, tmp_path / told["tensors"])
    drawn, same = (
        sample(one, 4, generator=torch.Generator().manual_seed(1))
        for one in (state, checkpoint.load(tmp_path, to_train=False))
    )
    assert torch.equal(drawn, same)
    with pytest.raises(InputError, match=r"must be trained on where it was trained, cuda, .* got cpu$"):
        checkpoint.load(tmp_path)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_checkpoint_of_a_gpu(recipe: Recipe, images: Tensor, tmp_path: Path) -> None:
    whole = train(start(recipe, 0, "cuda"), GANetic(), images, until=57)
    checkpoint.save(tmp_path, train(start(recipe, 0, "cuda"), GANetic(), images, until=51))
    loaded = train(checkpoint.load(tmp_path, device="cuda"), GANetic(), images, until=57)
    for key, value in tensors_of(whole).items():
        assert torch.equal(value, tensors_of(loaded)[key]), key
    assert sample(checkpoint.load(tmp_path, to_train=False), 4, generator=torch.Generator()).shape[0] == 4
