"""The order of the training images."""

from __future__ import annotations

import torch
from torch import Tensor

from ganetics._random import torch_generator


class Batches:
    """An endless stream of shuffled images: each epoch is one permutation, named by (seed, "data", epoch).

    Any step can be asked for, and what comes depends on the step alone, so the stream has no state to save. A
    batch that reaches the end of an epoch goes on in the next; no image is left out.
    """

    def __init__(self, images: Tensor, *, seed: int, batch_size: int) -> None:
        """Take ``images`` as uint8 or uint16 ``[n, c, h, w]``, on the device that batches are wanted on.

        For :meth:`indices` alone anything that has a length and a device will do.
        """
        self.images, self.seed, self.batch_size = images, seed, batch_size
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def at(self, step: int) -> Tensor:
        """Return the step's batch as float32 ``[batch, c, h, w]`` in [-1, 1]."""
        # 16 bits by the same bits with a sign: PyTorch does not index uint16 on every device
        bits = self.images.view(torch.int16) if self.images.dtype == torch.uint16 else self.images
        return scaled(bits[self.indices(step)].view(self.images.dtype))

    def indices(self, step: int) -> Tensor:
        """Return which images the step's batch is made of, int64 ``[batch]``."""
        return self._indices(step * self.batch_size, self.batch_size)

    def _indices(self, first: int, count: int) -> Tensor:
        epoch, offset = divmod(first, len(self.images))
        if epoch != self._epoch:
            order = torch.randperm(len(self.images), generator=torch_generator(self.seed, "data", epoch))
            self._epoch, self._order = epoch, order.to(self.images.device)
        here = self._order[offset : offset + count]
        if len(here) == count:
            return here
        return torch.cat([here, self._indices(first + len(here), count - len(here))])


def scaled(images: Tensor) -> Tensor:
    """Return uint8 or uint16 images as float32 in [-1, 1]: 0 becomes -1, and 255 or 65535 becomes 1.

    >>> scaled(torch.tensor([0, 65535], dtype=torch.uint16))
    tensor([-1.,  1.])
    """
    half = 32767.5 if images.dtype == torch.uint16 else 127.5
    return images.float().div_(half).sub_(1.0)
