from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ganetics._check import InputError
from ganetics.losses import clip_weights_, gradient_penalty, r1, r2, spectral_norm_

SHAPE = (6, 2, 5, 4)


def images(seed: int) -> Tensor:
    return torch.randn(SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def network() -> nn.Module:
    """Smooth, and of very different slopes from sample to sample."""
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(18, 1)).double()
    source = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(torch.randn(weight.shape, dtype=weight.dtype, generator=source))
    return net


def norms_one_by_one(network: nn.Module, batch: Tensor) -> Tensor:
    """The norm of each sample's gradient, each computed alone."""
    found = []
    for image in batch:
        alone = image[None].clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(network(alone).squeeze(), alone)
        found.append(slope.norm())
    return torch.stack(found)


def test_r1_and_r2_are_half_the_mean_squared_norm_of_single_samples(network: nn.Module) -> None:
    expected = norms_one_by_one(network, images(0)).square().mean() / 2
    assert torch.allclose(r1(network, real=images(0)), expected, rtol=1e-12)
    assert torch.allclose(r2(network, fake=images(0)), expected, rtol=1e-12)


@pytest.mark.parametrize("center", [0.0, 1.0])
def test_gradient_penalty_takes_one_norm_a_sample(network: nn.Module, center: float) -> None:
    real, fake = images(1), images(2)
    found = gradient_penalty(network, real=real, fake=fake, generator=torch.Generator().manual_seed(3), center=center)
    share = torch.rand(len(real), 1, 1, 1, generator=torch.Generator().manual_seed(3)).double()
    norms = norms_one_by_one(network, (1 - share) * real + share * fake)
    assert torch.allclose(found, (norms - center).square().mean(), rtol=1e-9)
    whole_batch = (norms.square().sum().sqrt() - center).square()  # a known error of others
    assert not torch.allclose(found, whole_batch, rtol=0.1)


def test_the_points_lie_between_one_real_and_one_generated_image() -> None:
    seen: list[Tensor] = []

    def watching(batch: Tensor) -> Tensor:
        seen.append(batch.detach())
        return batch.sum((1, 2, 3))

    real, fake = torch.zeros(SHAPE), torch.ones(SHAPE)
    gradient_penalty(watching, real=real, fake=fake, generator=torch.Generator().manual_seed(0))
    shares = seen[0].flatten(1)
    assert (shares == shares[:, :1]).all()  # one draw a sample
    assert ((shares >= 0) & (shares <= 1)).all()
    assert len(shares[:, 0].unique()) == len(real)


@pytest.mark.parametrize(
    ("discriminator", "squared_norm"),
    [
        (lambda x: (x * torch.arange(40.0).reshape(2, 5, 4)).sum((1, 2, 3)), lambda _: sum(i * i for i in range(40))),
        (lambda x: x.square().sum((1, 2, 3)) / 2, lambda x: x.square().sum().item() / len(x)),
        (lambda x: x.flatten(1).sum(1, keepdim=True) * 0 + 3, lambda _: 0),
    ],
    ids=["linear", "quadratic", "constant"],
)
def test_analytic_discriminators(
    discriminator: Callable[[Tensor], Tensor], squared_norm: Callable[[Tensor], float]
) -> None:
    batch = images(4).float()
    assert r1(discriminator, real=batch).item() == pytest.approx(squared_norm(batch) / 2, rel=1e-5)
    assert r2(discriminator, fake=batch).item() == pytest.approx(squared_norm(batch) / 2, rel=1e-5)


def test_a_flat_discriminator_has_a_finite_penalty_and_gradient() -> None:
    weight = torch.zeros(1, requires_grad=True)
    value = gradient_penalty(
        lambda x: weight * x.sum((1, 2, 3)),
        real=torch.zeros(SHAPE),
        fake=torch.ones(SHAPE),
        generator=torch.Generator().manual_seed(0),
    )
    value.backward()
    assert value.item() == pytest.approx(1, abs=1e-5)
    assert weight.grad is not None
    assert weight.grad.isfinite().all()


@pytest.mark.parametrize("penalty", ["r1", "r2", "gradient"])
def test_the_gradient_reaches_the_weights_and_not_the_images(penalty: str) -> None:
    weight = torch.randn(SHAPE[1:], generator=torch.Generator().manual_seed(5)).requires_grad_(True)
    batch = images(6).float().requires_grad_(True)

    def linear(x: Tensor) -> Tensor:
        return (x * weight).sum((1, 2, 3))

    source = torch.Generator().manual_seed(0)
    value = {
        "r1": lambda: r1(linear, real=batch),
        "r2": lambda: r2(linear, fake=batch),
        "gradient": lambda: gradient_penalty(linear, real=batch, fake=batch.flip(0), generator=source),
    }[penalty]()
    value.backward()
    assert weight.grad is not None
    assert batch.grad is None
    # of half the squared norm: the weight itself; of (norm − 1)²: 2 (norm − 1) times the unit vector
    norm = weight.detach().norm()
    expected = 2 * (norm - 1) / norm * weight if penalty == "gradient" else weight
    assert torch.allclose(weight.grad, expected, rtol=1e-4)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match=r"^real and fake must have one shape, got \[6, 2, 5, 4\] and \[3, 2, 5, 4\]$"):
        gradient_penalty(lambda x: x.sum(), real=images(0), fake=images(0)[:3], generator=torch.Generator())


def test_clipping_changes_only_what_is_outside() -> None:
    net = nn.Linear(3, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[-2.0, 0.005, 0.5]]))
        net.bias.fill_(0.01)
    clip_weights_(net, 0.01)
    assert net.weight.tolist() == [[pytest.approx(-0.01), pytest.approx(0.005), pytest.approx(0.01)]]
    assert net.bias.item() == pytest.approx(0.01)
    assert net.weight.requires_grad
    with pytest.raises(InputError, match="limit must be above 0, got 0"):
        clip_weights_(net, 0)


def layered(seed: int = 0) -> nn.Module:
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 3, 2), nn.Flatten(), nn.Linear(3 * 4 * 3, 1)
    )
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(torch.randn(weight.shape, generator=source))
    return net


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_normalised_weights_have_the_spectral_norm_1() -> None:
    net, original = layered(), layered()
    spectral_norm_(net, generator=seeded(1))
    for _ in range(100):  # each pass is one power iteration
        net(images(0).float())
    for index, dim in ((0, 0), (2, 1), (4, 0)):  # the output channels of a transposed convolution are its second side
        given, weight = original[index].weight.detach(), net[index].weight.detach()  # type: ignore[index, union-attr]
        largest = torch.linalg.matrix_norm(given.movedim(dim, 0).flatten(1), ord=2)
        assert torch.allclose(weight, given / largest, rtol=1e-3)
    assert torch.equal(net[1].weight, original[1].weight)  # type: ignore[index]


def test_the_first_estimates_come_from_the_generator_alone() -> None:
    nets = [layered() for _ in range(3)]
    before = torch.get_rng_state()
    for net, seed in zip(nets, (5, 5, 6), strict=True):
        spectral_norm_(net, generator=seeded(seed))
    assert torch.equal(torch.get_rng_state(), before)
    one, same, other = (net.state_dict() for net in nets)
    assert len([key for key in one if key.endswith("._u")]) == 3
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one if key.endswith("._u"))


def test_one_layer_is_normalised_and_trains() -> None:
    layer = nn.Linear(3, 2)
    spectral_norm_(layer, generator=seeded(0))
    layer(torch.ones(4, 3)).sum().backward()
    (weight,) = (value for name, value in layer.named_parameters() if name.endswith("original"))
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


def test_what_cannot_be_normalised_is_refused() -> None:
    with pytest.raises(InputError, match="needs a linear or convolutional layer, BatchNorm2d has none"):
        spectral_norm_(nn.BatchNorm2d(3), generator=seeded(0))
    net = layered()
    spectral_norm_(net[4], generator=seeded(0))  # type: ignore[index]
    with pytest.raises(InputError, match=r"^spectral_norm_: the weight of 4 is parametrized already$"):
        spectral_norm_(net, generator=seeded(0))
    assert not hasattr(net[0], "parametrizations")  # type: ignore[index]  # nothing was changed
