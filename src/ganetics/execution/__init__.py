"""Executors and the append-only log: how jobs are run and results kept. Knows nothing of GANs."""

from ganetics.execution.executor import Completed, Executor, JobFailure, Shared
from ganetics.execution.in_process import InProcessExecutor
from ganetics.execution.log import Log, RunFolder
from ganetics.execution.pool import PoolExecutor

__all__ = [
    "Completed",
    "Executor",
    "InProcessExecutor",
    "JobFailure",
    "Log",
    "PoolExecutor",
    "RunFolder",
    "Shared",
]
