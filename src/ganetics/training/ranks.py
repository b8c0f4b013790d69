"""Several processes that train one GAN together, a device each. Only here is Lightning Fabric used.

All ranks hold the same weights, generators and step. Each draws the whole batch's latents and augmentations and takes
its slice of them and of the images; gradients, signals and records are averaged, so that all stay the same. For losses
that are a mean over samples, and nets that treat samples independently, that is the arithmetic of one process.

Fabric starts the processes, gives each its device and joins them. Its wrappers of modules (DistributedDataParallel)
are not used: they expect every weight to get a gradient in each backward pass, which a generator's step through the
discriminator does not give, and put buffers over each other between the passes of real and of generated images.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor
from torch.multiprocessing.spawn import ProcessRaisedException

from ganetics._check import InputError, MissingDependencyError
from ganetics.execution.process import die_with, prepare
from ganetics.records import Recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """The processes that train together, and which of them this is; by default this one alone."""

    fabric: Fabric | None = None

    @property
    def number(self) -> int:
        """Which of them this is; 0 writes the files."""
        return 0 if self.fabric is None else self.fabric.global_rank

    @property
    def count(self) -> int:
        """How many they are."""
        return 1 if self.fabric is None else self.fabric.world_size

    def part(self, batch: Tensor) -> Tensor:
        """Return this rank's slice of a batch that all have."""
        return batch if self.fabric is None else batch.chunk(self.count)[self.number]

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean over the ranks, the same on all."""
        if self.fabric is None:
            return value
        mean = self.fabric.all_reduce(value, reduce_op="mean")
        assert isinstance(mean, Tensor)
        return mean

    def average_gradients_(self, weights: Iterable[Tensor]) -> None:
        """Replace gradients by their means over the ranks."""
        if self.fabric is None:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        together = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(together, [gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, parts, strict=True):
            gradient.copy_(mean.view_as(gradient))

    def agreed(self, value: T) -> T:
        """Return what rank 0 has, on all."""
        return value if self.fabric is None else self.fabric.broadcast(value)


def check_devices(recipe: Recipe, *, device: str, devices: int) -> None:
    """Check that so many devices can train a recipe together.

    Raises:
        InputError: Fabric is not installed, there are fewer devices, or the batches cannot be divided.
    """
    if devices == 1:
        return
    if find_spec("lightning_fabric") is None:
        raise MissingDependencyError(
            "several devices need Lightning Fabric: pip install lightning-fabric, or ganetics[devices]"
        )
    kind, _, number = device.partition(":")
    if number:
        raise InputError(f"with several devices, device must be cpu or cuda, got {device!r}")
    if kind == "cuda" and devices > torch.cuda.device_count():
        raise InputError(f"devices must be at most the {torch.cuda.device_count()} GPUs here, got {devices}")
    for size in (recipe.batch_size, recipe.discriminator_batch or recipe.batch_size):
        if size % devices:
            raise InputError(f"batches must be a multiple of the {devices} devices, got batches of {size}")


def launch(job: Callable[..., T], *arguments: Any, device: str, devices: int) -> T:
    """Run ``job(ranks, device, *arguments)`` in so many new processes, and return what rank 0's returns.

    Args:
        job: a function of an importable module.
        *arguments: what it is given; they are pickled.
        device: "cpu" or "cuda"; on the CPU the processes talk by gloo.
        devices: number of processes, a device each; see :func:`check_devices`.

    Raises:
        InputError: the job raised it.
        RuntimeError: the job raised something else, in any rank; the others are ended.
    """
    from lightning_fabric import Fabric  # here: it takes longer to import than PyTorch

    fabric = Fabric(accelerator=device, devices=devices, strategy="ddp_spawn")
    try:
        # as bytes, there and back: PyTorch would put tensors in shared memory, of which containers have little
        reply = fabric.launch(_rank, pickle.dumps((job, arguments)))  # type: ignore[arg-type]
    except ProcessRaisedException as error:
        reason = str(error).strip().splitlines()[-1]
        raise RuntimeError(f"one of the {devices} processes has failed: {reason}") from None
    ended = pickle.loads(reply)  # noqa: S301 - from our own child process
    if isinstance(ended, InputError):
        raise ended
    return ended  # type: ignore[no-any-return]


def _rank(fabric: Fabric, payload: bytes) -> bytes:
    prepare()
    die_with(os.getppid())
    job, arguments = pickle.loads(payload)  # noqa: S301 - from our own parent process
    try:
        return pickle.dumps(job(Ranks(fabric), fabric.device, *arguments))
    except InputError as error:  # would come to the caller as text
        return pickle.dumps(error)
    finally:
        # a spawned process ends without atexit, and one that ends with gloo's threads running may abort
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
