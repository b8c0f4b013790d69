"""Jobs for tests. Workers import them, so they are a module of their own; the fixture ``jobs`` makes it importable."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_info

from ganetics._check import InputError
from ganetics.execution import Shared


def double(value: float) -> float:
    return 2 * value


def double_after(value: float) -> float:
    """Later ones sooner: 0.2 s for 0, less for more."""
    time.sleep(0.2 / (1 + value))
    return 2 * value


def fail(error: str) -> None:
    raise {
        "value": ValueError("a\nb"),
        "nothing": KeyError(),
        "memory": MemoryError(),
        "exit": SystemExit(3),
        "input": InputError("images: must be there, got nothing"),
    }[error]


def allocate(megabytes: int) -> int:
    """In PyTorch, which has an error of its own for it."""
    return int(torch.empty(megabytes << 20, dtype=torch.uint8).numel())


def take_all(how: str) -> int:
    """Allocate until there is no more, keeping everything."""
    kept: list[object] = []
    while True:
        match how:
            case "objects":
                kept.append([None])
            case "numpy":
                kept.append(np.ones(1 << 17))
            case "torch":
                kept.append(torch.ones(1 << 18))


class Weights:
    """A value to share that counts how often it was unpickled in a process."""

    unpickled = 0

    def __init__(self, seed: int) -> None:
        self.images = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (50, 3, 32, 32), dtype=np.uint8))
        self.model = torch.nn.Linear(3, 2).requires_grad_(False)
        self.model.weight.copy_(self.images[0, 0, :2, :3])

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        Weights.unpickled += 1

    def content(self) -> bytes:
        return self.images.numpy().tobytes() + self.model(torch.ones(3)).numpy().tobytes()


@dataclass(frozen=True)
class Reading:
    """Handles within an argument."""

    values: dict[str, Shared[Weights]]
    seconds: float = 0.05
    """That the job takes at least, so that others get some too."""


def read(reading: Reading) -> tuple[int, int, list[bytes]]:
    """Return the process, how often it has unpickled, and what it read."""
    time.sleep(reading.seconds)
    values = [shared.get() for shared in reading.values.values()]
    assert all(shared.get() is value for shared, value in zip(reading.values.values(), values, strict=True))
    return os.getpid(), Weights.unpickled, [value.content() for value in values]


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def meet(who: tuple[str, str, str]) -> str:
    """End only when another job has begun."""
    folder, name, other = who
    Path(folder, name).touch()
    while not Path(folder, other).exists():
        time.sleep(0.01)
    return other


def say_and_sleep(path: str) -> None:
    """Leave the process's number in a file, then never end."""
    Path(path, str(os.getpid())).touch()
    time.sleep(600)


def die(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def leave(status: int) -> None:
    os._exit(status)


def die_with_its_host(path: str) -> str:
    """End the parent process too, unless the file is there already."""
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return "alive"


def die_first(path: str) -> str:
    """Die unless the file is there already."""
    if not Path(path).exists():
        Path(path).touch()
        die(signal.SIGKILL)
    return "alive"


class Unreadable:
    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return _refuse, (1,)


def _refuse(_: int) -> None:
    raise ValueError("not again")


def unreadable(_: object) -> Unreadable:
    return Unreadable()


def unsendable(_: object) -> Callable[[], None]:
    return lambda: None


def speak(text: str) -> str:
    print(text, flush=True)
    os.write(1, (text + "\n").encode())
    return text


def process(_: object) -> int:
    return os.getpid()


def alive(process: int) -> bool:
    """Tell whether a process has not ended; one that its parent has taken no note of has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def threads(_: object) -> dict[str, object]:
    """How many threads numerical libraries use, also those that are loaded late."""
    import scipy.linalg  # noqa: F401
    import sklearn.neighbors  # noqa: F401

    pools = {str(pool["filepath"]): pool["num_threads"] for pool in threadpool_info()}
    return {**pools, "torch": torch.get_num_threads()}


def denormal(_: object) -> float:
    """Whether denormal numbers are flushed: 0 if they are."""
    return float(torch.tensor([1e-39], dtype=torch.float32).mul(0.5).item())


def numbers(seed: int) -> bytes:
    """Sums and products whose last digits depend on how they are made."""
    random = np.random.default_rng(seed)
    a = random.normal(size=(120, 120)).astype(np.float32)
    t = torch.from_numpy(a)
    made = [a @ a, np.linalg.svd(a, compute_uv=False), torch.softmax(t @ t.T, 1).numpy(), t.exp().sum().numpy()]
    return b"".join(np.ascontiguousarray(part).tobytes() for part in made)
