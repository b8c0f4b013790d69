"""What every loss of the catalogue must do. A loss that is added there is held to this without a line here, but for its
formula: an independent one in NumPy, in :data:`FORMULAS`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from ganetics._check import InputError
from ganetics.catalogue import CATALOGUE, loss_named_or_parsed
from ganetics.expressions.compile import compile_loss
from ganetics.expressions.numeric import term_gradients, terms
from ganetics.expressions.text import parse, to_text
from ganetics.losses import GANLoss

Array = npt.NDArray[np.float64]
REDUCTIONS = ("mean", "sum", "none")


Formula = tuple[Callable[[Array, Array], Array], Callable[[Array, Array], Array]]
"""The discriminator's and the generator's objective of a batch of real and of generated logits, one value a pair."""


def separate(real: Callable[[Array], Array], fake: Callable[[Array], Array], gen: Callable[[Array], Array]) -> Formula:
    return lambda r, f: real(r) + fake(f), lambda r, f: gen(f)


def average(real: Callable[[Array], Array], fake: Callable[[Array], Array]) -> Formula:
    return (
        lambda r, f: real(r - f.mean()) + fake(f - r.mean()),
        lambda r, f: fake(r - f.mean()) + real(f - r.mean()),
    )


def softplus(x: Array) -> Array:
    return np.logaddexp(0, x)


def sigmoid(x: Array) -> Array:
    return np.exp(-softplus(-x))


def ganetic(x: Array, y: float) -> Array:
    p = np.maximum(sigmoid(x), 1e-7)
    return p**3 + np.sqrt(3.985 * y / p)


def ganetic_batch_sum(x: Array, y: float) -> Array:
    return sigmoid(x) ** 3 + np.sqrt(3.985 * y / (sigmoid(x).sum() + 1e-8) + 1e-8)


def f_gan(activation: Callable[[Array], Array], conjugate: Callable[[Array], Array]) -> Formula:
    """As the paper writes it: the output goes through g_f, then through f*."""
    return separate(lambda x: -activation(x), lambda x: conjugate(activation(x)), lambda x: -conjugate(activation(x)))


FORMULAS: dict[str, Formula] = {
    "ganetic": separate(lambda x: ganetic(x, 1), lambda x: ganetic(x, 0), lambda x: ganetic(x, 1)),
    "ganetic-batch-sum": separate(
        lambda x: ganetic_batch_sum(x, 1),
        lambda x: ganetic_batch_sum(x, 0),
        lambda x: ganetic_batch_sum(x, 1),
    ),
    "non-saturating": separate(lambda x: softplus(-x), softplus, lambda x: softplus(-x)),
    "non-saturating-smooth": separate(  # cross-entropy with the label 0.9
        lambda x: -0.9 * np.log(sigmoid(x)) - 0.1 * np.log(sigmoid(-x)), softplus, lambda x: softplus(-x)
    ),
    "minimax": separate(lambda x: softplus(-x), softplus, lambda x: -softplus(x)),
    "least-squares": separate(lambda x: (1 - x) ** 2 / 2, lambda x: x**2 / 2, lambda x: (1 - x) ** 2 / 2),
    "hinge": separate(lambda x: np.maximum(0, 1 - x), lambda x: np.maximum(0, 1 + x), lambda x: -x),
    "wasserstein": separate(lambda x: -x, lambda x: x, lambda x: -x),
    "relativistic-pairing": (lambda r, f: -np.log(sigmoid(r - f)), lambda r, f: -np.log(sigmoid(f - r))),
    "relativistic-average": average(lambda d: softplus(-d), softplus),
    "ra-least-squares": average(lambda d: (d - 1) ** 2 / 2, lambda d: (d + 1) ** 2 / 2),
    "ra-hinge": average(lambda d: np.maximum(0, 1 - d), lambda d: np.maximum(0, 1 + d)),
    "f-kl": f_gan(lambda v: v, lambda t: np.exp(t - 1)),
    "f-reverse-kl": f_gan(lambda v: -np.exp(-v), lambda t: -1 - np.log(-t)),
    "f-pearson": f_gan(lambda v: v, lambda t: t**2 / 4 + t),
    "f-hellinger": f_gan(lambda v: 1 - np.exp(-v), lambda t: t / (1 - t)),
    "f-js": f_gan(lambda v: np.log(2) - softplus(-v), lambda t: -np.log(2 - np.exp(t))),
}


def formula_of(name: str) -> Formula:
    """Of an evolved loss, which is an expression itself, the values in NumPy, which know nothing of torch."""
    if CATALOGUE[name].provenance is None:
        return FORMULAS[name]
    if base := CATALOGUE[name].paired:
        pairs = parse(base)
        return lambda r, f: terms(pairs, r - f).real, lambda r, f: terms(pairs, f - r).generator
    expression = parse(CATALOGUE[name].expression or "")
    return (
        lambda r, f: terms(expression, r).real + terms(expression, f).fake,
        lambda r, f: terms(expression, f).generator,
    )


REAL = torch.tensor([-15.3, -6.1, -2.2, -0.7, 0.1, 0.45, 1.3, 2.9, 7.7, 15.1], dtype=torch.float64)
FAKE = torch.tensor([0.2, -3.3, 1.9, -14.2, 5.6, -0.9, -1.6, 3.4, -7.1, 14.6], dtype=torch.float64)
"""Logits off every kink (−16.118, −1, 0, 1)."""


@pytest.fixture(params=list(CATALOGUE))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def loss(name: str) -> GANLoss:
    return CATALOGUE[name].make()


def objectives(loss: GANLoss, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The discriminator's and the generator's objective, as the training loop calls them."""
    return (
        loss.discriminator(real_logits=real, fake_logits=fake),
        loss.generator(fake_logits=fake, real_logits=real if loss.generator_needs_real else None),
    )


def leaves(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    return REAL.to(dtype, copy=True).requires_grad_(True), FAKE.to(dtype, copy=True).requires_grad_(True)


def gradients(values: tuple[Tensor, Tensor], real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the discriminator's objective for both sides, and of the generator's for the generated one."""
    return (
        *torch.autograd.grad(values[0].sum(), (real, fake)),
        *torch.autograd.grad(values[1].sum(), (fake,)),
    )


def test_the_entry_is_complete(name: str, loss: GANLoss) -> None:
    entry = CATALOGUE[name]
    assert entry.name == loss.name == name
    assert entry.title
    assert entry.reference
    assert (name in FORMULAS) == (entry.provenance is None), f"write {name}'s formula in FORMULAS"
    assert (entry.expression is None) == (not loss.separable)
    assert repr(loss_named_or_parsed(name)) == repr(loss)
    assert type(loss_named_or_parsed(name)) is type(loss)
    if entry.expression is not None:
        assert to_text(parse(entry.expression)) == entry.expression


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_value_and_gradient_are_finite_over_the_declared_range(loss: GANLoss, dtype: torch.dtype) -> None:
    low, high = loss.logit_range
    assert low <= -30
    assert high >= 30
    inner = torch.linspace(-30, 30, 121)
    for logits in (inner, inner + 0.17, torch.linspace(low, high, 101), torch.tensor([low]), torch.tensor([high])):
        narrow = [side.to(dtype).requires_grad_(True) for side in (logits, logits.flip(0))]
        wide = [side.detach().float().requires_grad_(True) for side in narrow]
        found = []
        for real, fake in (narrow, wide):
            values = objectives(loss, real, fake)
            assert all(value.dtype == torch.float32 and value.isfinite() for value in values)
            found.append(gradients(values, real, fake))
        # the slope that half precision gets is the one of float32, as far as it can hold it: of exp(30) it cannot
        for slope, exact in zip(*found, strict=True):
            assert exact.isfinite().all()
            assert torch.equal(slope, exact.to(dtype))


def test_values_equal_an_independent_formula(name: str) -> None:
    loss = CATALOGUE[name].make(reduction="none")
    expected = [side(REAL.numpy(), FAKE.numpy()) for side in formula_of(name)]
    for found, value in zip(objectives(loss, REAL, FAKE), expected, strict=True):
        assert np.allclose(found.numpy(), value, rtol=1e-6, atol=1e-9)
    for found, value in zip(objectives(loss, REAL.float(), FAKE.float()), expected, strict=True):
        assert np.allclose(found.numpy(), value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients_equal_finite_differences(name: str, reduction: str) -> None:
    loss = CATALOGUE[name].make(reduction=reduction)
    real, fake = leaves()
    found = torch.cat(gradients(objectives(loss, real, fake), real, fake))
    step = 1e-5

    def slope(which: int, at: Tensor, index: int) -> Tensor:
        ends = []
        with torch.no_grad():
            for sign in (1.0, -1.0):
                at[index] += sign * step
                ends.append(objectives(loss, real, fake)[which])
                at[index] -= sign * step
        return (ends[0] - ends[1]) / (2 * step)

    sides = ((0, real), (0, fake), (1, fake))
    expected = torch.stack([slope(which, at, i) for which, at in sides for i in range(len(REAL))])
    # a difference of two totals has the rounding of the totals, which for exp(15) is not small
    total = max(value.abs().item() for value in objectives(loss, real, fake))
    rounding = 8 * torch.finfo(torch.float64).eps * total / step
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6 + rounding)


@pytest.mark.parametrize("shape", [(), (10,), (10, 1), (5, 2), (2, 1, 5, 1), (1,)], ids=str)
def test_logits_may_have_any_shape(name: str, shape: tuple[int, ...]) -> None:
    count = int(np.prod(shape))
    real, fake = REAL[:count].reshape(shape), FAKE[:count].reshape(shape)
    for reduction in REDUCTIONS:
        loss = CATALOGUE[name].make(reduction=reduction)
        flat = objectives(loss, REAL[:count], FAKE[:count])
        for value, expected in zip(objectives(loss, real, fake), flat, strict=True):
            assert value.shape == (shape if reduction == "none" else ())
            assert torch.allclose(value.flatten(), expected.flatten(), rtol=1e-12)


def test_the_reductions_agree(name: str) -> None:
    mean, total, none = (objectives(CATALOGUE[name].make(reduction=reduction), REAL, FAKE) for reduction in REDUCTIONS)
    for i in range(2):
        assert torch.allclose(mean[i] * len(REAL), total[i], rtol=1e-12)
        assert torch.allclose(none[i].sum(), total[i], rtol=1e-12)


@pytest.mark.parametrize("shape", [(0,), (4, 0)], ids=str)
def test_an_empty_batch_is_an_error(loss: GANLoss, shape: tuple[int, ...]) -> None:
    empty = torch.zeros(shape)
    for real, fake, side in ((empty, FAKE, "real_logits"), (REAL, empty, "fake_logits")):
        with pytest.raises(InputError, match=f"^{side} must hold at least one logit"):
            loss.discriminator(real_logits=real, fake_logits=fake)
    with pytest.raises(InputError, match=r"^fake_logits must hold at least one logit"):
        loss.generator(fake_logits=empty, real_logits=REAL)


def test_the_order_of_the_samples_does_not_matter(name: str) -> None:
    loss = CATALOGUE[name].make(reduction="none")
    order = torch.randperm(len(REAL), generator=torch.Generator().manual_seed(0))
    values, shuffled = objectives(loss, REAL, FAKE), objectives(loss, REAL[order], FAKE[order])
    for value, other in zip(values, shuffled, strict=True):
        assert torch.allclose(value[order], other, rtol=1e-12)


def test_samples_are_independent_exactly_if_it_says_so(name: str) -> None:
    loss = CATALOGUE[name].make(reduction="none")
    jacobians = (
        torch.autograd.functional.jacobian(lambda x: objectives(loss, x, FAKE)[0], REAL),
        torch.autograd.functional.jacobian(lambda x: objectives(loss, REAL, x)[0], FAKE),
        torch.autograd.functional.jacobian(lambda x: objectives(loss, REAL, x)[1], FAKE),
    )
    between = max((jacobian - jacobian.diag().diag()).abs().max().item() for jacobian in jacobians)
    # nor does a side's gradient depend on the other side's logits
    slopes = [gradients(objectives(loss, *both), *both)[0] for both in (leaves(), (leaves()[0], leaves()[1] * 0.5))]
    assert (between == 0 and torch.equal(*slopes)) == loss.separable


def test_a_call_changes_nothing(loss: GANLoss) -> None:
    before = dict(vars(loss))
    real, fake = REAL.clone(), FAKE.clone()
    first, second = objectives(loss, real, fake), objectives(loss, real, fake)
    assert vars(loss) == before
    assert torch.equal(real, REAL)
    assert torch.equal(fake, FAKE)
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one, two)


def test_it_compiles_in_one_graph(loss: GANLoss) -> None:
    torch.compiler.reset()

    def total(real: Tensor, fake: Tensor) -> Tensor:
        discriminator, generator = objectives(loss, real, fake)
        return discriminator + 2 * generator

    inputs = leaves(torch.float32)
    compiled = torch.compile(total, fullgraph=True, backend="aot_eager")(*inputs)
    assert torch.allclose(compiled, total(*inputs), rtol=1e-6)
    slopes, expected = (torch.autograd.grad(value, inputs) for value in (compiled, total(*inputs)))
    for slope, other in zip(slopes, expected, strict=True):
        assert torch.allclose(slope, other, rtol=1e-5, atol=1e-7)


def test_it_maps_over_batches(loss: GANLoss) -> None:
    reals, fakes = REAL.reshape(2, 5), FAKE.reshape(2, 5)
    mapped = torch.vmap(lambda a, b: torch.stack(objectives(loss, a, b)))(reals, fakes)
    one_by_one = torch.stack([torch.stack(objectives(loss, a, b)) for a, b in zip(reals, fakes, strict=True)])
    assert torch.allclose(mapped, one_by_one, rtol=1e-12)


class _Module(nn.Module):
    def __init__(self, loss: GANLoss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return objectives(self.loss, real, fake)


def test_it_exports(loss: GANLoss) -> None:
    exported = torch.export.export(_Module(loss), (REAL, FAKE)).module()
    other = (REAL.flip(0) / 2, FAKE.flip(0) / 2)
    for value, expected in zip(exported(*other), objectives(loss, *other), strict=True):
        assert torch.allclose(value, expected, rtol=1e-12)


@pytest.fixture(params=[name for name, entry in CATALOGUE.items() if entry.expression is not None])
def twin(request: pytest.FixtureRequest) -> tuple[GANLoss, GANLoss]:
    """A loss and its expression, compiled."""
    entry = CATALOGUE[request.param]
    return entry.make(reduction="none"), compile_loss(parse(str(entry.expression)), reduction="none")


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 5e-6)], ids=str)
def test_its_expression_is_its_twin(twin: tuple[GANLoss, GANLoss], dtype: torch.dtype, tolerance: float) -> None:
    logits = torch.linspace(-30, 30, 241) + 0.037  # off the kinks
    found = []
    for one in twin:
        real = logits.to(dtype, copy=True).requires_grad_(True)
        fake = logits.flip(0).to(dtype, copy=True).requires_grad_(True)
        values = objectives(one, real, fake)
        found.append((*values, *gradients(values, real, fake)))
    for one, two in zip(*found, strict=True):
        assert torch.allclose(one, two, rtol=tolerance, atol=tolerance)


def test_its_expression_in_numpy_is_its_twin(twin: tuple[GANLoss, GANLoss]) -> None:
    loss, compiled = twin
    real, fake = leaves()
    values = objectives(loss, real, fake)
    slopes = gradients(values, real, fake)
    expression = compiled.expression  # type: ignore[attr-defined]
    for which, expected in ((terms, None), (term_gradients, slopes)):
        on_real, on_fake = which(expression, REAL.numpy()), which(expression, FAKE.numpy())
        if expected is None:
            pairs = [(values[0], on_real.real + on_fake.fake), (values[1], on_fake.generator)]
        else:
            pairs = list(zip(expected, (on_real.real, on_fake.fake, on_fake.generator), strict=True))
        for torch_value, numpy_value in pairs:
            assert np.allclose(torch_value.detach().numpy(), numpy_value, rtol=1e-6, atol=1e-6)
