"""Images to features: the extractor protocol, the four extractors, and references of real images."""

from __future__ import annotations

from ganetics.features._batches import Progress
from ganetics.features.extractor import EXTRACTORS, Extractor, default_extractor, load_extractor
from ganetics.features.reference import Reference, reference

__all__ = ["EXTRACTORS", "Extractor", "Progress", "Reference", "default_extractor", "load_extractor", "reference"]
