"""Augmentation of what the discriminator sees, real and generated images alike, through which gradients flow.

``diffaugment``: colour, translation and cutout of every image (Zhao et al. 2020, arXiv 2006.10738). ``adaptive``: each
of the three of an image with a probability that follows the discriminator's overfitting (ADA, Karras et al. 2020,
arXiv 2006.06676, section 3), measured by :func:`rank_signal`.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

DRAWS = 10
"""Uniform numbers an image: brightness, saturation, contrast, two of translation, two of cutout; whether each of the
three happens at all."""
LARGEST_SHIFT, CUT = 1 / 8, 1 / 2
"""Of the image's side: the largest translation, and the side of the square that is cut out."""

ADA_TARGET = 0.6
"""Of E[sign D(x)] in ADA, for logits that are symmetric about 0."""
TARGET = 2 * NormalDist().cdf(math.sqrt(2) * NormalDist().inv_cdf((1 + ADA_TARGET) / 2)) - 1
"""Of :func:`rank_signal`, 0.766: what it is where E[sign D(x)] is 0.6. See there."""
HIGHEST = 0.8
"""Probability below which ADA's authors saw no augmentation appear in generated images (section 2.2)."""
IMAGES_TO_ONE = 100_000
"""Real images in which the probability can go from 0 to 1. ADA's 500,000 are for 25 million images of training; in the
few hundred thousand of our recipes it would never arrive."""


def augmented(images: Tensor, draws: Tensor, probability: Tensor | None = None) -> Tensor:
    """Return the images, each changed as its draws say; what is moved in or cut out is 0, the middle of the range.

    Args:
        images: ``[n, c, h, w]`` in [-1, 1], c 1 or 3.
        draws: uniform in [0, 1), ``[n, 10]``, on the same device.
        probability: of each of the three changes of an image, a scalar; None: all are made.

    Returns:
        float32 of the same shape and format of memory, not clamped.
    """
    made = torch.ones_like(draws[:, 7:]) if probability is None else (draws[:, 7:] < probability).float()
    x = _coloured(images.float(), draws[:, 0:3], made[:, 0])
    x = _shifted(x, draws[:, 3:5], made[:, 1])
    return _cut(x, draws[:, 5:7], made[:, 2])


def rank_signal(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    r"""Return how well the discriminator tells real from generated: E[sign(D(x) − D(G(z)))] over all pairs, a scalar.

    It is 0 where both kinds have one distribution and 1 where every real image is above every generated one; in between
    it is 2·AUC − 1. ADA's own signal, E[sign D(x)], means the same only where the loss has its equilibrium at logit 0.
    GANetic's lies at D* = 0.599, logit 0.401: at its perfect equilibrium all signs are positive, and ADA would augment
    ever more. And logits of relativistic losses have no zero. Their order alone has a meaning under every loss.

    The target: ADA holds E[sign D(x)] at 0.6. Let real and generated logits be normal about ±μ with deviation σ. Then
    E[sign D(x)] = 2Φ(μ/σ) − 1 = 0.6 gives μ/σ = Φ⁻¹(0.8) = 0.842. D(x) − D(G(z)) is normal about 2μ with deviation
    √2·σ, so the same discriminator has rank signal 2Φ(√2·0.842) − 1 = 0.766 (:data:`TARGET`).

    >>> rank_signal(torch.tensor([2.0, 4.0]), torch.tensor([1.0, 3.0]))
    tensor(0.5000)
    """
    return torch.sign(real_logits.float()[:, None] - fake_logits.float()[None, :]).mean()


def adjusted(probability: Tensor, signal: Tensor, *, images: int) -> Tensor:
    """Return the probability after a batch of so many real images: a step towards what holds the signal at its target.

    ADA steps once in four batches, by the mean of their signals; a step a batch, each a quarter, needs no memory.
    """
    step = torch.sign(signal - TARGET) * (images / IMAGES_TO_ONE)
    return (probability + step).clamp(0.0, HIGHEST)


def _coloured(x: Tensor, draws: Tensor, made: Tensor) -> Tensor:
    """Move the brightness by up to ±0.5, and scale saturation by 0 to 2 and contrast by 0.5 to 1.5."""
    brightness, saturation, contrast = (column[:, None, None, None] for column in (draws * made[:, None]).unbind(1))
    on = made[:, None, None, None]
    x = x + (brightness - 0.5 * on)
    if x.shape[1] > 1:
        x = _scaled_about(x.mean(dim=1, keepdim=True), x, 1 - on + 2 * saturation)
    return _scaled_about(x.mean(dim=(1, 2, 3), keepdim=True), x, 1 - 0.5 * on + contrast)


def _scaled_about(centre: Tensor, x: Tensor, factor: Tensor) -> Tensor:
    return centre + (x - centre) * factor


def _shifted(x: Tensor, draws: Tensor, made: Tensor) -> Tensor:
    """Move by a whole number of pixels each way."""
    side = x.shape[-1]
    largest = int(side * LARGEST_SHIFT + 0.5)
    # a draw just below 1 may round to one pixel too many
    shifts = ((draws * (2 * largest + 1)).floor().clamp(max=2 * largest) - largest) * made[:, None]
    rows, columns = (torch.arange(side, device=x.device) - shifts[:, axis, None].long() + largest for axis in (0, 1))
    n, channels = x.shape[:2]
    x = F.pad(x, [largest] * 4)
    x = x.gather(2, rows[:, None, :, None].expand(n, channels, side, x.shape[3]))
    return x.gather(3, columns[:, None, None, :].expand(n, channels, side, side))


def _cut(x: Tensor, draws: Tensor, made: Tensor) -> Tensor:
    """Put 0 in a square whose centre is anywhere in the image."""
    side = x.shape[-1]
    cut = int(side * CUT + 0.5)
    first = (draws * (side + 1 - cut % 2)).floor() - cut // 2
    places = torch.arange(side, device=x.device)
    rows, columns = ((places >= first[:, axis, None]) & (places < first[:, axis, None] + cut) for axis in (0, 1))
    inside = (rows[:, :, None] & columns[:, None, :]).float() * made[:, None, None]
    return x * (1 - inside)[:, None]
