"""Jobs for tests. Workers import them, so they are a module of their own; the fixture ``jobs`` makes it importable."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_info

from ganetics._check import InputError


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
