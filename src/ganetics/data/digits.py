"""scikit-learn's 1,797 handwritten digits, 8×8 (Alpaydin, Kaynak 1998): inside a package, so always at hand."""

from __future__ import annotations

import numpy as np

from ganetics._random import numpy_generator
from ganetics.data.imageset import ImageSet, image_set

TRAIN, VALIDATION = 1197, 300
"""Images of each split; the other 300 are for testing."""


def load_digits(split: str) -> ImageSet:
    """Return the split ``[n, 1, 8, 8]``; gray 0 to 16 becomes 0 to 255. The splits are a fixed random partition."""
    from sklearn import datasets  # here: it takes a second to import

    bunch = datasets.load_digits()
    pixels = np.rint(bunch.images * (255.0 / 16.0)).astype(np.uint8)[:, None]
    order = numpy_generator(0, "digits split").permutation(len(pixels))
    parts = {
        "train": order[:TRAIN],
        "validation": order[TRAIN : TRAIN + VALIDATION],
        "test": order[TRAIN + VALIDATION :],
        "all": np.arange(len(pixels)),
    }
    chosen = parts[split]
    return image_set("digits", split, pixels[chosen], bunch.target[chosen].astype(np.int64))
