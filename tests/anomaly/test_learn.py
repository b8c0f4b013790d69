from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganetics._check import InputError
from ganetics.anomaly.detector import Place
from ganetics.anomaly.learn import Learning, Plan, learn, mean_over
from ganetics.training import Diverged
from ganetics.training.batches import Batches

from .conftest import textures

IMAGES = textures(20, 0)


def learning() -> tuple[Learning, nn.Linear]:
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    return Learning({"net": net}, {"net": torch.optim.Adam(net.parameters(), lr=1.0, fused=True)}), net


def run(
    losses: list[float], *, steps: int = 20, patience: int = 3, place: Place | None = None
) -> tuple[Learning, float]:
    """Train a weight that counts the steps, against given held-out losses."""
    state, net = learning()

    def update(x: Tensor) -> None:
        assert net.training
        assert x.shape == (4, 3, 16, 16)
        with torch.no_grad():
            net.weight += 1.0

    def held_out() -> float:
        assert not net.training
        return losses[round(float(net.weight.detach())) // 2 - 1]

    plan = Plan(steps=steps, check_every=2, patience=patience)
    batch = Batches(IMAGES, seed=0, batch_size=4).at
    learn(state, batch, plan, update=update, held_out=held_out, place=place or Place(), name="counting")
    return state, float(net.weight.detach())


def test_the_best_look_is_kept_and_patience_ends_it() -> None:
    state, weight = run([5, 4, 3, 9, 9, 9, 1, 0, 0, 0])
    assert (state.step, state.best_step, weight) == (12, 6, 6.0)
    assert state.history == [(2, 5), (4, 4), (6, 3), (8, 9), (10, 9), (12, 9)]
    state, weight = run([5, 4, 3, 9, 9, 2, 1, 0, 9, 9])
    assert (state.step, state.best_step, weight) == (20, 16, 16.0)


def test_the_last_step_is_looked_at_too() -> None:
    state, weight = run([3, 2, 1], steps=5, patience=9)
    assert [step for step, _ in state.history] == [2, 4, 5]
    assert weight == 4.0  # the look after step 5 sees the loss of the second, and is no better


def test_a_loss_that_is_not_finite_is_a_divergence() -> None:
    with pytest.raises(Diverged, match="the loss of held-out normals is nan after step 4"):
        run([1, float("nan"), 1])


def test_what_was_left_must_fit(tmp_path: Path) -> None:
    place = Place(tmp_path)
    first, _ = run([5, 4, 3, 9, 9, 9, 1, 0, 0, 0], place=place)
    again, weight = run([5, 4, 3, 9, 9, 9, 1, 0, 0, 0], place=place)
    assert (again.history, again.best, weight) == (first.history, 3, 6.0)  # nothing was done again
    file = tmp_path / "counting" / "learning.safetensors"
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(InputError, match=r"learning.safetensors: cannot be gone on with: [^\n]+$"):
        run([1] * 10, place=place)


def test_the_mean_is_over_images_not_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganetics.anomaly.learn.BATCH", 7)
    found = mean_over(IMAGES, lambda x: x.mean(dim=(1, 2, 3)))
    assert found == pytest.approx(float(IMAGES.double().mean() / 127.5 - 1), abs=1e-6)
