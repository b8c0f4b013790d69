"""How many workers train most in a given time here? Measured: cores, caches and memory decide together."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

WORKER_MIB = 700
"""Memory that a worker of a search on MNIST may take."""
START_SECONDS = 8.0
"""Workers that are not ready by then are left out."""
MEASURE_SECONDS = 5.0
"""For all counts together; at most two seconds each."""
ENOUGH = 0.97
"""Fewer workers are preferred that reach this share of the best throughput: they leave memory and cores."""


@dataclass(frozen=True)
class Calibration:
    """Steps a second of a small convolutional training step, over all workers, for each number of workers."""

    throughput: dict[int, float]

    @property
    def recommended(self) -> int:
        """The fewest workers that reach nearly the best throughput.

        >>> Calibration({1: 50.0, 2: 90.0, 4: 91.0}).recommended
        2
        """
        best = max(self.throughput.values())
        return min(count for count, value in self.throughput.items() if value >= ENOUGH * best)


def cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_mib() -> float:
    """Return the memory that is free for new processes, in MiB; infinite where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) / 1024
    return math.inf


def counts_to_try(most: int) -> list[int]:
    """Return the numbers of workers to measure: powers of two, and ``most``.

    >>> counts_to_try(6)
    [1, 2, 4, 6]
    """
    return sorted({2**i for i in range(most.bit_length()) if 2**i <= most} | {most})


def calibrate(most: int) -> Calibration | None:
    """Measure 1 to ``most`` workers at the same work, one thread each; below 15 seconds in all.

    Returns:
        The throughputs; None if no worker was ready within :data:`START_SECONDS`.
    """
    with _workers(most) as connections:
        ready = _ready(connections)
        if not ready:
            return None
        counts = counts_to_try(len(ready))
        seconds = min(2.0, MEASURE_SECONDS / len(counts))
        return Calibration({count: _throughput(ready[:count], seconds) for count in counts})


@contextmanager
def _workers(count: int) -> Iterator[list[Connection]]:
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    processes = [context.Process(target=_work, args=(theirs,), daemon=True) for _, theirs in pipes]
    try:
        for process, (_, theirs) in zip(processes, pipes, strict=True):
            process.start()
            theirs.close()  # its own copy is open; so that the end of the process is seen here
        yield [ours for ours, _ in pipes]
    finally:
        for process in processes:
            if process.pid is not None:
                process.kill()
                process.join()
                process.close()
        for ours, _ in pipes:
            ours.close()


def _ready(connections: list[Connection]) -> list[Connection]:
    """Wait for the workers' first word; return those that spoke in time."""
    deadline = time.monotonic() + START_SECONDS
    waiting, ready = list(connections), []
    while waiting and (left := deadline - time.monotonic()) > 0:
        for connection in connections:
            if connection in wait(waiting, timeout=min(left, 0.1)):
                waiting.remove(connection)
                with suppress(EOFError):  # it was killed: memory, perhaps
                    connection.recv()
                    ready.append(connection)
    return ready


def _throughput(connections: list[Connection], seconds: float) -> float:
    found = 0.0
    with suppress(OSError, EOFError):  # of a worker that was killed: what the others did
        for connection in connections:
            connection.send(seconds)
    for connection in connections:
        with suppress(OSError, EOFError):
            found += float(connection.recv())
    return found


def _work(connection: Connection) -> None:
    """In a worker: say when ready, then answer each number of seconds with the steps a second it did."""
    import torch

    from ganetics.execution.process import prepare

    prepare()
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 4, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 4, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
    )
    images = torch.linspace(-1, 1, 64 * 28 * 28).reshape(64, 1, 28, 28)

    def step() -> None:
        network.zero_grad()
        network(images).square().mean().backward()

    for _ in range(3):
        step()
    connection.send("ready")
    with contextlib.suppress(EOFError):
        while True:
            seconds, steps, start = connection.recv(), 0, time.perf_counter()
            while (passed := time.perf_counter() - start) < seconds:
                step()
                steps += 1
            connection.send(steps / passed)
