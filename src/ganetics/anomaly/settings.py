"""Configurations of detectors and of their runs. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ganetics import _check
from ganetics.records import Count, DataIdentity, Penalty, Positive, Record

Share = Annotated[float, Field(gt=0, lt=1)]
Weights = Annotated[dict[str, float], Field(min_length=1)]
"""Component of a score → weight; components are standardised on held-out normals before they are added."""


class FittedSettings(Record):
    """What all detectors have."""

    copies: Literal["none", "mirrored", "turned"] = "none"
    """What is learnt from beside each normal image: its mirror image, left for right; or all eight ways to turn it by
    quarters and mirror it, where up and down mean nothing."""


class NeighboursSettings(FittedSettings):
    """Mean distance to the k nearest normal images, in a space of features or of something trivial."""

    kind: Literal["neighbours"] = "neighbours"
    features: Literal["efficientnet-lite0", "efficientnet-lite0-maps", "colour", "brightness", "contrast", "pixels"] = (
        "efficientnet-lite0"
    )
    """Of the network: its last layer, of unit length; or the deviation of each channel of three maps on the way, in
    those of normal images. Or trivial ones, which whatever is learnt has to beat: each channel's mean; that of all;
    each channel's deviation; 16×16 pixels.
    """
    k: Count = 5
    """Nearest normal images that the distance is a mean over."""


class PadimSettings(FittedSettings):
    """A Gaussian at each place of the maps of EfficientNet-Lite0 (Defard et al. 2021, arXiv 2011.08785)."""

    kind: Literal["padim"] = "padim"
    dimensions: Annotated[int, Field(ge=1, le=176)] = 100
    """Of 176 channels, drawn with the seed."""
    shrinkage: Positive = 0.01
    """Added to the diagonal of each covariance."""
    pool: Literal["max", "mean"] = "max"
    """What of the places' distances makes the score; the mean is no longer the published one."""


class _Stopped(FittedSettings):
    """What all have that held-out normals stop."""

    latent_dim: Count = 64
    """Numbers in a code."""
    batch_size: Annotated[int, Field(ge=2)] = 16
    """Images in an update."""
    check_every: Count = 100
    """Steps between two looks at the held-out normals; the weights of the best look are kept."""
    patience: Count = 10
    """Looks without a better one after which training ends."""


class _Trained(_Stopped):
    """What all networks trained on pixels have."""

    width: Annotated[int, Field(ge=1, le=256)] = 16
    """Channels of the largest feature maps; they double at each halving of the size."""


class AutoEncoderSettings(_Trained):
    """An auto-encoder; its score is the mean squared error of the reconstruction."""

    kind: Literal["autoencoder"] = "autoencoder"
    steps: Count = 4000
    """Most updates; held-out normals stop it."""
    learning_rate: Positive = 1e-3


class FAnoGANSettings(_Trained):
    """A GAN, then an encoder into its latents (f-AnoGAN; Schlegl et al. 2019, Med. Image Anal. 54, 30 to 44)."""

    kind: Literal["fanogan"] = "fanogan"
    loss: str = "wasserstein"
    """Name in the catalogue, or the text of an expression."""
    penalties: tuple[Penalty, ...] = (Penalty(kind="gradient", weight=10.0),)
    """Of the discriminator, whatever the loss."""
    steps: Count = 3000
    """Updates of the generator; its training sees no held-out images and has no early stop."""
    learning_rate: Positive = 1e-3
    """Of the GAN's networks. On fundus photographs every loss was better at 1.8e-3 than at 2e-4."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.0
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.9
    discriminator_steps: Count = 1
    """Updates of the discriminator for one of the generator; the original has 5."""
    augment: Literal["none", "diffaugment", "adaptive"] = "none"
    """What happens to images before the discriminator sees them, in the GAN's training."""
    ema_half_life: Positive = 5000.0
    """The generator is a moving average that forgets half of a weight in so many images; 1 is next to none."""
    encoder_steps: Count = 2000
    """Most updates of the encoder; held-out normals stop it."""
    encoder_rate: Positive = 5e-4
    kappa: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the residual of the discriminator's features."""
    score: Weights = Field(default={"residual": 1.0})
    """Of ``residual`` (the original: image + κ · features), ``image``, ``features``, ``code`` (how far out the code
    lies), ``logit`` (the discriminator's, negative), and where the loss says it ``ratio`` (density ratio of the image,
    read from the logit) and ``ratio-gap`` (how much more data-like its reconstruction is)."""


class FeatureGANSettings(_Stopped):
    """f-AnoGAN on features of a frozen network in place of pixels."""

    kind: Literal["feature-gan"] = "feature-gan"
    features: Literal["efficientnet-lite0", "efficientnet-lite0-maps"] = "efficientnet-lite0"
    """Of the network: its last layer, of unit length; or the deviation of each channel of three maps on the way, in
    those of normal images."""
    hidden: Count = 256
    """Numbers in each of the two layers between."""
    loss: str = "ganetic"
    """Name in the catalogue, or the text of an expression."""
    penalties: tuple[Penalty, ...] = (Penalty(kind="r1", weight=0.1),)
    """Of the discriminator, whatever the loss."""
    batch_size: Annotated[int, Field(ge=2)] = 64
    """Images in an update."""
    steps: Count = 4000
    """Updates of generator and discriminator; no early stop."""
    learning_rate: Positive = 1e-3
    """Of the GAN's networks."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.0
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.99
    encoder_steps: Count = 2000
    """Most updates of the encoder; held-out normals stop it."""
    encoder_rate: Positive = 1e-3
    kappa: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the residual of the discriminator's features."""
    generated: Annotated[int, Field(ge=5)] = 2000
    """Generated features that the nearest are looked for among."""
    score: Weights = Field(default={"generated": 1.0})
    """Of ``generated`` (distance to the nearest generated features), and as f-AnoGAN's ``residual``, ``image``,
    ``features`` and ``code``, with features in place of pixels."""


class GANomalySettings(_Trained):
    """Encoder, decoder, encoder, against a discriminator (GANomaly; Akcay et al. 2018, arXiv 1805.06725)."""

    kind: Literal["ganomaly"] = "ganomaly"
    loss: str = "non-saturating"
    penalties: tuple[Penalty, ...] = ()
    adversarial: Literal["feature", "output"] = "feature"
    """The generator's adversarial part: the distance of the discriminator's features, as published, so that the loss
    reaches the discriminator alone; or the loss's own generator term."""
    steps: Count = 2000
    """Most updates; held-out normals stop it."""
    learning_rate: Positive = 1e-3
    """As for f-AnoGAN."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.5
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    adversarial_weight: Annotated[float, Field(ge=0)] = 1.0
    """Of the generator's adversarial part."""
    image_weight: Annotated[float, Field(ge=0)] = 50.0
    """Of the mean absolute error of the image."""
    latent_weight: Annotated[float, Field(ge=0)] = 1.0
    """Of the squared distance of the two codes."""
    score: Weights = Field(default={"latent": 1.0})
    """Of ``latent`` (the original) and ``image`` (mean absolute error of the reconstruction)."""


Settings = Annotated[
    NeighboursSettings | PadimSettings | AutoEncoderSettings | FAnoGANSettings | FeatureGANSettings | GANomalySettings,
    Field(discriminator="kind"),
]

NAMED: Mapping[str, Settings] = {
    "fanogan": FAnoGANSettings(),
    "fanogan-features": FeatureGANSettings(),
    "fanogan-maps": FeatureGANSettings(features="efficientnet-lite0-maps"),
    "ganomaly": GANomalySettings(),
    "autoencoder": AutoEncoderSettings(),
    "padim": PadimSettings(),
    "padim-mean": PadimSettings(pool="mean"),
    "neighbours": NeighboursSettings(),
    "neighbours-maps": NeighboursSettings(features="efficientnet-lite0-maps"),
    "pixels": NeighboursSettings(features="pixels"),
    "colour": NeighboursSettings(features="colour"),
    "brightness": NeighboursSettings(features="brightness"),
    "contrast": NeighboursSettings(features="contrast"),
}
"""What a command calls a detector → its settings."""
TRIVIAL = ("pixels", "colour", "brightness", "contrast")
"""Those that look at nothing of interest: what they reach is no merit."""
FROZEN = ("neighbours", "neighbours-maps")
"""Those that learn nothing: distances in features that are there already."""
DECIDING = ("features", "pool")
"""Settings by which a name stands for a detector."""


def name_of(settings: Settings) -> str:
    """Return what a command calls the detector.

    >>> name_of(NeighboursSettings(features="colour", k=1))
    'colour'
    """

    def same(other: Settings) -> bool:
        return all(getattr(other, name, None) == getattr(settings, name, None) for name in ("kind", *DECIDING))

    return next(name for name, one in NAMED.items() if same(one))


class Preprocessing(Record):
    """From a file to what a detector sees; recorded with its weights."""

    image_size: Annotated[int, Field(ge=8, le=256)] = 64
    """The middle square is resized to this side (Lanczos, antialiased)."""
    channels: Literal[1, 3] = 3
    normalise_colour: bool = False
    """Bring each channel of each image to one mean and deviation."""
    mask_border: bool = False
    """Paint gray what is outside of the largest circle."""
    sizes: tuple[str, ...] = ()
    """Sizes of the files that it was fitted on, the most frequent first."""
    gray: bool | None = None
    """Whether those files were gray; None: not known."""


class Parts(Record):
    """Which groups of normals are for what. No group is in two."""

    fit: tuple[str, ...]
    held_out: tuple[str, ...]
    """For choosing: the early stop, the threshold, the scale of scores."""
    test: tuple[str, ...]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        counts = Counter([*self.fit, *self.held_out, *self.test])
        group, most = max(counts.items(), key=lambda item: item[1], default=("", 0))
        if most > 1:
            raise ValueError(f"a group must be in one part, got {group!r} in {most}")
        return self

    @property
    def seen(self) -> frozenset[str]:
        """The groups that must not be tested on."""
        return frozenset(self.fit) | frozenset(self.held_out)


class Places(Record):
    """Where the images of a run lie on this machine; no result depends on it."""

    normal: str
    calibration: str | None = None


class DetectConfig(Record):
    """Everything that decides what a detector is."""

    schema_version: Literal[1] = 1
    detector: Settings
    dataset: str
    """What the data are called in tables."""
    normal: str
    """Name of the folder or table of normal images; where it lies is in ``places.json``, which decides nothing."""
    groups: str | None
    """What finds the patient, sequence … of a file (:func:`ganetics.data.groups.group_of`); None: a table says it."""
    data: DataIdentity
    """Of all normal images, after preprocessing but for ``normalise_colour`` and ``mask_border``."""
    preprocessing: Preprocessing
    parts: Parts
    split: int = 0
    """Other numbers put other groups into the parts."""
    seed: int = 0
    """Of weights, latents and data order; the parts do not depend on it."""
    specificity: Share = 0.95
    """The threshold leaves this share of the held-out normals below it."""
    calibration: str | None = None
    """Name of the abnormal images that the threshold was chosen with, beside the held-out normals."""
    calibration_groups: tuple[str, ...] = ()
    calibration_data: DataIdentity | None = None
    """Of all abnormal images there, those of other groups included."""
    skipped: tuple[str, ...] = ()
    """Images that could not be read: path and reason."""

    @property
    def name(self) -> str:
        """What a command calls the detector."""
        return name_of(self.detector)

    @property
    def seen(self) -> frozenset[str]:
        """The groups that must not be tested on."""
        return self.parts.seen | frozenset(self.calibration_groups)


def named(name: str) -> Settings:
    """Return the default settings of a detector.

    Raises:
        InputError: no such detector.
    """
    return NAMED[_check.one_of("detector", name, NAMED)]
