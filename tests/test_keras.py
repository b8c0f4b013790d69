"""The Keras losses against the NumPy reference on the backend that KERAS_BACKEND names; all three: make test-keras."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is not installed; make test-keras tests with it")

import ganetics.keras as adapter  # noqa: E402
from ganetics._check import InputError  # noqa: E402
from ganetics.expressions import numeric  # noqa: E402
from ganetics.expressions.dialects import DIALECTS  # noqa: E402
from ganetics.expressions.export import to_source  # noqa: E402
from ganetics.expressions.primitives import PRIMITIVES  # noqa: E402
from ganetics.expressions.standard import STANDARD, named_or_parsed  # noqa: E402
from ganetics.expressions.tree import Call, nodes, trees  # noqa: E402
from ganetics.keras import SeparableLoss  # noqa: E402

# Keras asks NumPy 2 for arrays in NumPy 1's way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")

BACKEND = keras.backend.backend()
MODES = ["eager"] if BACKEND == "torch" else ["eager", "compiled"]
TERMS = ("real", "fake", "generator")
EXPRESSIONS = (
    *STANDARD,
    "exp(2.4092 - p*(1 + y)) - cos(cos(sin(p)))",  # arXiv 2404.12948
    "real: maximum(x, 0.5) + tanh(x); fake: minimum(x/4, 2)*abs(x); generator: 3",  # slopes at ties, and a constant
    "real: sqrt(x) + neg(2); fake: sigmoid(x) - log(x**2 + 1); generator: exp(x)",
)
EXAMPLE = Path(__file__).parents[1] / "examples" / "keras_gan.py"
# exact float32 numbers with 0, ±0.5, ±1 and ±30 among them, and without the place at -16.118 where GANetic has a kink
LOGITS = np.linspace(-30, 30, 1201).astype(np.float32)

Function = Callable[[Any], Any]


def value_and_slope(function: Function, at: np.ndarray, mode: str = "eager") -> tuple[np.ndarray, np.ndarray]:
    """Return an elementwise function's values and slopes, by the backend's own differentiation."""
    if BACKEND == "torch":
        import torch

        x = torch.tensor(at, requires_grad=True)
        value = function(x)
        (slope,) = torch.autograd.grad(value.sum(), x)
        return value.detach().numpy(), slope.numpy()
    if BACKEND == "jax":
        import jax

        def both(x: Any) -> Any:
            return function(x), jax.grad(lambda x: function(x).sum())(x)

        value, slope = (jax.jit(both) if mode == "compiled" else both)(jax.numpy.asarray(at))
        return np.asarray(value), np.asarray(slope)
    import tensorflow as tf

    def recorded(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return value, tape.gradient(value, x)

    value, slope = (tf.function(recorded, jit_compile=True) if mode == "compiled" else recorded)(tf.constant(at))
    return value.numpy(), slope.numpy()


def term_of(loss: SeparableLoss, term: str) -> Function:
    """Return the term as a function of logits; to real and fake term the other one's value at 0 is added."""
    if term == "generator":
        return lambda x: loss.generator(fake_logits=x)
    if term == "real":
        return lambda x: loss.discriminator(real_logits=x, fake_logits=0 * x)
    return lambda x: loss.discriminator(real_logits=0 * x, fake_logits=x)


def reference(expression: str, term: str, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known, exact = named_or_parsed(expression), logits.astype(np.float64)
    value = getattr(numeric.terms(known, exact), term)
    slope = getattr(numeric.term_gradients(known, exact), term)
    at_zero = numeric.terms(known, np.zeros(1))
    return value + {"real": at_zero.fake, "fake": at_zero.real, "generator": 0.0}[term], slope


def assert_near(one: Any, other: Any) -> None:
    np.testing.assert_allclose(keras.ops.convert_to_numpy(one), other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_values_and_slopes_are_the_references(expression: str, term: str, mode: str) -> None:
    value, slope = value_and_slope(term_of(SeparableLoss(expression, reduction=None), term), LOGITS, mode)
    expected, expected_slope = reference(expression, term, LOGITS)
    assert value.dtype == np.float32
    assert_near(value, expected)
    assert_near(slope, expected_slope)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_exported_file_says_what_the_expression_says(expression: str, mode: str) -> None:
    known, names = named_or_parsed(expression), {}
    exec(compile(to_source(known, DIALECTS["keras"], title="A loss", version="0"), "<exported>", "exec"), names)
    for term in TERMS:
        value, slope = value_and_slope(names[f"_{term}_term"], LOGITS, mode)
        exact = LOGITS.astype(np.float64)
        assert value.dtype == np.float32
        assert_near(value, getattr(numeric.terms(known, exact), term))
        assert_near(slope, getattr(numeric.term_gradients(known, exact), term))
    real, fake = LOGITS[::2].astype(np.float16), LOGITS[1::3]
    values = numeric.terms(known, real.astype(np.float64)), numeric.terms(known, fake.astype(np.float64))
    assert_near(names["discriminator_loss"](real, fake), values[0].real.mean() + values[1].fake.mean())
    assert_near(names["generator_loss"](fake), values[1].generator.mean())


def test_an_exported_loss_of_pairs_takes_differences() -> None:
    base, names = named_or_parsed("real: softplus(-x) - x*0.6666; fake: x; generator: abs(x) - x*abs(x)"), {}
    source = to_source(base, DIALECTS["keras"], title="A loss", version="0", paired=True)
    exec(compile(source, "<exported>", "exec"), names)
    real, fake = LOGITS[1::2], LOGITS[::2][: len(LOGITS[1::2])]
    found = names["discriminator_loss"](real, fake), names["generator_loss"](fake, real)
    assert_near(found[0], numeric.terms(base, (real - fake).astype(np.float64)).real.mean())
    assert_near(found[1], numeric.terms(base, (fake - real).astype(np.float64)).generator.mean())
    for call in (names["discriminator_loss"], names["generator_loss"]):
        with pytest.raises(ValueError, match="must be of one shape"):  # not all pairs
            call(real[:, None], fake)


def test_every_primitive_is_tried() -> None:
    inner = (node for text in EXPRESSIONS for tree in trees(named_or_parsed(text)) for _, node in nodes(tree))
    assert {node.primitive for node in inner if isinstance(node, Call)} == set(PRIMITIVES) == set(adapter.KERAS)


@pytest.mark.parametrize("name", STANDARD)
def test_all_is_finite_over_the_range_that_the_losses_declare(name: str) -> None:
    far = np.array([-1e4, -104, -88, -17, 0, 17, 88, 104, 1e4], np.float32)
    for term in TERMS:
        value, slope = value_and_slope(term_of(SeparableLoss(name, reduction=None), term), far)
        assert np.isfinite(value).all()
        assert np.isfinite(slope).all()


@pytest.mark.skipif(BACKEND != "torch", reason="the PyTorch losses are compared where the backend is PyTorch")
@pytest.mark.parametrize("name", STANDARD)
@pytest.mark.parametrize(("reduction", "torchs"), [("sum_over_batch_size", "mean"), ("sum", "sum"), (None, "none")])
def test_equal_to_the_pytorch_losses(name: str, reduction: str | None, torchs: Any) -> None:
    import torch

    from ganetics.catalogue import CATALOGUE

    ours, theirs = SeparableLoss(name, reduction=reduction), CATALOGUE[name].make(reduction=torchs)
    for term in TERMS:
        found = []
        for function in (term_of(ours, term), term_of(theirs, term)):  # type: ignore[arg-type]  # of one contract
            x = torch.tensor(LOGITS, requires_grad=True)
            value = function(x)
            found.append((value.detach(), torch.autograd.grad(value.sum(), x)[0]))
        (value, slope), (expected, expected_slope) = found
        assert_near(value, expected)
        # of a mean the slopes are as small as the batch is large
        scale = len(LOGITS) if reduction == "sum_over_batch_size" else 1
        assert_near(slope * scale, expected_slope * scale)


@pytest.fixture(params=["float32", "mixed_float16", "floatx float16", "floatx bfloat16"])
def policy(request: pytest.FixtureRequest) -> Iterator[str]:
    before, floatx = keras.config.dtype_policy(), keras.config.floatx()
    if request.param.startswith("floatx"):
        keras.config.set_floatx(request.param.split()[1])
    else:
        keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("policy")
def test_half_precision_is_computed_in_float32() -> None:
    half = np.array([-15, -9.5, 0, 9.5], np.float16)
    loss = SeparableLoss("ganetic", reduction=None)
    for value in (loss.generator(fake_logits=half), loss(np.ones(4), keras.ops.convert_to_tensor(half))):
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
        assert_near(value, reference("ganetic", "generator", half)[0])


@pytest.mark.skipif(BACKEND == "jax", reason="JAX has no float64 unless it is switched on for the whole process")
def test_float64_is_kept_on_request() -> None:
    loss = SeparableLoss("ganetic", reduction=None, dtype="float64")
    value = keras.ops.convert_to_numpy(loss.generator(fake_logits=LOGITS.astype(np.float64)))
    np.testing.assert_allclose(value, reference("ganetic", "generator", LOGITS)[0], rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_called_it_is_the_real_term_at_1_and_the_fake_term_at_0(mode: str) -> None:
    loss, known = SeparableLoss("ganetic", reduction=None), named_or_parsed("ganetic")
    terms, slopes = (of(known, LOGITS.astype(np.float64)) for of in (numeric.terms, numeric.term_gradients))
    for weight in (1.0, 0.0, 0.9):
        target = np.full_like(LOGITS, weight)
        value, slope = value_and_slope(lambda x, y=target: loss(y, x), LOGITS, mode)  # type: ignore[misc]
        assert_near(value, weight * terms.real + (1 - weight) * terms.fake)
        assert_near(slope, weight * slopes.real + (1 - weight) * slopes.fake)


def test_a_side_without_weight_may_overflow() -> None:
    loss = SeparableLoss("real: x; fake: exp(x)**3; generator: x", reduction=None)
    at = np.array([31, -1], np.float32)
    assert not np.isfinite(value_and_slope(term_of(loss, "fake"), at)[0]).all()
    value, slope = value_and_slope(lambda x: loss(np.array([1, 0]), x), at)
    assert_near(value, [31, np.exp(-3)])
    assert_near(slope, [1, 3 * np.exp(-3)])


def test_one_call_for_both_sides_is_half_the_discriminators_objective() -> None:
    loss, real, fake = SeparableLoss("non-saturating"), LOGITS[:600, None], LOGITS[600:1200, None]
    target = np.concatenate([np.ones_like(real), np.zeros_like(fake)])
    whole = keras.ops.convert_to_numpy(loss.discriminator(real_logits=real, fake_logits=fake))
    assert_near(loss(target, np.concatenate([real, fake])), whole / 2)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None])
def test_reductions_are_keras_own(reduction: str | None) -> None:
    loss, logits = SeparableLoss("ganetic", reduction=reduction), LOGITS[:60].reshape(5, 4, 3)
    assert_near(loss.generator(fake_logits=logits), keras.ops.convert_to_numpy(loss(np.ones_like(logits), logits)))
    fakes = loss.discriminator(real_logits=0 * logits, fake_logits=logits) - loss(np.ones_like(logits), 0 * logits)
    assert_near(fakes, keras.ops.convert_to_numpy(loss(np.zeros_like(logits), logits)))


def test_weights_of_samples_and_lists() -> None:
    loss = SeparableLoss("wasserstein", reduction="sum")
    assert float(loss([1, 0], [3.0, 5.0], sample_weight=[2.0, 10.0])) == -2 * 3 + 10 * 5
    assert float(loss.discriminator(real_logits=[3.0], fake_logits=[5.0, 1.0])) == -3 + 6


def test_probabilities_are_converted() -> None:
    loss = SeparableLoss("ganetic", from_logits=False, reduction=None)
    p = numeric.sigmoid(np.linspace(-15, 15, 301)).astype(np.float32)
    exact = p.astype(np.float64)
    value, slope = value_and_slope(lambda p: loss(np.ones_like(exact), p), p)
    expected, by_logit = reference("ganetic", "generator", np.log(exact) - np.log1p(-exact))
    assert_near(value, expected)
    assert_near(slope * exact * (1 - exact), by_logit)
    value, slope = value_and_slope(lambda p: loss.generator(fake_logits=p), np.array([0, 1], np.float32))
    assert_near(value, [np.sqrt(3.985e7), 1 + np.sqrt(3.985)])
    assert slope.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SeparableLoss("ganetics"), "unknown loss 'ganetics', nearest: ganetic"),
        (lambda: SeparableLoss("__import__('os')"), "unknown function '__import__'"),
        (lambda: SeparableLoss("hinge")([1.0], [0.5]), "hinge: the generator has a term of its own"),
        (lambda: SeparableLoss("minimax")([1.0], [0.5]), r"use loss.discriminator\(real_logits=, fake_logits=\)"),
        (lambda: SeparableLoss("ganetic")(np.ones(3), np.ones((3, 1))), r"must have one shape, got \[3\] and \[3, 1\]"),
        (lambda: SeparableLoss("ganetic")(np.ones(1), np.ones(3)), r"must have one shape, got \[1\] and \[3\]"),
        (lambda: SeparableLoss("ganetic")([], []), r"y_pred must hold at least one logit, got shape \[0\]"),
        (lambda: SeparableLoss("hinge").generator(fake_logits=np.ones((0, 1))), "fake_logits must hold at least one"),
        (lambda: SeparableLoss("hinge").generator(fake_logits=[1, 2]), "fake_logits must be floating, got int"),
        (
            lambda: SeparableLoss("hinge", reduction=None).discriminator(real_logits=[1.0], fake_logits=[1.0, 2.0]),
            "real_logits and fake_logits must have one shape",
        ),
    ],
)
def test_what_is_wrong_is_said(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_saved_as_text_and_read_back(expression: str) -> None:
    loss = SeparableLoss(expression, from_logits=False, reduction="sum", name="mine", dtype="float64")
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    read = keras.saving.deserialize_keras_object(saved)
    assert isinstance(read, SeparableLoss)
    assert read.get_config() == loss.get_config()
    assert read.expression == SeparableLoss(expression).expression
    assert (read.from_logits, read.reduction, read.name, read.dtype) == (False, "sum", "mine", "float64")


def test_a_saved_model_keeps_its_loss(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", loss=SeparableLoss("p**3 + sqrt(3*y/p)"))
    x = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    y = (x[:, :1] > 0).astype(np.float32)
    (before, *_, after) = model.fit(x, y, epochs=20, verbose=0).history["loss"]
    assert after < before
    model.save(tmp_path / "model.keras")
    read = keras.saving.load_model(tmp_path / "model.keras")
    assert read.loss.expression == "p**3 + sqrt(3*y/p)"
    assert read.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))


@pytest.mark.skipif(BACKEND == "torch", reason="the backend is PyTorch itself")
def test_torch_is_not_needed() -> None:
    assert "torch" not in sys.modules
    program = (
        "import sys; sys.modules['torch'] = None\n"  # as if it were not installed, wherever it is
        "from ganetics.keras import SeparableLoss\n"
        "print(round(float(SeparableLoss('ganetic').generator(fake_logits=[0.0, 2.0])), 4))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "2.8792\n"), found.stderr


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("keras_gan", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_gan_trains_with_a_step_of_its_own() -> None:
    for value in example().main(300):
        assert value == pytest.approx(0.599, abs=0.1)


def test_the_docstrings_step_is_the_examples() -> None:
    assert adapter.__doc__ is not None
    step = adapter.__doc__.split("    def train_step(self, real):\n")[1].split("\n\nwith ")[0]
    shown = [line.strip() for line in step.splitlines()]
    written = EXAMPLE.read_text(encoding="utf-8").split("class TensorFlowGAN")[1].split("class TorchGAN")[0]
    steps = [line.strip() for line in written.splitlines()]
    assert len(shown) == 9
    assert steps[steps.index(shown[0]) :][: len(shown)] == shown
