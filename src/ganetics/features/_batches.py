"""What all extractors share: a network is run over images in batches of bounded size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganetics import _check
from ganetics.data import to_8_bits

Progress = Callable[[int, int], None]
"""Called with (images done, images in all) after every batch."""


def extract(
    network: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    dimension: int,
    batch_size: int,
    device: str = "cpu",
    on_progress: Progress | None = None,
) -> npt.NDArray[np.float32]:
    """Run ``network`` over images ``[n, c, h, w]`` without gradients; return float32 features.

    ``network`` gets uint8 batches on ``device``, made of uint16 images by :func:`ganetics.data.to_8_bits`, and returns
    ``[n, dimension]``. Memory is bounded by one batch beside the result.

    Raises:
        InputError: the images are not uint8 or uint16 ``[n, c, h, w]`` with one or three channels.
    """
    _check.images("images", images)
    count = images.shape[0]
    features = np.empty((count, dimension), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, count, batch_size):
            batch = to_8_bits(images[start : start + batch_size]).to(device)
            features[start : start + len(batch)] = network(batch).float().cpu().numpy()
            if on_progress is not None:
                on_progress(start + len(batch), count)
    return features
