"""The figure that the published example of GANetic prints, under a name that it can be known by."""

from __future__ import annotations

from torch import Tensor

from ganetics._check import InputError
from ganetics.features.inception import InceptionExtractor
from ganetics.metrics import frechet_distance

IMAGES = 64
"""Of each kind."""


def fid_reference_example(real: Tensor, fake: Tensor, *, extractor: InceptionExtractor) -> float:
    """Return what ``example.py`` of ZKI-PH-ImageAnalysis/GANetic-Loss calls FID; it is none, and compares with none.

    The first 64 images of each kind, scaled to [-1, 1] and then once more by Keras' ``preprocess_input``: the network
    sees nearly constant images, and the distance is small whatever they show. Only for comparison with figures that
    were made so.

    Args:
        real: uint8 ``[n, c, h, w]``, n at least 64.
        fake: as ``real``.
        extractor: Inception with ``scaling="twice"``.

    Raises:
        InputError: fewer than 64 images, or another extractor.
    """
    if extractor.identity.name != "inception-scaled-twice":
        raise InputError(f"extractor must be inception-scaled-twice, got {extractor.identity.name}")
    for name, images in (("real", real), ("generated", fake)):
        if len(images) < IMAGES:
            raise InputError(f"{name} images must be at least {IMAGES}, got {len(images)}")
    return frechet_distance(extractor(real[:IMAGES]), extractor(fake[:IMAGES]))
