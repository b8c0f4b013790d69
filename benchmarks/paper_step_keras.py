"""One training step of the paper's networks in Keras 3 on TensorFlow, for ``paper_step.py``; in its own environment.

    python benchmarks/paper_step_keras.py STEPS float32|mixed_bfloat16

The networks and the step of the authors' published script (facts of it: ganetics/models/dcgan_paper.py), as
``keras.Model.fit`` would run it: the step compiled by ``tf.function``. Prints the seconds of each step after two of
warming up, as a JSON list.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras
import tensorflow as tf
from keras import layers

LATENT, HALF = 100, 64


def leaky() -> layers.LeakyReLU:
    return layers.LeakyReLU(negative_slope=0.2)


def encoder() -> list[layers.Layer]:
    found: list[layers.Layer] = [layers.Conv2D(64, 3, padding="same"), leaky()]
    for filters in (128, 128, 256):
        found += [layers.Conv2D(filters, 3, strides=2, padding="same"), leaky()]
    return found


def generator() -> keras.Model:
    net = [
        layers.Dense(256 * 32 * 32),
        leaky(),
        layers.Reshape((32, 32, 256)),
        layers.Conv2D(3, 3, padding="same"),
        leaky(),
    ]
    net += encoder()
    for filters in (256, 128, 128):
        net += [layers.Conv2DTranspose(filters, 3, strides=2, padding="same"), leaky()]
    net += [layers.Conv2DTranspose(64, 3, padding="same"), leaky()]
    net += [layers.Conv2DTranspose(3, 3, padding="same", activation="tanh")]
    return keras.Sequential([keras.Input((LATENT,)), *net])


def discriminator() -> keras.Model:
    net = [*encoder(), layers.Flatten(), layers.Dropout(0.4), layers.Dense(1, activation="sigmoid")]
    return keras.Sequential([keras.Input((32, 32, 3)), *net])


def ganetic(y: float, p: tf.Tensor) -> tf.Tensor:
    p = tf.clip_by_value(tf.cast(p, tf.float32), 1e-7, 1 - 1e-7)
    return tf.reduce_mean(p**3 + tf.sqrt(tf.abs(3.985 * y / (p + 1e-8)) + 1e-8))


def main() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy(sys.argv[2])
    g, d = generator(), discriminator()
    optimizers = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)]
    images = tf.random.uniform((HALF, 32, 32, 3), -1, 1)

    @tf.function  # type: ignore[untyped-decorator]
    def step() -> None:
        fake = g(tf.random.normal((HALF, LATENT)), training=False)
        with tf.GradientTape() as tape:
            d_loss = ganetic(1.0, d(images, training=True)) + ganetic(0.0, d(fake, training=True))
        optimizers[0].apply_gradients(
            zip(tape.gradient(d_loss, d.trainable_variables), d.trainable_variables, strict=True)
        )
        with tf.GradientTape() as tape:
            g_loss = ganetic(1.0, d(g(tf.random.normal((2 * HALF, LATENT)), training=True), training=True))
        optimizers[1].apply_gradients(
            zip(tape.gradient(g_loss, g.trainable_variables), g.trainable_variables, strict=True)
        )

    seconds = []
    for index in range(2 + int(sys.argv[1])):
        begin = time.process_time()
        step()
        if index >= 2:
            seconds.append(time.process_time() - begin)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
