"""GANetic in a Keras GAN with a train_step of its own, on TensorFlow, JAX or PyTorch.

    KERAS_BACKEND=jax python examples/keras_gan.py [STEPS]

Trains on random points of eight normal variables and prints how the discriminator tells real from generated.
Take what your backend needs: on TensorFlow and PyTorch ``fit`` calls the step. JAX's ``fit`` carries the state of one
optimizer only, and a GAN has two, so there the step is a pure function in a loop of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ganetics.keras import SeparableLoss

LATENT_DIM = 8
BATCH_SIZE = 64


class GAN(keras.Model):  # type: ignore[misc]  # keras gives no types
    """Generator, discriminator, an optimizer each, and the loss."""

    def __init__(self, generator: Any, discriminator: Any, gan_loss: SeparableLoss, learning_rate: float) -> None:
        super().__init__()
        self.built = True  # the networks are; there is no call() by which fit could find out
        self.generator, self.discriminator, self.gan_loss = generator, discriminator, gan_loss
        self.seeds = keras.random.SeedGenerator(0)
        self.g_optimizer, self.d_optimizer = (keras.optimizers.Adam(learning_rate, beta_1=0.5) for _ in range(2))
        self.g_optimizer.build(generator.trainable_variables)
        self.d_optimizer.build(discriminator.trainable_variables)


class TensorFlowGAN(GAN):
    def train_step(self, real: Any) -> dict[str, Any]:
        import tensorflow as tf

        noise = keras.random.normal((keras.ops.shape(real)[0], LATENT_DIM), seed=self.seeds)
        with tf.GradientTape() as tape:
            real_logits, fake_logits = self.discriminator(real), self.discriminator(self.generator(noise))
            d_loss = self.gan_loss.discriminator(real_logits=real_logits, fake_logits=fake_logits)
        self.d_optimizer.apply(tape.gradient(d_loss, self.discriminator.trainable_variables))
        with tf.GradientTape() as tape:
            g_loss = self.gan_loss.generator(fake_logits=self.discriminator(self.generator(noise)))
        self.g_optimizer.apply(tape.gradient(g_loss, self.generator.trainable_variables))
        return {"d_loss": d_loss, "g_loss": g_loss}


class TorchGAN(GAN):
    def train_step(self, real: Any) -> dict[str, Any]:
        import torch

        noise = keras.random.normal((len(real), LATENT_DIM), seed=self.seeds)
        real_logits, fake_logits = self.discriminator(real), self.discriminator(self.generator(noise).detach())
        d_loss = self.gan_loss.discriminator(real_logits=real_logits, fake_logits=fake_logits)
        d_variables = self.discriminator.trainable_variables
        d_gradients = torch.autograd.grad(d_loss, [v.value for v in d_variables])
        with torch.no_grad():
            self.d_optimizer.apply(d_gradients, d_variables)
        g_loss = self.gan_loss.generator(fake_logits=self.discriminator(self.generator(noise)))
        g_variables = self.generator.trainable_variables
        g_gradients = torch.autograd.grad(g_loss, [v.value for v in g_variables])
        with torch.no_grad():
            self.g_optimizer.apply(g_gradients, g_variables)
        return {"d_loss": d_loss, "g_loss": g_loss}


def jax_train_step(gan: GAN) -> Callable[[Any, Any, Any], tuple[Any, dict[str, Any]]]:
    """Return the pure step (state, real, noise) → (state, losses); the networks here have no other state."""
    import jax  # type: ignore[import-not-found]  # not in the environment that is type-checked

    def logits(d_weights: Any, images: Any) -> Any:
        return gan.discriminator.stateless_call(d_weights, [], images)[0]

    def d_objective(d_weights: Any, real: Any, fake: Any) -> Any:
        return gan.gan_loss.discriminator(real_logits=logits(d_weights, real), fake_logits=logits(d_weights, fake))

    def g_objective(g_weights: Any, d_weights: Any, noise: Any) -> Any:
        fake, _ = gan.generator.stateless_call(g_weights, [], noise)
        return gan.gan_loss.generator(fake_logits=logits(d_weights, fake))

    def train_step(state: Any, real: Any, noise: Any) -> tuple[Any, dict[str, Any]]:
        d_weights, d_slots, g_weights, g_slots = state
        fake, _ = gan.generator.stateless_call(g_weights, [], noise)
        d_loss, gradients = jax.value_and_grad(d_objective)(d_weights, real, fake)
        d_weights, d_slots = gan.d_optimizer.stateless_apply(d_slots, gradients, d_weights)
        g_loss, gradients = jax.value_and_grad(g_objective)(g_weights, d_weights, noise)
        g_weights, g_slots = gan.g_optimizer.stateless_apply(g_slots, gradients, g_weights)
        return (d_weights, d_slots, g_weights, g_slots), {"d_loss": d_loss, "g_loss": g_loss}

    step: Callable[[Any, Any, Any], tuple[Any, dict[str, Any]]] = jax.jit(train_step)
    return step


def train_with_jax(gan: GAN, data: np.ndarray) -> None:
    """Train on ``data``, once through, and put the weights back into the networks."""
    holders = (
        gan.discriminator.trainable_variables,
        gan.d_optimizer.variables,
        gan.generator.trainable_variables,
        gan.g_optimizer.variables,
    )
    state = tuple([variable.value for variable in variables] for variables in holders)
    train_step = jax_train_step(gan)
    for real in np.split(data, len(data) // BATCH_SIZE):
        state, _ = train_step(state, real, keras.random.normal((BATCH_SIZE, LATENT_DIM), seed=gan.seeds))
    for variables, values in zip(holders, state, strict=True):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def main(steps: int = 400) -> tuple[float, float]:
    """Train, and return the mean sigmoid of the discriminator's logits for real and for generated points."""
    keras.utils.set_random_seed(0)  # of the layers' initial weights
    layers = keras.layers
    generator = keras.Sequential([keras.Input((LATENT_DIM,)), layers.Dense(32, "relu"), layers.Dense(8)])
    discriminator = keras.Sequential([keras.Input((8,)), layers.Dense(32, "leaky_relu"), layers.Dense(1)])  # no sigmoid
    parts = (generator, discriminator, SeparableLoss("ganetic"), 1e-3)
    data = np.random.default_rng(0).normal(2.0, 0.5, (steps * BATCH_SIZE, 8)).astype("float32")

    if keras.backend.backend() == "jax":
        train_with_jax(GAN(*parts), data)
    else:
        gan = TorchGAN(*parts) if keras.backend.backend() == "torch" else TensorFlowGAN(*parts)
        gan.compile()
        gan.fit(data, batch_size=BATCH_SIZE, epochs=1, verbose=0)

    fake = generator.predict(np.random.default_rng(1).normal(size=(1024, LATENT_DIM)), verbose=0)
    real_logits, fake_logits = (discriminator.predict(images, verbose=0) for images in (data[:1024], fake))
    return tuple(float(np.mean(1 / (1 + np.exp(-logits)))) for logits in (real_logits, fake_logits))  # type: ignore[return-value]


if __name__ == "__main__":
    d_real, d_fake = main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
    print(f"D(real) {d_real:.3f}, D(generated) {d_fake:.3f}; GANetic's equilibrium: 0.599")
