"""The Keras recipe of docs/recipes.md on the backend that KERAS_BACKEND names; on all of them: make test-keras."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is not installed; make test-keras tests with it")

from ganetics.expressions import numeric  # noqa: E402
from ganetics.expressions.standard import named_or_parsed  # noqa: E402

# Keras asks NumPy 2 for arrays in NumPy 1's way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")

BACKEND = keras.backend.backend()
LATENT_DIM = 4
BATCH = 16
STEPS = 4


def tape_class() -> Any:
    """Return what records gradients: TensorFlow's own, and with torch a stand-in of its form."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.GradientTape
    if BACKEND == "jax":
        pytest.skip("in JAX's fit a model has one optimizer; examples/keras_gan.py has a loop, tested in test_keras.py")
    import torch

    class Tape:
        def __enter__(self) -> Tape:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def gradient(self, loss: Any, variables: Any) -> Any:
            return torch.autograd.grad(loss, [variable.value for variable in variables])

    return Tape


class GAN(keras.Model):
    """The form of Keras's guides: labels of 1 for generated images, which come first."""

    def __init__(self, discriminator: Any, generator: Any, latent_dim: int) -> None:
        keras.Model.__init__(self)  # not super(): the class is made anew from its source
        self.built = True
        self.discriminator, self.generator, self.latent_dim = discriminator, generator, latent_dim
        self.seed_generator = keras.random.SeedGenerator(1337)
        self.seen: list[Any] = []

    def compile(self, d_optimizer: Any, g_optimizer: Any, loss_fn: Any) -> None:
        keras.Model.compile(self, run_eagerly=True)
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    def train_step(self, real_images: Any) -> dict[str, Any]:
        batch_size = keras.ops.shape(real_images)[0]
        noise = keras.random.normal((batch_size, self.latent_dim), seed=self.seed_generator)
        generated_images = keras.ops.stop_gradient(self.generator(noise))
        combined_images = keras.ops.concatenate([generated_images, keras.ops.convert_to_tensor(real_images)], axis=0)
        labels = keras.ops.concatenate([keras.ops.ones((batch_size, 1)), keras.ops.zeros((batch_size, 1))], axis=0)
        with GradientTape() as tape:  # noqa: F821
            d_predictions = predictions = self.discriminator(combined_images)
            d_loss = self.loss_fn(labels, predictions)
        gradients = tape.gradient(d_loss, self.discriminator.trainable_weights)
        self.apply(self.d_optimizer, gradients, self.discriminator.trainable_weights)
        misleading_labels = keras.ops.zeros((batch_size, 1))
        with GradientTape() as tape:  # noqa: F821
            predictions = self.discriminator(self.generator(noise))
            g_loss = self.loss_fn(misleading_labels, predictions)
        gradients = tape.gradient(g_loss, self.generator.trainable_weights)
        self.apply(self.g_optimizer, gradients, self.generator.trainable_weights)
        step = (d_predictions, d_loss, predictions, g_loss)
        self.seen.append([keras.ops.convert_to_numpy(keras.ops.stop_gradient(tensor)) for tensor in step])
        return {"d_loss": d_loss, "g_loss": g_loss}

    def apply(self, optimizer: Any, gradients: Any, weights: Any) -> None:
        if BACKEND == "torch":
            import torch

            with torch.no_grad():
                optimizer.apply(gradients, weights)
        else:
            optimizer.apply(gradients, weights)


def test_a_gan_of_the_guides_form(recipes: Any) -> None:
    step, compiling = recipes.blocks("Keras")
    names = {"keras": keras, "GradientTape": tape_class(), "BACKEND": BACKEND, "Any": Any}
    exec(compile(recipes.changed(textwrap.dedent(inspect.getsource(GAN)), step), "docs/recipes.md", "exec"), names)

    keras.utils.set_random_seed(0)
    layers = keras.layers
    generator = keras.Sequential([keras.Input((LATENT_DIM,)), layers.Dense(8)])
    discriminator = keras.Sequential([keras.Input((8,)), layers.Dense(16, "leaky_relu"), layers.Dense(1)])
    gan = names["GAN"](discriminator, generator, LATENT_DIM)
    exec(compile(compiling, "docs/recipes.md", "exec"), {"gan": gan})
    before = [np.array(weight) for weight in gan.get_weights()]
    data = np.random.default_rng(0).normal(2.0, 0.5, (STEPS * BATCH, 8)).astype("float32")
    gan.fit(data, batch_size=BATCH, epochs=1, verbose=0, shuffle=False)

    ganetic = named_or_parsed("ganetic")
    assert len(gan.seen) == STEPS
    for both, d_loss, fake_later, g_loss in gan.seen:
        fake, real = both[:BATCH].astype(np.float64), both[BATCH:].astype(np.float64)
        expected = numeric.terms(ganetic, real).real.mean() + numeric.terms(ganetic, fake).fake.mean()
        assert d_loss == pytest.approx(expected, rel=1e-5)
        generator_term = numeric.terms(ganetic, fake_later.astype(np.float64)).generator
        assert g_loss == pytest.approx(generator_term.mean(), rel=1e-5)
    for was, now in zip(before, gan.get_weights(), strict=True):
        assert np.isfinite(now).all()
        assert not np.array_equal(was, now)
