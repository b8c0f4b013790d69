"""Faults of public implementations that ours do not have; docs/losses.md names repository and file of each.

Each test shows the fault first, in a formula of its own, so that it cannot pass for want of one.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE
from ganetics.losses import (
    FDivergence,
    GANetic,
    GANeticBatchSum,
    GANLoss,
    LeastSquares,
    NonSaturating,
    RelativisticPairing,
    Wasserstein,
    as_criterion,
    checked,
    gradient_penalty,
    r1,
    smoothed,
)

SLOPES = torch.tensor([0.2, 1.0, 3.0])
SHAPE = (3, 2, 4, 4)


def slope(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    leaf = at.clone().requires_grad_(True)
    (found,) = torch.autograd.grad(function(leaf).sum(), leaf)
    return found


def linear(images: Tensor) -> Tensor:
    """A discriminator whose gradient has, in the i-th sample, the norm SLOPES[i]."""
    pixels = images[0].numel()
    return images.flatten(1).sum(1) * SLOPES / math.sqrt(pixels)


def input_gradient() -> Tensor:
    return slope(linear, torch.zeros(SHAPE))


def our_penalty(center: float = 1.0) -> float:
    source = torch.Generator().manual_seed(0)
    value = gradient_penalty(linear, real=torch.zeros(SHAPE), fake=torch.ones(SHAPE), generator=source, center=center)
    return value.item()


# Gradient penalties


def test_one_norm_over_the_whole_batch() -> None:
    """torchgan: ``gradients.norm(2)``. The penalty then asks of the batch what is meant for each sample."""
    theirs = (input_gradient().norm(2) - 1).square()
    assert theirs.item() == pytest.approx((SLOPES.square().sum().sqrt().item() - 1) ** 2)
    assert our_penalty() == pytest.approx((SLOPES - 1).square().mean().item(), abs=1e-5)
    # a discriminator that is right in every sample is punished there, by how many samples there are
    right = slope(lambda x: linear(x) / SLOPES, torch.zeros(SHAPE))
    assert (right.norm(2) - 1).square().item() == pytest.approx((math.sqrt(3) - 1) ** 2, rel=1e-5)


def test_one_norm_over_the_channels_of_each_pixel() -> None:
    """BasicSR, and mmagic by default: ``gradients.norm(2, dim=1)``. Each pixel is to have norm 1, not each image."""
    theirs = (input_gradient().norm(2, dim=1) - 1).square().mean()
    per_pixel = SLOPES / math.sqrt(SHAPE[2] * SHAPE[3])
    assert theirs.item() == pytest.approx((per_pixel - 1).square().mean().item(), rel=1e-5)
    assert our_penalty() == pytest.approx((SLOPES - 1).square().mean().item(), abs=1e-5)


def test_r1_of_each_pixel_is_smaller_by_the_number_of_pixels() -> None:
    """mmagic's R1 by default: the mean over pixels of the squared channel norms."""
    theirs = input_gradient().norm(2, dim=1).square().mean()
    expected = SLOPES.square().mean().item()
    assert theirs.item() == pytest.approx(expected / (SHAPE[2] * SHAPE[3]), rel=1e-5)
    assert r1(linear, real=torch.zeros(SHAPE)).item() == pytest.approx(expected / 2, rel=1e-5)


def test_one_place_for_the_whole_batch() -> None:
    """torchgan: ``eps = torch.rand(1)``. All samples are looked at at the same share of the way."""
    seen: list[Tensor] = []

    def watching(images: Tensor) -> Tensor:
        seen.append(images.detach().flatten(1)[:, 0])
        return linear(images)

    gradient_penalty(
        watching, real=torch.zeros(SHAPE), fake=torch.ones(SHAPE), generator=torch.Generator().manual_seed(0)
    )
    assert len(seen[0].unique()) == SHAPE[0]


# The two sides


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_two_sides_cannot_be_swapped(name: str) -> None:
    """mimicry: ``hinge_loss_dis(output_fake, output_real)``, but ``wasserstein_loss_dis(output_real, output_fake)``."""

    def minimax_style(output_fake: Tensor, output_real: Tensor) -> Tensor:
        return (F.softplus(-output_real) + F.softplus(output_fake)).mean()

    real, fake = torch.tensor([2.0, 1.0]), torch.tensor([-2.0, -1.0])
    assert minimax_style(real, fake) > 5 * minimax_style(fake, real)  # nothing warns
    loss = CATALOGUE[name].make()
    with pytest.raises(TypeError):
        loss.discriminator(real, fake)  # type: ignore[call-arg, misc]
    with pytest.raises(TypeError):
        loss.generator(fake, real)  # type: ignore[call-arg, misc]
    for method in (loss.discriminator, loss.generator):
        assert all(p.kind is p.KEYWORD_ONLY for p in inspect.signature(method).parameters.values())


def test_logits_of_two_shapes_are_not_broadcast() -> None:
    """PyTorch-StudioGAN's logistic and least squares, torchgan's Wasserstein: the sides are joined before the mean."""
    real, fake = torch.tensor([[4.0], [0.0]]), torch.tensor([-4.0, 0.0])

    def theirs(a: Tensor, b: Tensor) -> Tensor:
        return 0.5 * (a - 1).square() + 0.5 * b.square()

    assert theirs(real, fake).shape == (2, 2)  # of two samples four
    expected = 0.5 * (9 + 1) / 2 + 0.5 * 16 / 2
    assert LeastSquares().discriminator(real_logits=real, fake_logits=fake).item() == expected
    with pytest.raises(InputError, match="must have one shape"):
        LeastSquares(reduction="none").discriminator(real_logits=real, fake_logits=fake)
    with pytest.raises(InputError, match="must have one shape"):
        RelativisticPairing().discriminator(real_logits=real, fake_logits=fake)
    with pytest.raises(InputError, match="must have one shape"):
        checked(Wasserstein()).discriminator(real_logits=real, fake_logits=fake)


def test_smoothed_labels_with_batches_of_two_sizes() -> None:
    """torchgan: the labels of the real side are made of the generated side's shape."""
    real, fake = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([-1.0])
    with pytest.raises(ValueError, match=r"[Tt]arget size"):
        F.binary_cross_entropy_with_logits(real, torch.ones_like(fake) * 0.9)
    found = smoothed(NonSaturating()).discriminator(real_logits=real, fake_logits=fake)
    expected = F.binary_cross_entropy_with_logits(real, torch.full_like(real, 0.9)) + F.softplus(fake).mean()
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_smoothing_does_not_reach_the_generator() -> None:
    """BasicSR and mmagic: ``real_label_val`` is the target in the generator's step, too."""
    sure = torch.tensor([4.0])  # above the logit of 0.9, which is 2.2

    def theirs(x: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(x, torch.full_like(x, 0.9))

    assert slope(theirs, sure).item() > 0  # descent makes a generated sample look less real
    criterion = as_criterion(smoothed(NonSaturating(), real=0.9))
    assert slope(lambda x: criterion(x, True), sure).item() < 0
    assert slope(lambda x: criterion(x, True, is_disc=True), sure).item() > 0


# Numbers


@pytest.mark.parametrize("loss", [NonSaturating(), FDivergence("js")], ids=repr)
def test_log_of_1_plus_exp_overflows(loss: NonSaturating | FDivergence) -> None:
    """Simple-Relativistic-GAN-Loss and f-GAN-Tensorflow write ``log(1 + exp(-t))``."""
    far = torch.tensor([-100.0])

    def written_out(t: Tensor) -> Tensor:
        return torch.log(1 + torch.exp(-t))

    assert written_out(far).isinf()
    assert slope(written_out, far).isnan()
    constant = 0 if isinstance(loss, NonSaturating) else math.log(2)
    assert loss.real_term(far).item() == pytest.approx(100 - constant)
    assert slope(loss.real_term, far).item() == -1
    pair = RelativisticPairing().discriminator(real_logits=far, fake_logits=-far)
    assert pair.item() == 200


@pytest.mark.parametrize(
    ("name", "activation", "conjugate", "at"),
    [
        ("js", lambda v: math.log(2) - F.softplus(-v), lambda t: -torch.log(2 - torch.exp(t)), 20.0),
        ("hellinger", lambda v: 1 - torch.exp(-v), lambda t: t / (1 - t), 20.0),
        ("reverse-kl", lambda v: -torch.exp(-v), lambda t: -1 - torch.log(-t), 110.0),
    ],
)
def test_a_conjugate_after_an_activation_loses_its_digits(
    name: str, activation: Callable[[Tensor], Tensor], conjugate: Callable[[Tensor], Tensor], at: float
) -> None:
    """f-GAN-Tensorflow computes f*(g_f(v)) one after the other, as the paper writes it."""
    logit = torch.tensor([at])
    written_out = slope(lambda v: conjugate(activation(v)), logit)
    exact = slope(FDivergence(name).fake_term, logit.double()).float()
    assert not torch.allclose(written_out, exact, rtol=0.5)
    assert torch.allclose(slope(FDivergence(name).fake_term, logit), exact, rtol=1e-6)


def test_cross_entropy_behind_a_sigmoid_has_no_gradient_where_it_is_wrong() -> None:
    """The script of GANetic-Loss, and many a tutorial: a sigmoid at the end of D, then ``BCELoss``."""
    wrong = torch.tensor([120.0])  # sure that a generated sample is real
    zeros = torch.zeros(1)
    assert F.binary_cross_entropy(torch.sigmoid(wrong), zeros).item() == 100  # log is clamped there
    assert slope(lambda x: F.binary_cross_entropy(torch.sigmoid(x), zeros), wrong).item() == 0
    assert NonSaturating().discriminator(real_logits=-wrong, fake_logits=wrong).item() == 240
    assert slope(NonSaturating().fake_term, wrong).item() == 1


def test_a_small_number_in_the_logarithm_ends_the_generators_gradient() -> None:
    """mimicry's non-saturating loss: ``-log(sigmoid(x) + 1e-8)``; it saturates after all, and float16 has no 1e-8."""

    def theirs(x: Tensor) -> Tensor:
        return -torch.log(torch.sigmoid(x) + 1e-8)

    lost = torch.tensor([-30.0])
    assert abs(slope(theirs, lost).item()) < 1e-4
    assert slope(NonSaturating().generator_term, lost).item() == pytest.approx(-1)
    half = torch.tensor([-20.0], dtype=torch.float16)
    assert theirs(half).isinf()
    assert NonSaturating().generator(fake_logits=half).item() == 20


def test_dividing_by_the_sum_over_the_batch_is_another_loss() -> None:
    """GANetic-Loss, PyTorch file: ``torch.sum(x + eps)`` without a dimension. Its Keras file divides by each sample."""
    batch, other = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([0.5, 3.0, 2.0])

    def first_slope(loss: GANLoss, logits: Tensor) -> float:
        return slope(lambda x: loss.generator(fake_logits=x) * len(x), logits)[0].item()

    assert abs(first_slope(GANeticBatchSum(), batch) - first_slope(GANeticBatchSum(), other)) > 1e-3
    assert first_slope(GANetic(), batch) == first_slope(GANetic(), other)
    # twice the same batch is another objective
    once, twice = (GANeticBatchSum().generator(fake_logits=x).item() for x in (batch, batch.repeat(2)))
    assert abs(once - twice) > 0.1
    assert GANetic().generator(fake_logits=batch).item() == pytest.approx(
        GANetic().generator(fake_logits=batch.repeat(2)).item(), rel=1e-6
    )


def test_in_half_precision_the_written_out_ganetic_is_not_a_number() -> None:
    """Both files of GANetic-Loss: their 1e-8 is 0 in float16, and the root's slope there infinite."""

    def theirs(x: Tensor) -> Tensor:
        p = torch.sigmoid(x)
        return p**3 + torch.sqrt(torch.abs(3.985 * torch.zeros_like(p) / (p + 1e-8)) + 1e-8)

    x = torch.tensor([0.0, 1.0], dtype=torch.float16)
    assert slope(theirs, x).isnan().any()
    found = slope(lambda logits: GANetic().discriminator(real_logits=logits, fake_logits=logits), x)
    assert found.isfinite().all()
    assert (found != 0).all()
