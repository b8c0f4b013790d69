"""GANomaly: encode, decode, encode again; codes of what is normal agree."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganetics import _check
from ganetics._random import torch_generator
from ganetics.anomaly.adversarial import generator_loss, update_discriminator
from ganetics.anomaly.detector import Place
from ganetics.anomaly.learn import Learning, Plan, learn, mean_over
from ganetics.anomaly.networks import NetworkDetector, Scorer, Size, adam, drawn, square
from ganetics.anomaly.settings import GANomalySettings
from ganetics.catalogue import loss_named_or_parsed
from ganetics.losses.contract import GANLoss
from ganetics.models import fanogan
from ganetics.models.fanogan import Discriminator
from ganetics.training.batches import Batches, scaled


class GANomalyScorer(Scorer):
    """Components: ``latent``, mean squared difference of the codes, the original; ``image``, mean absolute error."""

    components = ("latent", "image")

    def __init__(self, encoder: nn.Module, decoder: nn.Module, again: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder, self.again = encoder, decoder, again

    def passed(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the code ``[n, latent]``, the reconstruction, and the code of that."""
        code = self.encoder(x)
        image = self.decoder(code)
        return code, image, self.again(image)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return components ``[n]`` and maps ``[n, h, w]``: the absolute error, a mean over channels."""
        x = scaled(images)
        code, image, again = self.passed(x)
        away = (image - x).abs().mean(dim=1)
        return (code - again).square().mean(dim=1), away.mean(dim=(1, 2)), away


class GANomaly(NetworkDetector[GANomalySettings]):
    """GANomaly with any loss of the catalogue in the adversarial place; held-out normals stop it.

    The networks are those of f-AnoGAN here. The scorer is in eval mode whenever it scores, and a score is never scaled
    by the least and the largest of a test set. Source: Akcay et al. 2018, arXiv 1805.06725, equations 1 to 5.
    """

    _scorer: GANomalyScorer

    def __init__(self, settings: GANomalySettings | None = None, *, seed: int = 0) -> None:
        """Look the loss up.

        Raises:
            InputError: no such loss, or no such part of a score.
        """
        super().__init__(settings or GANomalySettings(), seed=seed)
        for name in self.settings.score:
            _check.one_of("score", name, GANomalyScorer.components)
        self._loss = loss_named_or_parsed(self.settings.loss)

    def weights(self) -> Mapping[str, float]:
        """Return component of the score → weight."""
        return self.settings.score

    def _make(self, shape: tuple[int, int, int]) -> GANomalyScorer:
        size = self._size(shape)
        with torch.device("meta"):
            encoder, decoder, again = fanogan.encoder(size), fanogan.generator(size), fanogan.encoder(size)
        return GANomalyScorer(
            drawn(encoder, self.seed, "encoder"),
            drawn(decoder, self.seed, "decoder"),
            drawn(again, self.seed, "second encoder"),
        )

    def _size(self, shape: tuple[int, int, int]) -> Size:
        channels, side = square(shape)
        return Size(side, channels, self.settings.width, self.settings.latent_dim)

    def _learn(self, fit: Tensor, held_out: Tensor, place: Place) -> None:
        settings, shape = self.settings, (fit.shape[1], fit.shape[2], fit.shape[3])
        scorer = self._make(shape)
        with torch.device("meta"):
            discriminator = fanogan.discriminator(self._size(shape))
        drawn(discriminator, self.seed, "discriminator")
        betas = (settings.beta1, settings.beta2)
        learning = Learning(
            {"scorer": scorer, "discriminator": discriminator},
            {
                "scorer": adam([scorer], settings.learning_rate, betas),
                "discriminator": adam([discriminator], settings.learning_rate, betas),
            },
            {"penalty": torch_generator(self.seed, "penalty")},
        )
        game = _Game(settings, self._loss, scorer, discriminator, learning)
        learn(
            learning,
            Batches(fit, seed=self.seed, batch_size=settings.batch_size).at,
            Plan(settings.steps, settings.check_every, settings.patience),
            update=game.update,
            # without the adversarial part, which has no meaning across steps
            held_out=lambda: mean_over(held_out, game.distances),
            place=place,
            name="ganomaly",
        )
        self._keep(scorer)


class _Game:
    """One step of each side."""

    def __init__(
        self,
        settings: GANomalySettings,
        loss: GANLoss,
        scorer: GANomalyScorer,
        discriminator: Discriminator,
        learning: Learning,
    ) -> None:
        self.settings, self.loss, self.scorer, self.discriminator = settings, loss, scorer, discriminator
        self.learning = learning

    def update(self, x: Tensor) -> None:
        """Update the discriminator, then the scorer."""
        code, image, again = self.scorer.passed(x)
        update_discriminator(
            self.discriminator, self.learning.adams["discriminator"], self.loss, self.settings.penalties,
            real=x, fake=image.detach(), update=self.learning.step, generator=self.learning.random["penalty"],
        )  # fmt: skip
        optimizer = self.learning.adams["scorer"]
        value = self._adversarial(x, image) * self.settings.adversarial_weight
        value = value + self._distances(x, code, image, again).mean()
        optimizer.zero_grad(set_to_none=True)
        # inputs: the discriminator's weights get no gradient here
        value.backward(inputs=list(self.scorer.parameters()))  # type: ignore[no-untyped-call]
        optimizer.step()

    def distances(self, x: Tensor) -> Tensor:
        """Return the weighted distances of images and of codes ``[n]``."""
        return self._distances(x, *self.scorer.passed(x))

    def _distances(self, x: Tensor, code: Tensor, image: Tensor, again: Tensor) -> Tensor:
        pixels = (image - x).abs().mean(dim=(1, 2, 3))
        codes = (code - again).square().mean(dim=1)
        return self.settings.image_weight * pixels + self.settings.latent_weight * codes

    def _adversarial(self, x: Tensor, image: Tensor) -> Tensor:
        if self.settings.adversarial == "output":
            return generator_loss(self.discriminator, self.loss, real=x, fake=image)
        body = self.discriminator.body
        with torch.no_grad():
            wanted = body(x)
        away: Tensor = body(image) - wanted
        return away.square().mean()
