"""Separable GAN losses as Keras 3 losses, on TensorFlow, JAX and PyTorch. The only file that imports keras.

It needs keras and numpy, not torch: where torch is not installed, it works. (``pip install ganetics[keras]`` brings
torch all the same, as the rest of the package needs it; ``pip install --no-deps ganetics`` does not.)

A GAN's ``train_step`` on TensorFlow; ``examples/keras_gan.py`` has the rest of it, and JAX and PyTorch::

    def train_step(self, real):
        noise = keras.random.normal((keras.ops.shape(real)[0], LATENT_DIM), seed=self.seeds)
        with tf.GradientTape() as tape:
            real_logits, fake_logits = self.discriminator(real), self.discriminator(self.generator(noise))
            d_loss = self.gan_loss.discriminator(real_logits=real_logits, fake_logits=fake_logits)
        self.d_optimizer.apply(tape.gradient(d_loss, self.discriminator.trainable_variables))
        with tf.GradientTape() as tape:
            g_loss = self.gan_loss.generator(fake_logits=self.discriminator(self.generator(noise)))
        self.g_optimizer.apply(tape.gradient(g_loss, self.generator.trainable_variables))
        return {"d_loss": d_loss, "g_loss": g_loss}

with ``self.gan_loss = SeparableLoss("ganetic")``, and no sigmoid at the end of the discriminator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ganetics._check import InputError, MissingDependencyError
from ganetics.expressions.bind import terms_of
from ganetics.expressions.primitives import LARGEST_EXPONENT, SMALLEST_DIVISOR, SMALLEST_RADICAND
from ganetics.expressions.standard import STANDARD, named_or_parsed
from ganetics.expressions.text import to_text
from ganetics.expressions.tree import (
    LOG_ONE_MINUS_P,
    LOG_P,
    ONE_MINUS_P,
    Constant,
    P,
    Tree,
    Variable,
    X,
)

try:
    import keras
    from keras import ops
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        f"{error.name} is not installed: ganetics.keras needs Keras 3 and the backend that KERAS_BACKEND names "
        "(tensorflow, jax or torch), e.g. pip install keras tensorflow"
    ) from None

Tensor = Any
"""A tensor of the backend, or what it makes one of."""
Term = Callable[[Tensor], Tensor]

SMALLEST_PROBABILITY = 1e-7
"""Given probabilities count as this, at least, and as 1 less this, at most; as in Keras's own losses."""


@keras.saving.register_keras_serializable(package="ganetics")
class SeparableLoss(keras.losses.Loss):  # type: ignore[misc]  # keras gives no types
    """A separable GAN loss over raw logits; all is computed in at least float32, under any policy.

    Every loss has the two keyword-only methods of :class:`ganetics.losses.GANLoss`: ``discriminator(real_logits=,
    fake_logits=)`` and ``generator(fake_logits=)``. Where the generator's term is the term of real samples (GANetic,
    non-saturating, least squares, Wasserstein) the object is also called as any Keras loss, ``loss(y_true, y_pred)``:
    y_true is 1 for real samples, 0 for generated ones, and 1 for generated ones in the generator's step. Of the other
    losses (minimax, hinge) that call would silently train the generator on another loss, so they refuse it. Called
    once with real and generated samples in one batch, it gives half of ``discriminator``: one mean over both, not two.

    Args:
        expression: a name (the keys of :data:`ganetics.expressions.standard.STANDARD`), or an expression's text such
            as ``"p**3 + sqrt(3.985*y/p)"``. Text is parsed, never evaluated.
        from_logits: whether the discriminator gives raw logits. If not, its probabilities are converted, clipped to
            [1e-7, 1 − 1e-7], where gradients end; logits keep more.
        reduction: as in Keras: "sum_over_batch_size" (or "mean", "mean_with_sample_weight": the same in the methods,
            which take no weights), "sum", None. None gives a value a logit: both sides must then have one shape.
        name: default the loss's name.
        dtype: as in Keras, but float16 and bfloat16 count as float32.

    Raises:
        InputError: neither a name nor an expression.

    >>> loss = SeparableLoss("ganetic")
    >>> round(float(loss.generator(fake_logits=[0.0, 2.0])), 4)
    2.8792
    >>> round(float(loss([1.0, 1.0], [0.0, 2.0])), 4)
    2.8792
    >>> loss.get_config()["expression"]
    'p**3 + sqrt(3.985*y/p)'
    """

    def __init__(
        self,
        expression: str,
        *,
        from_logits: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        known = named_or_parsed(expression)
        super().__init__(
            name=name or (expression if expression in STANDARD else None),
            reduction=reduction,
            dtype=_at_least_float32(dtype),
        )
        self.expression = to_text(known)
        self.from_logits = from_logits
        real, fake, generator = terms_of(known)
        self.generator_is_real = generator == real
        """Whether the generator's term is that of real samples, so that the loss can be called."""
        self._real, self._fake, self._generator = _term(real), _term(fake), _term(generator)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the real term where y_true is 1, the fake term where it is 0, and between them the two so weighed.

        Args:
            y_true: 1 or 0; between them for smoothed labels. Of the shape of ``y_pred``: nothing is broadcast.
            y_pred: the discriminator's outputs, any shape.

        Raises:
            InputError: the generator's term is not the real one; other shapes; an empty batch.
        """
        if not self.generator_is_real:
            raise InputError(
                f"{self.name}: the generator has a term of its own, so loss(y_true, y_pred) cannot serve both sides; "
                "use loss.discriminator(real_logits=, fake_logits=) and loss.generator(fake_logits=)"
            )
        logits = self._logits(y_pred, "y_pred")
        y = ops.convert_to_tensor(y_true, dtype=self.dtype)
        _same_shape(y, logits, "y_true and y_pred")
        # a term of weight 0 is computed at logit 0: 0 times its overflow would be NaN
        real = self._real(ops.where(y == 0, 0.0, logits))
        fake = self._fake(ops.where(y == 1, 0.0, logits))
        return y * real + (1 - y) * fake

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the mean (or sum) of the real terms plus that of the fake terms, each to be minimised.

        Raises:
            InputError: an empty batch, logits that are not floating, or with reduction None shapes that differ.
        """
        real, fake = self._logits(real_logits, "real_logits"), self._logits(fake_logits, "fake_logits")
        if self.reduction in (None, "none"):
            _same_shape(real, fake, "without reduction real_logits and fake_logits")
        return self._reduce(self._real(real)) + self._reduce(self._fake(fake))

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor = None) -> Tensor:
        """Return the mean (or sum) of the generator terms; ``real_logits`` is not used.

        Raises:
            InputError: an empty batch, or logits that are not floating.
        """
        return self._reduce(self._generator(self._logits(fake_logits, "fake_logits")))

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal loss: text and numbers only."""
        return {
            **super().get_config(),
            "expression": self.expression,
            "from_logits": self.from_logits,
            "dtype": self.dtype,
        }

    def _logits(self, values: Tensor, name: str) -> Tensor:
        given = ops.convert_to_tensor(values)
        if 0 in given.shape:
            raise InputError(f"{name} must hold at least one logit, got shape {list(given.shape)}")
        if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(given.dtype)):
            raise InputError(f"{name} must be floating, got {keras.backend.standardize_dtype(given.dtype)}")
        given = ops.cast(given, self.dtype)
        if self.from_logits:
            return given
        p = _at_most(_at_least(given, SMALLEST_PROBABILITY), 1 - SMALLEST_PROBABILITY)
        return ops.log(p) - ops.log1p(-p)

    def _reduce(self, values: Tensor) -> Tensor:
        if self.reduction in (None, "none"):
            return values
        return ops.sum(values) if self.reduction == "sum" else ops.mean(values)


def _at_least_float32(dtype: Any) -> Any:
    policy = keras.dtype_policies.get(dtype or keras.config.floatx())
    return "float32" if policy.compute_dtype in ("float16", "bfloat16") else policy.compute_dtype


def _same_shape(a: Tensor, b: Tensor, names: str) -> None:
    """Raise InputError if the shapes differ where both are known; while a graph is traced, a side may be None."""
    pairs = zip(a.shape, b.shape, strict=False)
    if len(a.shape) != len(b.shape) or any(None not in pair and pair[0] != pair[1] for pair in pairs):
        raise InputError(f"{names} must have one shape, got {list(a.shape)} and {list(b.shape)}")


def _at_least(a: Tensor, limit: float) -> Tensor:
    """Return the maximum; where both are equal the whole slope is a's, which backends' maximum do not agree on."""
    bound = _constant(limit, a)
    return ops.where(a < bound, bound, a)


def _at_most(a: Tensor, limit: float) -> Tensor:
    bound = _constant(limit, a)
    return ops.where(a > bound, bound, a)


def _constant(value: float, like: Tensor) -> Tensor:
    return ops.full((), value, dtype=like.dtype)  # a Python number would be a float32 beside a float64


def _divide(a: Tensor, b: Tensor) -> Tensor:
    size = _at_least(ops.abs(b), SMALLEST_DIVISOR)
    return a / ops.where(b < 0, -size, size)


def _maximum(a: Tensor, b: Tensor) -> Tensor:
    # where both are equal half the slope is each one's, on every backend
    return ops.where(a > b, a, ops.where(a < b, b, 0.5 * a + 0.5 * b))


KERAS: Mapping[str, Callable[..., Tensor]] = {
    "add": ops.add,
    "sub": ops.subtract,
    "mul": ops.multiply,
    "div": _divide,
    "neg": ops.negative,
    "square": ops.square,
    "cube": lambda a: a * a * a,
    "sqrt": lambda a: ops.sqrt(_at_least(ops.abs(a), SMALLEST_RADICAND)),
    "log": lambda a: ops.log(_at_least(ops.abs(a), SMALLEST_DIVISOR)),
    "exp": lambda a: ops.exp(_at_most(a, LARGEST_EXPONENT)),
    "abs": ops.abs,
    "tanh": ops.tanh,
    "sin": ops.sin,
    "cos": ops.cos,
    "sigmoid": ops.sigmoid,
    "softplus": ops.softplus,
    "relu": ops.relu,
    "maximum": _maximum,
    "minimum": lambda a, b: -_maximum(-a, -b),
}
"""The primitives in Keras; equal to :data:`ganetics.expressions.primitives.PRIMITIVES`."""

FROM_LOGIT: Mapping[Tree, Term] = {
    X: lambda logits: logits,
    P: ops.sigmoid,
    ONE_MINUS_P: lambda logits: ops.sigmoid(-logits),
    LOG_P: ops.log_sigmoid,
    LOG_ONE_MINUS_P: lambda logits: ops.log_sigmoid(-logits),
}


def _term(tree: Tree) -> Term:
    inner = _compile(tree)
    # a term that does not depend on the logit still has its shape, and a gradient (zero) to flow back
    return inner if _depends(tree) else lambda logits: inner(logits) + 0.0 * logits


def _depends(tree: Tree) -> bool:
    return tree in FROM_LOGIT or (not isinstance(tree, Constant | Variable) and any(map(_depends, tree.arguments)))


def _compile(tree: Tree) -> Term:
    if tree in FROM_LOGIT:
        return FROM_LOGIT[tree]
    if isinstance(tree, Constant):
        value = tree.value
        return lambda logits: _constant(value, logits)
    if isinstance(tree, Variable):
        raise KeyError(f"no value for the variable {tree.name}")
    function = KERAS[tree.primitive]
    arguments = [_compile(argument) for argument in tree.arguments]
    return lambda logits: function(*(argument(logits) for argument in arguments))
