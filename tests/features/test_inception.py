from __future__ import annotations

import numpy as np
import pytest
import torch

from ganetics.features.inception import resize_bilinear


def by_hand(image: np.ndarray, side: int) -> np.ndarray:
    """tf.image.resize_bilinear of TensorFlow 1.x (align_corners=False), written as its source has it."""
    height, width = image.shape
    out = np.empty((side, side))
    for i in range(side):
        y = i * height / side
        top, bottom = int(y), min(int(y) + 1, height - 1)
        for j in range(side):
            x = j * width / side
            left, right = int(x), min(int(x) + 1, width - 1)
            upper = image[top, left] + (image[top, right] - image[top, left]) * (x - left)
            lower = image[bottom, left] + (image[bottom, right] - image[bottom, left]) * (x - left)
            out[i, j] = upper + (lower - upper) * (y - top)
    return out


@pytest.mark.parametrize(("height", "width"), [(32, 32), (28, 40), (1, 5), (64, 31)])
@pytest.mark.parametrize("side", [13, 47])
def test_resize_is_tensorflow_1s(height: int, width: int, side: int) -> None:
    image = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)) * 255
    resized = resize_bilinear(image, side)
    expected = by_hand(image[1, 2].double().numpy(), side)
    np.testing.assert_allclose(resized[1, 2].numpy(), expected, atol=1e-3)


def test_resize_differs_from_pytorchs_grid() -> None:
    image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 255
    other = torch.nn.functional.interpolate(image, size=(299, 299), mode="bilinear", align_corners=False)
    assert (resize_bilinear(image, 299) - other).abs().max() > 10


def test_right_size_is_left_as_it_is() -> None:
    image = torch.rand(1, 3, 299, 299, generator=torch.Generator().manual_seed(0))
    assert resize_bilinear(image, 299) is image
