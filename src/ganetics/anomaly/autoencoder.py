"""An auto-encoder: what it cannot draw again is abnormal."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganetics.anomaly.detector import Place
from ganetics.anomaly.learn import Learning, Plan, learn, mean_over
from ganetics.anomaly.networks import NetworkDetector, Scorer, Size, adam, drawn, square
from ganetics.anomaly.settings import AutoEncoderSettings
from ganetics.models import fanogan
from ganetics.training.batches import Batches, scaled


class AutoEncoderScorer(Scorer):
    """Mean squared error of the reconstruction, and the mean absolute error of each pixel."""

    components = ("image",)

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the error ``[n]`` and the maps ``[n, h, w]``."""
        x = scaled(images)
        away = self.decoder(self.encoder(x)) - x
        return away.square().mean(dim=(1, 2, 3)), away.abs().mean(dim=1)


class AutoEncoder(NetworkDetector[AutoEncoderSettings]):
    """An auto-encoder of the shapes of f-AnoGAN's encoder and generator, trained on the squared error.

    Held-out normals stop it.
    """

    _scorer: AutoEncoderScorer

    def __init__(self, settings: AutoEncoderSettings | None = None, *, seed: int = 0) -> None:
        super().__init__(settings or AutoEncoderSettings(), seed=seed)

    def weights(self) -> Mapping[str, float]:
        """Return component of the score → weight."""
        return {"image": 1.0}

    def _make(self, shape: tuple[int, int, int]) -> AutoEncoderScorer:
        channels, side = square(shape)
        size = Size(side, channels, self.settings.width, self.settings.latent_dim)
        with torch.device("meta"):
            encoder, decoder = fanogan.encoder(size), fanogan.generator(size)
        return AutoEncoderScorer(drawn(encoder, self.seed, "encoder"), drawn(decoder, self.seed, "decoder"))

    def _learn(self, fit: Tensor, held_out: Tensor, place: Place) -> None:
        settings = self.settings
        scorer = self._make((fit.shape[1], fit.shape[2], fit.shape[3]))
        optimizer = adam([scorer], settings.learning_rate)

        def error(x: Tensor) -> Tensor:
            away: Tensor = scorer.decoder(scorer.encoder(x)) - x
            return away.square().mean(dim=(1, 2, 3))

        def update(x: Tensor) -> None:
            optimizer.zero_grad(set_to_none=True)
            error(x).mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()

        learn(
            Learning({"scorer": scorer}, {"scorer": optimizer}),
            Batches(fit, seed=self.seed, batch_size=settings.batch_size).at,
            Plan(settings.steps, settings.check_every, settings.patience),
            update=update,
            held_out=lambda: mean_over(held_out, error),
            place=place,
            name="auto-encoder",
        )
        self._keep(scorer)
