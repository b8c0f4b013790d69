"""The state of a process that runs jobs. The same everywhere, so that results are equal byte for byte."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)
"""Environment of a new process in which every numerical library is to use one thread."""


M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
LARGE_BLOCKS = (2**30, 2**25)
"""Bytes from which glibc is asked to map a block of its own; older releases take no more than the second."""


def prepare() -> None:
    """Make this process one that runs jobs, until it ends: :func:`keep_memory`, and what :func:`prepared` says."""
    keep_memory()
    _compute_alone()


def keep_memory() -> bool:
    """Let the allocator keep what is freed, for the next tensor; return whether it does (glibc only).

    Else each large tensor is new memory from the kernel, which fills it with zeros, page by page, over and over: over
    a quarter of the time of EfficientNet's features, a few hundredths of training (``results/speed/allocator.json``).
    What is computed stays the same.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not any(mallopt(M_MMAP_THRESHOLD, size) for size in LARGE_BLOCKS):
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, 2**31 - 1) and mallopt(M_TOP_PAD, 2**26))


def _compute_alone() -> None:
    """Use one thread in PyTorch and in every BLAS, and flush denormal numbers to zero.

    The order of a sum depends on the number of threads, so equal results need equal threads; and two threads in
    each of two workers are several times slower than one. Libraries that are loaded later (SciPy has a BLAS of its
    own) read the environment, so it says the same.
    """
    import torch  # here: what only reads a run folder does not pay for it
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    os.environ.update(ONE_THREAD)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    threadpool_limits(limits=1)


@contextmanager
def prepared() -> Iterator[None]:
    """Use one thread and flush denormal numbers to zero; on leaving, give threads back and stop flushing (the default).

    A library loaded meanwhile stays at one thread.
    """
    import torch
    from threadpoolctl import threadpool_limits

    threads, before = torch.get_num_threads(), {name: os.environ.get(name) for name in ONE_THREAD}
    with threadpool_limits(limits=1):
        _compute_alone()
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.set_flush_denormal(False)
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the search for garbage in cycles: where much is made and all of it stays, that is half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def die_with(parent: int) -> None:
    """Let this process end as soon as process ``parent`` has ended, whatever it is doing then.

    On Linux the kernel does it at once (prctl, PR_SET_PDEATHSIG: when the *thread* that started this process ends);
    everywhere a thread looks each second.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, name="die-with-parent", daemon=True).start()


def fill_buffers() -> None:
    """Let each OpenBLAS take the memory that it works in: where it gets none later, it hangs or ends the process."""
    import numpy
    import scipy.linalg

    square = numpy.eye(256)
    numpy.matmul(square, square)
    scipy.linalg.blas.dgemm(1.0, square, square)


def data_limits(mib: float | None) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the soft and hard limit of RLIMIT_DATA for a job's time, and those for the rest.

    During a job this process may take ``mib`` MiB beyond what it has now; None: no limit. Linux counts private writable
    memory, touched or not, of every allocator and thread's stack; what is shared or mapped from files is free. Other
    systems do not hold a process to a limit (macOS accepts the call), so there is none.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if mib is None or sys.platform != "linux":
        return (soft, hard), (soft, hard)
    limit = int((_status_mib("VmData") + mib) * 2**20)
    return (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard), (soft, hard)


def peak_mib() -> float:
    """Return the largest resident memory of this process so far, in MiB.

    >>> 1 < peak_mib() < 1e6
    True
    """
    with suppress(OSError, LookupError):  # getrusage would count the parent's memory at the time of the fork
        return _status_mib("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _status_mib(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return float(line.split()[1]) / 1024
    raise LookupError(name)


def environment(device: str = "cpu") -> dict[str, str]:
    """Return what equality of results rests on: CPU model and instruction set, versions, platform; a GPU's name."""
    import numpy
    import torch

    return {
        "cpu": _cpu_model(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "numpy": numpy.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        **({} if device == "cpu" else {"gpu": torch.cuda.get_device_name(device)}),
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
