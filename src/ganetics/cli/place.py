"""Where trials run, as a command line says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ganetics._check import InputError
from ganetics.cli import calibration

if TYPE_CHECKING:
    from ganetics.execution import Executor


class Executors(StrEnum):
    """Where trials run."""

    pool = "pool"
    ray = "ray"


@dataclass(frozen=True)
class Place:
    """Where and by how many workers trials are run; None: as many as there is room for."""

    executor: Executors = Executors.pool
    workers: int | None = None
    address: str | None = None
    """Of a Ray cluster; None: one is started here."""
    memory_mib: int | None = None
    """Of one worker, at most; None: no limit."""
    device: str = "cpu"
    """Of every worker: they share a GPU."""

    def open(self) -> Executor:
        """Return the executor.

        Raises:
            InputError: an address without Ray, Ray is not installed, or the cluster cannot be reached.
        """
        if self.executor is Executors.ray:
            from ganetics.execution.ray import RayExecutor

            return RayExecutor(self.workers, address=self.address, memory_mib=self.memory_mib)
        if self.address is not None:
            raise InputError(f"--address: belongs to --executor ray, got {self.address!r} without it")
        from ganetics.execution import PoolExecutor

        return PoolExecutor(self.workers or default_workers(), memory_mib=self.memory_mib)


def checked_device(device: str) -> str:
    """Return the device, one of those that are there.

    Raises:
        InputError: it is none, or not there.
    """
    if device == "cpu":
        return device
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.split(":")[0] not in ("cpu", "cuda"):
        raise InputError(f"device must be cpu, cuda or auto, got {device!r}")
    kind, _, number = device.partition(":")
    if kind == "cpu":
        raise InputError(f"device must be cpu, without a number, got {device!r}")
    if not torch.cuda.is_available():
        raise InputError(f"device {device} needs a GPU that PyTorch can use; there is none here")
    count = torch.cuda.device_count()
    if number and not (number.isdecimal() and int(number) < count):
        raise InputError(f"device must be cuda:0 to cuda:{count - 1} here, got {device!r}")
    return device


def default_workers() -> int:
    """Return one worker a core, fewer where memory does not suffice."""
    return max(1, int(min(calibration.cores(), calibration.available_mib() / calibration.WORKER_MIB)))
