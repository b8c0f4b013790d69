"""Several processes that train one GAN, on the CPU over gloo."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from ganetics._check import InputError, MissingDependencyError
from ganetics.records import Recipe
from ganetics.training import ranks as module
from ganetics.training.ranks import Ranks, check_devices, launch


@pytest.fixture(scope="module")
def ranks_jobs() -> Iterator[ModuleType]:
    pytest.importorskip("lightning_fabric")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "jobs"))
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "jobs"), prepend=":")
        yield importlib.import_module("ranks_jobs")


def differ(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return how far apart two runs are, as a share of the way that the weights have gone."""
    return float((one["moved"] - other["moved"]).norm() / one["moved"].norm())


@pytest.mark.slow
def test_two_ranks_of_16_train_as_one_of_32(recipe: Recipe, images: Tensor, ranks_jobs: ModuleType) -> None:
    recipe = recipe.model_copy(update={"batch_size": 32, "channels_last": True})
    changes: list[dict[str, Any]] = [
        {},
        {"augment": "diffaugment"},
        {"augment": "adaptive", "model": "resnet", "image_size": 32, "width": 1, "classes": 2, "batch_size": 4},
    ]
    runs = [
        {
            "recipe": (changed := recipe.model_copy(update=change)),
            "images": images.repeat(1, 1, changed.image_size // 8, changed.image_size // 8),
            "until": 50,
            "normalised": changed.model == "resnet",
        }
        for change in changes
    ]
    runs.append({**runs[0], "normalised": True})
    together = launch(ranks_jobs.several, runs, device="cpu", devices=2)
    alone = ranks_jobs.several(Ranks(), torch.device("cpu"), runs)
    assert [run["ranks"] for run in together] == [2] * 4
    for one, other in zip(alone[:2], together[:2], strict=True):
        assert differ(one, other) < 0.01  # sums in another order, through 50 steps of Adam
        assert one["history"][0] == pytest.approx(other["history"][0], rel=0.01)
    # batch normalisation sees the slice of its rank
    assert 0.1 < differ(alone[3], together[3]) < 1.5
    # what adapts is led by the whole batch, not by a slice of it
    assert together[2]["p"] == pytest.approx(alone[2]["p"], abs=0.02)


@pytest.mark.slow
def test_a_refusal_in_a_rank_comes_to_the_caller(ranks_jobs: ModuleType) -> None:
    with pytest.raises(InputError, match=r"^no rank of 2 wants this$"):
        launch(ranks_jobs.refused, device="cpu", devices=2)


def test_this_process_alone_changes_nothing() -> None:
    batch, weight = torch.arange(6.0), torch.ones(2, requires_grad=True)
    weight.sum().backward()
    alone = Ranks()
    assert (alone.number, alone.count) == (0, 1)
    assert alone.part(batch) is batch
    assert alone.mean(batch) is batch
    alone.average_gradients_([weight])
    assert weight.grad is not None
    assert weight.grad.tolist() == [1, 1]
    assert alone.agreed(batch) is batch


def test_what_devices_cannot_do_is_told_before_they_begin(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    check_devices(recipe.model_copy(update={"batch_size": 7}), device="cpu", devices=1)
    monkeypatch.setattr(module, "find_spec", lambda name: object())
    check_devices(recipe, device="cpu", devices=4)
    with pytest.raises(InputError, match=r"^batches must be a multiple of the 3 devices, got batches of 8$"):
        check_devices(recipe, device="cpu", devices=3)
    with pytest.raises(InputError, match="got batches of 6"):
        check_devices(recipe.model_copy(update={"discriminator_batch": 6}), device="cpu", devices=4)
    with pytest.raises(InputError, match="must be cpu or cuda, got 'cuda:1'"):
        check_devices(recipe, device="cuda:1", devices=2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=r"^devices must be at most the 1 GPUs here, got 2$"):
        check_devices(recipe, device="cuda", devices=2)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install lightning-fabric"):
        check_devices(recipe, device="cpu", devices=2)
