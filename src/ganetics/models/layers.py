"""Layers that PyTorch has not, or not with a generator of one's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


class Dropout(nn.Module):
    """Dropout whose masks come from ``self.generator`` rather than from the global one.

    Set :attr:`generator` (on the device of the input) before training. In evaluation mode this is the identity.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with elements set to 0 and the others scaled by 1/(1 - probability); same shape."""
        if not self.training:
            return x
        if self.generator is None:
            raise RuntimeError("Dropout.generator must be set before training")
        keep = 1.0 - self.probability
        return x * torch.empty_like(x).bernoulli_(keep, generator=self.generator).div_(keep)


class Pixels(nn.Module):
    """Reshape vectors ``[n, c * side * side]`` to images ``[n, c, side, side]``.

    With ``channels_last`` the vector is read in the order height, width, channel, so that the result lies
    channels-last in memory without being copied.
    """

    def __init__(self, channels: int, side: int, *, channels_last: bool = False) -> None:
        super().__init__()
        self.channels, self.side, self.channels_last = channels, side, channels_last

    def forward(self, x: Tensor) -> Tensor:
        """Return the images."""
        if self.channels_last:
            return x.view(-1, self.side, self.side, self.channels).permute(0, 3, 1, 2)
        return x.view(-1, self.channels, self.side, self.side)


class Logits(nn.Sequential):
    """A chain of modules whose last gives ``[n, 1]``; returns ``[n]``."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the raw logits, one an image."""
        logits: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return logits.squeeze(1)


class LabelledLatents(nn.Module):
    """A generator whose latents are joined by an embedding, of the same length, of the class that is asked for."""

    def __init__(self, body: nn.Module, *, classes: int, latent_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, latent_dim)
        self.body = body

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return the images of latents ``[n, latent_dim]`` and labels, int64 ``[n]``."""
        images: Tensor = self.body(torch.cat([z, self.embedding(labels)], dim=1))
        return images


class Projection(nn.Module):
    """The last layer of a discriminator: features ``[n, d]`` to logits ``[n]``, with labels of the pair of both.

    With classes the logit is a linear function of the features plus their inner product with a vector of the image's
    class (Miyato, Koyama 2018, arXiv 1802.05637, equation 3).
    """

    def __init__(self, linear: nn.Linear, of_class: nn.Linear | None = None) -> None:
        """Take layers from ``d`` to 1, and without a bias from ``d`` to one value a class."""
        super().__init__()
        self.linear, self.of_class = linear, of_class

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the raw logits, one an image."""
        logits: Tensor = self.linear(features).squeeze(1)
        if self.of_class is not None and labels is not None:
            logits = logits + self.of_class(features).gather(1, labels[:, None]).squeeze(1)
        return logits


class LabelledLogits(nn.Module):
    """A discriminator that is told the class: a chain of modules to features ``[n, d]``, then a :class:`Projection`."""

    def __init__(self, body: nn.Module, last: Projection) -> None:
        super().__init__()
        self.body, self.last = body, last

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Return the raw logits ``[n]`` of images and their labels, int64 ``[n]``."""
        logits: Tensor = self.last(self.body(x), labels)
        return logits


class ClassBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation with a scale and a shift a class (de Vries et al. 2017, arXiv 1707.00683)."""

    def __init__(self, features: int, *, classes: int) -> None:
        super().__init__(features, affine=False)
        self.scale = nn.Parameter(torch.empty(classes, features))
        self.shift = nn.Parameter(torch.empty(classes, features))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the normalised ``[n, c, h, w]``, scaled and shifted as the labels, int64 ``[n]``, say."""
        if labels is None:
            raise RuntimeError("labels must be given to a network of classes")
        h = super().forward(x)
        scale, shift = (F.embedding(labels, table)[:, :, None, None].to(h.dtype) for table in (self.scale, self.shift))
        shifted: Tensor = h * scale + shift
        return shifted


class SpectralConv2d(nn.Conv2d):
    """A convolution whose weight is divided by its largest singular value; see :func:`spectrally_normalised`."""

    u: Tensor

    def __init__(self, before: int, after: int, kernel: int, *, padding: int = 0) -> None:
        super().__init__(before, after, kernel, padding=padding)
        self.register_buffer("u", torch.empty(after))

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of ``x`` with the normalised weight."""
        weight = spectrally_normalised(self.weight, self.u, learn=self.training)
        return F.conv2d(x, weight, self.bias, padding=self.padding)


class SpectralLinear(nn.Linear):
    """A linear layer whose weight is divided by its largest singular value; see :func:`spectrally_normalised`."""

    u: Tensor

    def __init__(self, before: int, after: int, *, bias: bool = True) -> None:
        super().__init__(before, after, bias=bias)
        self.register_buffer("u", torch.empty(after))

    def forward(self, x: Tensor) -> Tensor:
        """Return the image of ``x`` under the normalised weight."""
        return F.linear(x, spectrally_normalised(self.weight, self.u, learn=self.training), self.bias)


def spectrally_normalised(weight: Tensor, u: Tensor, *, learn: bool) -> Tensor:
    """Return ``weight``, a matrix ``[out, -1]``, over an estimate of its largest singular value.

    Miyato et al. 2018, arXiv 1802.05957, algorithm 1. PyTorch's own parametrization draws its first estimate from the
    global generator, and under autocast multiplies in bfloat16.

    Args:
        weight: of a linear or convolutional layer; gets its gradient through the division, too (equation 12).
        u: estimate of the first left singular vector, ``[out]``, a part of the network's state.
        learn: make one power iteration, in place.
    """
    with torch.autocast(weight.device.type, enabled=False):
        matrix = weight.flatten(1)
        with torch.no_grad():
            v = F.normalize(matrix.T.mv(u), dim=0)
            left = F.normalize(matrix.mv(v), dim=0) if learn else u.clone()
            if learn:
                u.copy_(left)
        normalised: Tensor = weight / left.dot(matrix.mv(v))
        return normalised
