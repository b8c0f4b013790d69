"""The state of a process that runs jobs."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy
from ganetics.execution.process import keep_memory

kept = len(sys.argv) > 1 and keep_memory()
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    numpy.ones(6_000_000)  # 48 MB; freed at once
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator of glibc")
def test_memory_that_was_freed_is_used_again() -> None:
    def faults(*arguments: str) -> list[str]:
        command = [sys.executable, "-c", FAULTS, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split()

    (kept, pages), (kept_else, pages_else) = faults("keep"), faults()
    assert (kept, kept_else) == ("True", "False")
    assert int(pages_else) > 10
    # a huge page is one fault as well: so relative to what it is without
    assert int(pages) * 10 <= int(pages_else)
