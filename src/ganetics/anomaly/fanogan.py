"""f-AnoGAN: a GAN learns what is normal, an encoder finds the normal image nearest to a given one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ganetics import _check
from ganetics._check import InputError
from ganetics._random import torch_generator
from ganetics.anomaly.density import LogRatio, log_ratio_of
from ganetics.anomaly.detector import Place
from ganetics.anomaly.learn import CHECKPOINT_SECONDS, Learning, Plan, learn, mean_over
from ganetics.anomaly.networks import NetworkDetector, Scorer, Size, adam, drawn, square
from ganetics.anomaly.settings import FAnoGANSettings
from ganetics.catalogue import loss_named_or_parsed
from ganetics.models import build_gan, fanogan
from ganetics.models.fanogan import Discriminator
from ganetics.records import Recipe
from ganetics.training import TrainingState, checkpoint, start, train
from ganetics.training.batches import Batches, scaled

COMPONENTS = ("residual", "image", "features", "code", "logit")
RATIOS = ("ratio", "ratio-gap")


class FAnoGANScorer(Scorer):
    """Residuals between an image and what the generator makes of its code; the maps are absolute, a mean over channels.

    Components: ``image`` and ``features`` are mean squares, of pixels in [-1, 1] and of the discriminator's features,
    ``residual`` = image + κ · features, the original; ``code`` is the mean square of the code's numbers, 1 for the
    latents that the generator knows: what lies far out along what it can make leaves no residual; ``logit`` is the
    discriminator's, negative, of any loss. Where the loss says the density ratio, ``ratio`` = −log(p_data / p_g) at
    the image, and ``ratio-gap`` that less the same of its reconstruction. ``ratio`` orders images as ``logit`` does,
    but for those beyond the ends of what is read.
    """

    def __init__(
        self, generator: nn.Module, discriminator: Discriminator, encoder: nn.Module, *, kappa: float,
        log_ratio: LogRatio | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.generator, self.discriminator, self.encoder = generator, discriminator, encoder
        self.kappa = kappa
        self.log_ratio = log_ratio
        self.components = (*COMPONENTS, *(RATIOS if log_ratio else ()))

    def residuals(self, x: Tensor, codes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return image and feature residual ``[n]``, the difference of pixels, and the discriminator's features."""
        again = self.generator(codes)
        seen, seen_again = self.discriminator.body(x), self.discriminator.body(again)
        away = again - x
        image = away.square().mean(dim=(1, 2, 3))
        return image, (seen_again - seen).square().mean(dim=1), away, seen, seen_again

    def izi_f(self, x: Tensor) -> Tensor:
        """Return what the encoder minimises, and the score of the original (Schlegl et al. 2019, eq. 6 and 7)."""
        image, features, *_ = self.residuals(x, self.encoder(x))
        return image + self.kappa * features

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return components ``[n]`` and maps ``[n, h, w]``."""
        x = scaled(images)
        codes = self.encoder(x)
        image, features, away, seen, seen_again = self.residuals(x, codes)
        logits = self.discriminator.of_features(seen)
        found = [image + self.kappa * features, image, features, codes.square().mean(dim=1), -logits]
        if self.log_ratio is not None:
            here, there = self.log_ratio(logits), self.log_ratio(self.discriminator.of_features(seen_again))
            found += [-here, there - here]
        return (*found, away.abs().mean(dim=1))


class FAnoGAN(NetworkDetector[FAnoGANSettings]):
    """f-AnoGAN with any loss of the catalogue, and penalties that do not depend on it.

    Stage one is an ordinary GAN training (:func:`ganetics.training.train`) with a fixed number of steps; stage two
    trains the encoder on izi_f, and held-out normals stop it. Source: Schlegl et al. 2019 (Med. Image Anal. 54, 30
    to 44): Wasserstein with a gradient penalty.
    """

    _scorer: FAnoGANScorer

    def __init__(self, settings: FAnoGANSettings | None = None, *, seed: int = 0) -> None:
        """Look the loss up.

        Raises:
            InputError: no such loss or part of a score, or it does not say the density ratio that this is made of.
        """
        super().__init__(settings or FAnoGANSettings(), seed=seed)
        self._loss = loss_named_or_parsed(self.settings.loss)
        for name in self.settings.score:
            _check.one_of("score", name, (*COMPONENTS, *RATIOS))
        wanted = [name for name in self.settings.score if name in RATIOS]
        if wanted and log_ratio_of(self._loss) is None:
            raise InputError(
                f"score {wanted[0]!r}: the optimal discriminator of the loss must say the density ratio, "
                f"that of {self.settings.loss!r} does not"
            )

    def weights(self) -> Mapping[str, float]:
        """Return component of the score → weight."""
        return self.settings.score

    @property
    def generator(self) -> nn.Module:
        """What makes normal images ``[n, c, s, s]`` in [-1, 1] of latents ``[n, latent_dim]``.

        Raises:
            InputError: it was not fitted.
        """
        _ = self.frozen
        return self._scorer.generator

    def recipe(self, shape: tuple[int, int, int]) -> Recipe:
        """Return stage one as a recipe."""
        channels, side = square(shape)
        settings = self.settings
        return Recipe(
            name="fanogan",
            model="fanogan",
            image_size=side,
            channels=3 if channels == 3 else 1,
            width=settings.width,
            latent_dim=settings.latent_dim,
            batch_size=settings.batch_size,
            steps=settings.steps,
            discriminator_steps=settings.discriminator_steps,
            learning_rate=settings.learning_rate,
            beta1=settings.beta1,
            beta2=settings.beta2,
            penalties=settings.penalties,
            augment=settings.augment,
            ema_half_life=settings.ema_half_life,
            channels_last=True,
            extractor="efficientnet-lite0",  # nothing is scored with it here
        )

    def _make(self, shape: tuple[int, int, int]) -> FAnoGANScorer:
        recipe = self.recipe(shape)
        gan = build_gan(recipe, generator=torch_generator(self.seed, "weights"))
        return self._around(gan.generator, gan.discriminator, recipe)

    def _around(self, generator: nn.Module, discriminator: nn.Module, recipe: Recipe) -> FAnoGANScorer:
        """Return the scorer around two networks, with a new encoder."""
        assert isinstance(discriminator, Discriminator)
        size = Size(recipe.image_size, recipe.channels, recipe.width, recipe.latent_dim)
        with torch.device("meta"):
            net = fanogan.encoder(size)
        return FAnoGANScorer(
            generator,
            discriminator,
            drawn(net, self.seed, "encoder"),
            kappa=self.settings.kappa,
            log_ratio=log_ratio_of(self._loss),
        )

    def _learn(self, fit: Tensor, held_out: Tensor, place: Place) -> None:
        recipe = self.recipe((fit.shape[1], fit.shape[2], fit.shape[3]))
        state = self._train_gan(recipe, fit, place)
        for net in state.networks().values():
            net.eval().requires_grad_(False)
        scorer = self._around(state.sampler, state.gan.discriminator, recipe)
        self._train_encoder(scorer, fit, held_out, place)
        self._keep(scorer)

    def _train_gan(self, recipe: Recipe, fit: Tensor, place: Place) -> TrainingState:
        folder, total = place.inside("gan"), self.settings.steps + self.settings.encoder_steps
        state = _resumed(folder, recipe, self.seed) or start(recipe, self.seed)
        saved = time.monotonic()

        def note(_: dict[str, float]) -> None:
            nonlocal saved
            place.tell(state.step, total, "GAN")
            if folder is not None and time.monotonic() - saved >= CHECKPOINT_SECONDS:
                checkpoint.save(folder, state)
                saved = time.monotonic()

        if state.step < recipe.steps:
            train(state, self._loss, fit, until=recipe.steps, on_record=note)
            if folder is not None:
                checkpoint.save(folder, state)
        return state

    def _train_encoder(self, scorer: FAnoGANScorer, fit: Tensor, held_out: Tensor, place: Place) -> None:
        settings = self.settings
        optimizer = adam([scorer.encoder], settings.encoder_rate)

        def update(x: Tensor) -> None:
            optimizer.zero_grad(set_to_none=True)
            scorer.izi_f(x).mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()

        learn(
            Learning({"encoder": scorer.encoder}, {"encoder": optimizer}),
            Batches(fit, seed=self.seed, batch_size=settings.batch_size).at,
            Plan(settings.encoder_steps, settings.check_every, settings.patience),
            update=update,
            held_out=lambda: mean_over(held_out, scorer.izi_f),
            place=place.after(settings.steps),
            name="encoder",
        )


def _resumed(folder: Path | None, recipe: Recipe, seed: int) -> TrainingState | None:
    """Return the training that was interrupted, or None if there was none."""
    if folder is None or not checkpoint.exists(folder):
        return None
    state = checkpoint.load(folder)
    if (state.recipe, state.seed) != (recipe, seed):
        raise InputError(f"{folder}: its recipe or seed is not that of the run")
    return state
