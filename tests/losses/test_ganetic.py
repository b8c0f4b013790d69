"""GANetic against its closed forms, the authors' formulas, and the facts of its batch-sum variant."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from ganetics.losses import GANetic, GANeticBatchSum


def gradient(value: Tensor, logits: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(value, logits)
    return found


def real_slope(loss: GANetic | GANeticBatchSum, logits: Tensor) -> Tensor:
    """Slope of the sum over the batch of the real terms."""
    logits = logits.clone().requires_grad_(True)
    return gradient(loss.generator(fake_logits=logits), logits)  # of this loss the generator's term is the real one


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.75, 1.0])
def test_the_optimal_discriminator_has_its_closed_form(share: float) -> None:
    loss = GANetic()

    def mixture(logit: float) -> float:
        x = torch.tensor([logit], dtype=torch.float64)
        return float(share * loss.real_term(x) + (1 - share) * loss.fake_term(x))

    best = minimize_scalar(mixture, bounds=(-10, 10), method="bounded", options={"xatol": 1e-10}).x
    p = 1 / (1 + math.exp(-best))
    assert p == pytest.approx((math.sqrt(3.985) / 6 * share) ** (2 / 7), abs=1e-6)
    if share in (0.5, 1.0):
        assert p == pytest.approx({0.5: 0.599, 1.0: 0.730}[share], abs=5e-4)


@pytest.mark.parametrize(("logit", "size"), [(-4.0, 7.3), (-8.0, 54.0), (-10.0, 148.0)])
def test_its_slope_for_real_samples_is_steep(logit: float, size: float) -> None:
    found = real_slope(GANetic(), torch.tensor([logit])).item()
    assert found < 0
    assert -found == pytest.approx(size, rel=0.02)


def test_its_scale_is_a_setting() -> None:
    x = torch.tensor([0.3, -2.0], dtype=torch.float64)
    p = torch.sigmoid(x)
    assert torch.allclose(GANetic(scale=2.0).real_term(x), p**3 + (2.0 / p).sqrt(), rtol=1e-12)
    assert torch.equal(GANetic(scale=2.0).fake_term(x), GANetic().fake_term(x))


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_it_agrees_with_the_form_of_the_authors_keras_file(target: float) -> None:
    x = np.linspace(-8, 8, 401)
    eps = 1e-8
    p = np.clip(1 / (1 + np.exp(-x)), 1e-7, 1 - 1e-7)
    theirs = p**3 + np.sqrt(np.abs(3.985 * target / (p + eps)) + eps)
    logits = torch.from_numpy(x)
    ours = GANetic().real_term(logits) if target else GANetic().fake_term(logits)
    # theirs adds the root of eps, 1e-4, for generated samples, and eps / p, 3e-5 of it, below
    assert np.allclose(ours.numpy(), theirs, rtol=2e-5, atol=1.01e-4)
    assert np.abs(np.diff(ours.numpy() - theirs)).max() < 1e-4  # equal slopes: the difference is a constant


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_it_is_finite_in_every_precision(dtype: torch.dtype) -> None:
    x = torch.tensor([-1e4, -100.0, -17.0, -10.0, 0.0, 10.0, 17.0, 100.0, 1e4], dtype=dtype, requires_grad=True)
    total = GANetic().discriminator(real_logits=x, fake_logits=x) + GANetic().generator(fake_logits=x)
    slopes = gradient(total, x)
    assert total.isfinite()
    assert slopes.isfinite().all()
    assert slopes[4] != 0  # the written-out formula in float16 is NaN even here


def test_nan_stays_nan() -> None:
    x = torch.tensor([torch.nan, 0.0])
    assert GANetic().real_term(x).isnan().tolist() == GANetic().fake_term(x).isnan().tolist() == [True, False]


def test_its_gradient_can_be_mapped_and_taken_twice() -> None:
    x = torch.linspace(-20, 12, 33, dtype=torch.float64)
    first = torch.func.grad(lambda logit: GANetic().real_term(logit))
    p = torch.sigmoid(x)
    inside = p > 1e-7
    slope, bend = torch.vmap(first)(x), torch.vmap(torch.func.grad(first))(x)
    root = (3.985 / p).sqrt()
    assert torch.allclose(slope, torch.where(inside, (1 - p) * (3 * p**3 - root / 2), 0.0), rtol=1e-9)
    expected = (1 - p) * ((1 - p) * (9 * p**3 + root / 4) - p * (3 * p**3 - root / 2))
    assert torch.allclose(bend, torch.where(inside, expected, 0.0), rtol=1e-9)


def test_below_the_smallest_probability_it_is_flat() -> None:
    deep = torch.tensor([-16.2, -20.0, -1e4], dtype=torch.float64)
    assert torch.allclose(GANetic().real_term(deep), torch.full_like(deep, math.sqrt(3.985e7)), rtol=1e-9)
    assert real_slope(GANetic(), deep).tolist() == [0, 0, 0]
    assert real_slope(GANetic(), deep.new_tensor([-16.0])).item() < -1000


@pytest.mark.parametrize(("batch", "minimum"), [(16, 0.491), (64, 0.403), (128, 0.365)])
def test_the_batch_sums_minimum_moves_with_the_batch(batch: int, minimum: float) -> None:
    def best(loss: GANetic | GANeticBatchSum) -> float:
        def value(p: float) -> float:
            logits = torch.full((batch,), math.log(p / (1 - p)), dtype=torch.float64)
            return loss.generator(fake_logits=logits).item()

        return float(minimize_scalar(value, bounds=(0.01, 0.99), method="bounded").x)

    assert best(GANeticBatchSum()) == pytest.approx(minimum, abs=1e-3)
    assert best(GANetic()) == pytest.approx(0.730, abs=1e-3)


def test_in_the_batch_sum_one_samples_gradient_depends_on_the_others() -> None:
    one, other = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([0.5, 3.0, 2.0])
    assert abs(real_slope(GANeticBatchSum(), one)[0] - real_slope(GANeticBatchSum(), other)[0]) > 1e-3
    assert real_slope(GANetic(), one)[0] == real_slope(GANetic(), other)[0]


def test_the_batch_sum_pushes_real_samples_down_at_the_start() -> None:
    start = torch.zeros(64)  # descent goes against the slope
    assert (real_slope(GANeticBatchSum(), start) > 0).all()
    assert (real_slope(GANetic(), start) < 0).all()


def test_the_batch_sum_is_the_authors_pytorch_formula() -> None:
    x = np.array([-2.0, 0.1, 1.5])
    p, eps = 1 / (1 + np.exp(-x)), 1e-8
    real, fake = (p**3 + np.sqrt(np.abs(3.985 * y / (p.sum() + eps)) + eps) for y in (1.0, 0.0))
    logits = torch.from_numpy(x)
    loss = GANeticBatchSum(reduction="none")
    assert np.allclose(loss.generator(fake_logits=logits).numpy(), real, rtol=1e-12)
    assert np.allclose(loss.discriminator(real_logits=logits, fake_logits=logits).numpy(), real + fake, rtol=1e-12)
