"""What is Ray's own: its absence, its processes, its output, nodes that go. What all share is in tests/conformance."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import pytest

from ganetics._check import InputError, MissingDependencyError

JOBS = Path(__file__).parents[1] / "jobs"


def test_without_ray_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ganetics.execution.ray", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(MissingDependencyError, match=r"^ray is not installed: .*: pip install ray$"):
        importlib.import_module("ganetics.execution.ray")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"memory_mib": 0}, "memory_mib must be at least 1, got 0"),
        ({"address": "head"}, "address must be auto or HOST:PORT, got 'head'"),
        ({"address": "127.0.0.1:1"}, "address must be that of a Ray cluster, got '127.0.0.1:1': .*refused"),
    ],
)
def test_what_is_wrong_is_refused_at_once(options: dict[str, object], message: str) -> None:
    pytest.importorskip("ray")
    module = importlib.import_module("ganetics.execution.ray")
    with pytest.raises(InputError, match=f"^{message}"):
        module.RayExecutor(**options)


@contextmanager
def script(text: str, token: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a script in a process of its own: what Ray changes in a process stays there. Kill it in the end.

    All processes of its Ray have the token, which also keeps Ray from writing one into the home folder.
    """
    pytest.importorskip("ray")
    process = subprocess.Popen(
        [sys.executable, "-c", text, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(JOBS), "RAY_AUTH_TOKEN": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def processes(token: str) -> set[str]:
    """Return the ends of the command lines of all processes that have the token."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if token.encode() in path.read_bytes():
                found.add(path.with_name("cmdline").read_bytes().replace(b"\0", b" ").decode().strip()[-60:])
    return found


@pytest.fixture
def token() -> str:
    return uuid4().hex


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())


@pytest.mark.ray
def test_a_lost_actor_costs_no_attempt_and_nothing_is_printed_or_left(token: str, tmp_path: Path) -> None:
    text = """
import sys
import executor_jobs
from ganetics.execution.ray import RayExecutor
with RayExecutor(1) as executor:
    said = executor.submit(executor_jobs.speak, "from the job", seconds=60).result(200)
    once = executor.submit(executor_jobs.die_with_its_host, sys.argv[1], seconds=60).result(200)
    print(executor.workers, executor.shares_files, said.value, once.value, once.attempts)
"""
    with script(text, token, tmp_path / "died") as driver:
        assert wait_for(lambda: any("ganetics.execution.worker" in name for name in processes(token)), 200)
        out, err = driver.communicate(timeout=300)
    assert out == "1 True from the job alive 2\n", err
    assert wait_for(lambda: not processes(token), 10), processes(token)


@pytest.mark.ray
def test_no_job_outlives_a_killed_driver(token: str, tmp_path: Path, jobs: ModuleType) -> None:
    text = """
import sys, time
import executor_jobs
from ganetics.execution.ray import RayExecutor
executor = RayExecutor(1)
executor.submit(executor_jobs.say_and_sleep, sys.argv[1], seconds=None)
time.sleep(600)
"""
    with script(text, token, tmp_path):
        assert wait_for(lambda: any(tmp_path.iterdir()), 200)
        process = int(next(tmp_path.iterdir()).name)
        assert jobs.alive(process)
    assert wait_for(lambda: not jobs.alive(process), 10)
    # these two of Ray's own wait for a minute, and do nothing, before they give up
    assert wait_for(lambda: processes(token) <= {"ray::DashboardAgent", "ray::RuntimeEnvAgent"}, 10), processes(token)


@pytest.mark.ray
@pytest.mark.slow
def test_when_a_node_goes_in_the_middle_all_results_come_all_the_same(token: str) -> None:
    text = """
from itertools import repeat
from ray.cluster_utils import Cluster
import executor_jobs
from ganetics.execution.ray import RayExecutor

node = {"num_cpus": 1, "object_store_memory": 100_000_000}
cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
other = cluster.add_node(**node)
value = executor_jobs.Weights(0)
with RayExecutor(address=cluster.address) as executor:
    reading = executor_jobs.Reading({"value": executor.share(value)}, seconds=0.4)
    processes, attempts, equal, since = set(), 0, True, 0
    for result in executor.map_in_order(executor_jobs.read, repeat(reading), seconds=60):
        process, unpickled, read = result.value
        processes.add(process)
        attempts = max(attempts, result.attempts)
        equal = equal and read == [value.content()] and unpickled == 1
        if len(processes) == 2 and since == 0:
            cluster.remove_node(other, allow_graceful=False)
        since += len(processes) == 2
        if since == 12:
            break
    print(executor.workers, executor.shares_files, attempts, equal)
cluster.shutdown()
"""
    with script(text, token) as driver:
        out, err = driver.communicate(timeout=300)
    assert out == "2 False 2 True\n", err
