"""The named recipes. A learning rate is chosen by ``benchmarks/learning_rates.py``, or it says that it was not."""

from __future__ import annotations

from ganetics.data.load import NAMED, check_known, is_named, is_path
from ganetics.records import Recipe

_ALL = (
    Recipe(
        name="digits",
        image_size=8,
        channels=1,
        width=16,
        latent_dim=32,
        batch_size=32,
        steps=300,
        learning_rate=3.16e-3,  # chosen: results/rates-digits
        extractor="digits-classifier",
        eval_samples=1000,
        seconds=2.5,
    ),
    Recipe(
        name="mnist",
        image_size=28,
        channels=1,
        width=8,
        latent_dim=64,
        batch_size=32,
        steps=600,
        learning_rate=1e-2,  # chosen: results/rates-mnist
        channels_last=True,
        train_size=20_000,
        extractor="mnist-classifier",
        eval_samples=5000,
        seconds=12,
    ),
    Recipe(
        name="mnist-full",
        image_size=28,
        channels=1,
        width=32,
        latent_dim=100,
        batch_size=64,
        steps=20_000,
        learning_rate=5e-4,  # not swept
        ema_half_life=44_000,  # not swept
        channels_last=True,
        extractor="mnist-classifier",
        eval_samples=10_000,
        seconds=2000,
    ),
    Recipe(
        name="cifar10",
        image_size=32,
        channels=3,
        width=16,
        latent_dim=64,
        batch_size=32,
        steps=2000,
        learning_rate=1e-3,  # chosen, as the betas and the average: results/rates-cifar10, -betas and -no-average
        beta1=0.0,
        beta2=0.99,
        ema_half_life=2000,
        channels_last=True,
        extractor="efficientnet-lite0",
        eval_samples=5000,
        seconds=85,
    ),
    Recipe(
        name="images-32",
        image_size=32,
        channels=3,
        width=16,
        latent_dim=64,
        batch_size=32,
        steps=2000,
        learning_rate=1e-3,  # as the betas and the average that of cifar10, the same run on other images
        beta1=0.0,
        beta2=0.99,
        ema_half_life=2000,
        channels_last=True,
        extractor="efficientnet-lite0",
        eval_samples=2000,
        seconds=75,
    ),
    Recipe(
        name="images-64",  # nothing was swept at this size
        image_size=64,
        channels=3,
        width=16,
        latent_dim=100,
        batch_size=32,
        steps=4000,  # of some 0.11 s on one core: some 8 minutes with the score
        learning_rate=1e-3,  # as the betas that of cifar10
        beta1=0.0,
        beta2=0.99,
        ema_half_life=10_000,  # that of StyleGAN2
        channels_last=True,
        extractor="efficientnet-lite0",
        eval_samples=2000,
        seconds=480,
    ),
    Recipe(
        name="images-64-resnet",  # nothing was swept
        model="resnet",
        image_size=64,
        channels=3,
        width=8,
        latent_dim=128,
        batch_size=32,
        steps=1500,  # of some 0.28 s on one core: some 8 minutes
        learning_rate=2e-4,  # of the paper, as both betas are; it makes five updates of the discriminator a step
        beta1=0.0,
        beta2=0.9,
        ema_half_life=10_000,
        channels_last=True,
        extractor="efficientnet-lite0",
        eval_samples=2000,
        seconds=480,
    ),
    Recipe(
        name="images-128",  # nothing was swept
        image_size=128,
        channels=3,
        width=16,
        latent_dim=100,
        batch_size=32,
        steps=4000,  # of some 0.43 s on one core: half an hour
        learning_rate=1e-3,  # as the betas that of cifar10
        beta1=0.0,
        beta2=0.99,
        ema_half_life=10_000,
        channels_last=True,
        extractor="efficientnet-lite0",
        eval_samples=2000,
        seconds=1900,
    ),
    Recipe(
        name="images-256",  # for a GPU; nothing was swept, and no run of it was made
        model="resnet",
        image_size=256,
        channels=3,
        width=64,
        latent_dim=128,
        batch_size=32,
        steps=100_000,
        learning_rate=2e-4,
        beta1=0.0,
        beta2=0.9,
        ema_half_life=10_000,
        augment="adaptive",
        precision="bfloat16",
        channels_last=True,
        extractor="efficientnet-lite0",
        eval_samples=5000,
        seconds=200_000,
    ),
    Recipe(
        name="paper",
        model="dcgan-paper",
        image_size=32,
        channels=3,
        latent_dim=100,
        batch_size=128,
        discriminator_batch=64,
        steps=78_000,  # 200 epochs of 390 steps
        learning_rate=2e-4,  # of the published script
        precision="bfloat16",  # 1.7 times faster where the processor has it; weights and losses stay float32
        channels_last=True,
        extractor="inception",
        eval_samples=10_000,
        seconds=200_000,
    ),
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
"""By name. ``digits``, ``mnist``, ``cifar10``: small runs on these data, made for one core and many candidates.
``images-32``, ``images-64``, ``images-128``: folders of images, on one core; ``images-64-resnet``: the other model;
``images-256``: for a GPU. ``mnist-full`` and ``paper``: long runs; ``paper`` is the setting of Akhmedova and Körber's
published script (facts of the networks: :mod:`ganetics.models.dcgan_paper`), for a GPU."""


def recipe_for(dataset: str) -> Recipe:
    """Return the recipe of digits, MNIST or CIFAR-10, or ``images-32`` for all other images.

    Raises:
        InputError: neither a dataset with a recipe nor a path.

    >>> recipe_for("digits").image_size
    8
    """
    if dataset not in NAMED and (is_named(dataset) or is_path(dataset)):
        return RECIPES["images-32"]
    check_known(dataset)
    return RECIPES[dataset]
