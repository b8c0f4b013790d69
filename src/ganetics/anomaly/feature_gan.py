"""f-AnoGAN on features of a frozen network in place of pixels: fitted in a minute of one core."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganetics import _check
from ganetics._check import InputError
from ganetics._random import torch_generator
from ganetics.anomaly.adversarial import generator_loss, update_discriminator
from ganetics.anomaly.detector import Detector, Place, Seen
from ganetics.anomaly.learn import Learning, Plan, learn
from ganetics.anomaly.networks import adam, drawn
from ganetics.anomaly.settings import FeatureGANSettings
from ganetics.anomaly.spaces import EPSILON, Space
from ganetics.catalogue import loss_named_or_parsed
from ganetics.losses.contract import GANLoss
from ganetics.training import Diverged
from ganetics.training.batches import Batches
from ganetics.training.sampling import latents

COMPONENTS = ("residual", "image", "features", "code", "generated")
NEAREST = 5
"""Generated features that a distance is a mean over."""
LOOK_EVERY = 50
"""Updates between two looks at whether everything is finite."""


class Discriminator(nn.Module):
    """Features ``[n, d]`` to raw logits ``[n]``."""

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(layers(dimension, hidden, hidden), nn.LeakyReLU(0.2))
        self.last = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.last(self.body(x)).squeeze(1)
        return logits


class Networks(nn.Module):
    """Generator, discriminator and encoder, of three layers each."""

    def __init__(self, dimension: int, latent_dim: int, hidden: int) -> None:
        super().__init__()
        self.generator = layers(latent_dim, hidden, hidden, dimension)
        self.discriminator = Discriminator(dimension, hidden)
        self.encoder = layers(dimension, hidden, hidden, latent_dim)

    def residuals(self, x: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean squares ``[n]`` between ``x [n, d]`` and what codes make, and as the discriminator sees both."""
        again, body = self.generator(codes), self.discriminator.body
        return (again - x).square().mean(dim=1), (body(again) - body(x)).square().mean(dim=1)


class FeatureGAN(Detector[FeatureGANSettings]):
    """A GAN learns the features of normal images, an encoder finds the generated ones nearest to given ones.

    Features are those of :class:`ganetics.anomaly.neighbours.Neighbours`, deviations of maps each in its own scale as
    there, then centred and divided by one number: directions of the last layer in which normal images hardly differ
    stay small. Components: ``image``, ``features``, ``residual`` and ``code`` as f-AnoGAN's, with features in place of
    pixels; ``generated``, the mean distance to the five nearest of many generated ones, which needs no encoder.
    """

    _networks: Networks
    _centre: Tensor
    """``[d]``: what is taken from features."""
    _scale: Tensor
    """``[d]``: what they are divided by then."""
    _latents: Tensor
    """``[m, latent_dim]``"""
    _generated: Tensor
    """``[m, d]``: what is made of them."""

    def __init__(self, settings: FeatureGANSettings | None = None, *, seed: int = 0) -> None:
        """Load the extractor, look the loss up.

        Raises:
            InputError: no such loss, or no such part of a score.
            MissingDependencyError: the extractor's weights are not installed.
        """
        super().__init__(settings or FeatureGANSettings(), seed=seed)
        for name in self.settings.score:
            _check.one_of("score", name, COMPONENTS)
        self._space = Space(self.settings.features)
        self._loss = loss_named_or_parsed(self.settings.loss)

    @property
    def generated(self) -> Tensor:
        """Generated features ``[m, d]``, centred and scaled as those of images are.

        Raises:
            InputError: it was not fitted.
        """
        _ = self.frozen
        return self._generated

    def features(self, X: Tensor) -> Tensor:
        """Return the features ``[n, d]`` of uint8 images ``[n, c, h, w]``, as the networks see them.

        Raises:
            InputError: it was not fitted.
        """
        _ = self.frozen
        return self._features(X)

    def weights(self) -> Mapping[str, float]:
        """Return component of the score → weight."""
        return self.settings.score

    def tensors(self) -> dict[str, Tensor]:
        """Return the networks' weights, how features are brought to them, and the latents that are compared with."""
        own = {"centre": self._centre, "scale": self._scale, "latents": self._latents}
        return {**own, **self._networks.state_dict()}

    def _learn(self, fit: Tensor, held_out: Tensor, place: Place) -> None:
        settings, every = self.settings, len(fit) + self.settings.steps + self.settings.encoder_steps

        def tell(done: int, _: int, note: str) -> None:
            place.tell(done, every, note or "features")

        features = self._space.features(fit, Place(None, tell))
        self._scale = self._space.scale(features)
        self._centre = features.mean(dim=0)
        size = float(self._scaled(features).square().mean().sqrt())
        if size < EPSILON:
            raise InputError(f"features of the {len(fit)} images that are fitted on must differ, they are all equal")
        self._scale = self._scale * size
        x = self._scaled(features).float()
        self._networks = self._make(x.shape[1])
        for name, net in self._networks.named_children():
            drawn(net, self.seed, name)
        random = torch_generator(self.seed, "generated")
        self._latents = latents(settings.generated, settings.latent_dim, generator=random)
        _Game(settings, self._loss, self._networks, self.seed).play(x, place.after(len(fit)))
        self._networks.requires_grad_(False)
        self._train_encoder(x, self._features(held_out), place.after(len(fit) + settings.steps))
        self._ready()

    def _train_encoder(self, x: Tensor, held_out: Tensor, place: Place) -> None:
        settings, networks = self.settings, self._networks
        encoder = networks.encoder.requires_grad_(True)
        optimizer = adam([encoder], settings.encoder_rate)

        def izi_f(part: Tensor) -> Tensor:
            image, features = networks.residuals(part, encoder(part))
            return image + settings.kappa * features

        def update(part: Tensor) -> None:
            optimizer.zero_grad(set_to_none=True)
            izi_f(part).mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()

        order = Batches(x, seed=self.seed, batch_size=settings.batch_size)
        learn(
            Learning({"encoder": encoder}, {"encoder": optimizer}),
            lambda step: x[order.indices(step)],
            Plan(settings.encoder_steps, settings.check_every, settings.patience),
            update=update,
            held_out=lambda: float(izi_f(held_out).double().mean()),
            place=Place(None, place.on_progress, place.done_before),
            name="encoder",
        )

    def _look(self, images: Tensor) -> Seen:
        x = self._features(images)
        codes = self._networks.encoder(x)
        image, features = self._networks.residuals(x, codes)
        # by differences, not by a product of matrices: the same in every batch
        distances = torch.cdist(x, self._generated, compute_mode="donot_use_mm_for_euclid_dist")
        nearest = distances.topk(NEAREST, dim=1, largest=False).values
        return Seen({
            "residual": image + self.settings.kappa * features,
            "image": image,
            "features": features,
            "code": codes.square().mean(dim=1),
            "generated": nearest.mean(dim=1),
        })  # fmt: skip

    def _fill(self, tensors: dict[str, Tensor], shape: tuple[int, int, int]) -> None:
        weights = dict(tensors)
        self._centre, self._scale = weights.pop("centre"), weights.pop("scale")
        self._latents = weights.pop("latents")
        self._networks = self._make(len(self._centre)).to_empty(device="cpu")
        self._networks.load_state_dict(weights)
        self._ready()

    def _make(self, dimension: int) -> Networks:
        with torch.device("meta"):
            return Networks(dimension, self.settings.latent_dim, self.settings.hidden)

    def _ready(self) -> None:
        """Make what is compared with."""
        self._networks.eval().requires_grad_(False)
        self._generated = self._networks.generator(self._latents)

    def _features(self, images: Tensor) -> Tensor:
        return self._scaled(self._space.features(images)).float()

    def _scaled(self, features: Tensor) -> Tensor:
        return (features - self._centre) / self._scale


class _Game:
    """Generator against discriminator."""

    def __init__(self, settings: FeatureGANSettings, loss: GANLoss, networks: Networks, seed: int) -> None:
        self.settings, self.loss, self.seed = settings, loss, seed
        self.generator, self.discriminator = networks.generator, networks.discriminator
        betas = (settings.beta1, settings.beta2)
        self.of_generator = adam([self.generator], settings.learning_rate, betas)
        self.of_discriminator = adam([self.discriminator], settings.learning_rate, betas)
        self.latents, self.places = (torch_generator(seed, role) for role in ("latents", "penalty"))

    def play(self, x: Tensor, place: Place) -> None:
        """Train on features ``[n, d]``.

        Raises:
            Diverged: a loss is not finite.
        """
        settings = self.settings
        order = Batches(x, seed=self.seed, batch_size=settings.batch_size)
        for step in range(settings.steps):
            values = self.update(x[order.indices(step)], step)
            if (step + 1) % LOOK_EVERY and step + 1 < settings.steps:
                continue
            for name, value in values.items():
                if not math.isfinite(value):
                    raise Diverged(f"the loss of the {name} is {float(value)}", step + 1)
            place.tell(step + 1, settings.steps + settings.encoder_steps, "GAN")

    def update(self, real: Tensor, step: int) -> dict[str, Tensor]:
        """Update the discriminator, then the generator; return both losses."""
        fake = self.generator(latents(len(real), self.settings.latent_dim, generator=self.latents))
        judge = update_discriminator(
            self.discriminator, self.of_discriminator, self.loss, self.settings.penalties,
            real=real, fake=fake.detach(), update=step, generator=self.places,
        )  # fmt: skip
        value = generator_loss(self.discriminator, self.loss, real=real, fake=fake)
        self.of_generator.zero_grad(set_to_none=True)
        # inputs: the discriminator's weights get no gradient here
        value.backward(inputs=list(self.generator.parameters()))  # type: ignore[no-untyped-call]
        self.of_generator.step()
        return {"discriminator": judge, "generator": value.detach()}


def layers(*sizes: int) -> nn.Sequential:
    """Return linear layers between these sizes, with leaky ReLU between them."""
    found: list[nn.Module] = []
    for here, there in pairwise(sizes):
        found += [nn.Linear(here, there), nn.LeakyReLU(0.2)]
    return nn.Sequential(*found[:-1])
