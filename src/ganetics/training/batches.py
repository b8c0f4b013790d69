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
        """Take ``images`` as uint8 ``[n, c, h, w]``, on the device that batches are wanted on."""
        self.images, self.seed, self.batch_size = images, seed, batch_size
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def at(self, step: int) -> Tensor:
        """Return the step's batch as float32 ``[batch, c, h, w]`` in [-1, 1]."""
        first = step * self.batch_size
        return scaled(self.images[self._indices(first, self.batch_size)])

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
    """Return uint8 images as float32 in [-1, 1]."""
    return images.float().div_(127.5).sub_(1.0)
