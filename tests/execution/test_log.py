"""The run's folder and its logs: nothing that was written is lost, whatever ends the process."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ganetics._check import InputError
from ganetics._files import write_atomically
from ganetics.execution import Log, RunFolder
from ganetics.execution.log import check_begin, read_config

RECORDS: list[dict[str, Any]] = [
    {"index": 0, "text": 'Fréchet 𝓕 \u2028 \r\n \x85 "quoted"', "value": 0.1 + 0.2},
    {"index": 1, "nested": {"list": [1, None, True, -1e-300]}},
    {"index": 2, "text": ""},
]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log.jsonl")


@pytest.fixture
def full(log: Log) -> Log:
    for record in RECORDS:
        log.append(record)
    log.close()
    return log


def run_script(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


def test_records_come_back_exactly(full: Log) -> None:
    assert full.replay() == full.read() == RECORDS
    assert full.path.read_bytes().count(b"\n") == len(RECORDS)


def test_a_log_that_is_not_there_is_empty(log: Log) -> None:
    assert log.replay() == log.read() == []
    assert not log.path.exists()


@pytest.mark.parametrize("replayed", [True, False], ids=["replayed", "appended to at once"])
def test_cut_at_any_byte_the_whole_lines_are_left_and_the_log_goes_on(full: Log, replayed: bool) -> None:
    content = full.path.read_bytes()
    for cut in range(len(content) + 1):
        full.path.write_bytes(content[:cut])
        whole = RECORDS[: content[:cut].count(b"\n")]
        assert full.read() == whole
        assert full.path.stat().st_size == cut
        if replayed:
            assert full.replay() == whole
            assert full.path.read_bytes() == content[: full.path.stat().st_size]
        full.append({"next": 1})
        full.close()
        assert full.read() == [*whole, {"next": 1}]


@pytest.mark.parametrize(
    "damage", [b'{"index": 1, "nes\n', b"\x00\x00\x00\n", b"[1]\n", b"\n", b"\xff\xfe\n"], ids=ascii
)
def test_a_damaged_line_in_the_middle_is_named_and_nothing_is_changed(full: Log, damage: bytes) -> None:
    lines = full.path.read_bytes().splitlines(keepends=True)
    content = lines[0] + damage + lines[2]
    full.path.write_bytes(content)
    for use in (full.replay, full.read, lambda: full.append({})):
        with pytest.raises(InputError, match=r"log\.jsonl: line 2 is damaged: must be one JSON object") as caught:
            use()
        assert "\n" not in str(caught.value)
        assert full.path.read_bytes() == content


def test_where_nothing_depends_on_it_a_damaged_line_is_passed_over(full: Log) -> None:
    lines = full.path.read_bytes().splitlines(keepends=True)
    content = lines[0] + b"\x00\x00\x00\n" + lines[2]
    full.path.write_bytes(content + b'{"torn')
    log = Log(full.path, skip_damaged=True)
    assert log.read() == [RECORDS[0], RECORDS[2]]
    log.append({"next": 1})
    log.close()
    assert full.path.read_bytes() == content + b'{"next":1}\n'
    assert log.replay() == [RECORDS[0], RECORDS[2], {"next": 1}]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_refused_and_nothing_is_written(full: Log, value: float) -> None:
    content = full.path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        full.append({"deep": [{"fid": value}]})
    assert full.path.read_bytes() == content


def test_a_line_is_on_the_disk_before_append_returns(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    really = os.fsync

    def fsync(descriptor: int) -> None:
        really(descriptor)
        if os.fstat(descriptor).st_ino == log.path.stat().st_ino:
            synced.append(log.path.stat().st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    sizes = []
    for record in RECORDS:
        log.append(record)
        sizes.append(log.path.stat().st_size)
    assert synced == sizes


def test_a_new_file_is_in_its_folder_on_the_disk(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    really = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        really(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    log.append(RECORDS[0])
    assert log.path.parent.stat().st_ino in synced
    synced.clear()
    write_atomically(log.path.with_name("other"), b"content")
    assert synced == [log.path.with_name("other").stat().st_ino, log.path.parent.stat().st_ino]


@pytest.mark.parametrize("where", ["write", "short write", "fsync"])
def test_a_full_disk_names_the_file_and_leaves_what_was_there(
    full: Log, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, really = full.path.read_bytes(), os.write

    def no_space(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if where == "short write":
            patch.setattr(os, "write", lambda descriptor, line: really(descriptor, line[:7]))
        else:
            patch.setattr(os, where, no_space)
        with pytest.raises(OSError, match="No space left on device") as caught:
            full.append({"index": 3, "text": "more than seven bytes"})
    assert caught.value.filename == str(full.path)
    assert full.path.read_bytes() == content
    full.append({"index": 3})
    assert full.read() == [*RECORDS, {"index": 3}]


def test_a_file_that_must_not_grow_is_as_a_full_disk(full: Log) -> None:
    """The kernel writes a part of the line and refuses the rest."""
    script = """
import pathlib, resource, sys
from ganetics.execution import Log
log = Log(pathlib.Path(sys.argv[1]))
size = log.path.stat().st_size + 20
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
log.append({"short": 1})
try:
    log.append({"text": "x" * 100})
except OSError as error:
    print(error.filename, log.path.stat().st_size)
"""
    whole = full.path.stat().st_size + len('{"short":1}\n')
    done = run_script(script, full.path)
    assert done.stdout == f"{full.path} {whole}\n", done.stderr
    assert full.replay() == [*RECORDS, {"short": 1}]


def test_one_process_owns_a_folder_until_it_ends(tmp_path: Path) -> None:
    script = """
import pathlib, sys, time
from ganetics.execution import RunFolder
run = RunFolder(pathlib.Path(sys.argv[1]))
print("open", flush=True)
time.sleep(60)
"""
    run = tmp_path / "run"
    owner = subprocess.Popen([sys.executable, "-c", script, str(run)], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "open\n"
        with pytest.raises(InputError, match=f"^run folder {run}: process {owner.pid} is at work in it$"):
            RunFolder(run)
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.communicate()
    with RunFolder(run), pytest.raises(InputError, match=f"process {os.getpid()} is at work"):
        RunFolder(run)
    RunFolder(run).close()


def test_a_run_begins_once_and_goes_on_under_the_same_configuration(tmp_path: Path) -> None:
    config = {"seed": 1, "recipe": {"steps": 5, "rates": (0.3, 1.0)}, "name": None}
    with RunFolder(tmp_path / "run") as run:
        with pytest.raises(InputError, match=r"nothing to resume, it holds no config\.json"):
            run.begin(config, resume=True)
        run.begin(config, resume=False)
        assert read_config(run.path) == json.loads(json.dumps(config))
        run.begin(config, resume=True)
        with pytest.raises(InputError, match="it holds a run already"):
            run.begin(config, resume=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 2}, "seed is 1 there, got 2"),
        ({"recipe": {"steps": 6, "rates": [0.3, 1.0]}}, "recipe.steps is 5 there, got 6"),
        ({"recipe": {"steps": 5, "rates": [0.3]}}, r"recipe.rates is \[0.3, 1.0\] there, got \[0.3\]"),
        ({"more": 1}, "more is None there, got 1"),
    ],
)
@pytest.mark.parametrize("resume", [True, False])
def test_another_configuration_is_refused_naming_the_field(
    tmp_path: Path, change: dict[str, Any], message: str, resume: bool
) -> None:
    config: dict[str, Any] = {"seed": 1, "recipe": {"steps": 5, "rates": [0.3, 1.0]}}
    with RunFolder(tmp_path) as run:
        run.begin(config, resume=False)
        stored = (tmp_path / "config.json").read_bytes()
        with pytest.raises(InputError, match=message):
            run.begin({**config, **change}, resume=resume)
        assert (tmp_path / "config.json").read_bytes() == stored


def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="must be a folder, got a file"):
        RunFolder(file)
    (tmp_path / "archive.jsonl").touch()
    with RunFolder(tmp_path) as run, pytest.raises(InputError, match=r"archive\.jsonl without a config\.json"):
        run.begin({}, resume=False)


@pytest.mark.parametrize("content", ["", "[1]", "{", "\x00"])
def test_a_damaged_configuration_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json: must be (a )?JSON"):
        read_config(tmp_path)


def test_what_differs_from_the_first_environment_is_told(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run:
        assert run.note_environment({"cpu": "a", "torch": "2"}) is None
        assert run.note_environment({"cpu": "a", "torch": "2"}) is None
        warning = run.note_environment({"cpu": "b", "torch": "2", "numpy": "2"})
        assert warning is not None
        assert warning.startswith("cpu, numpy not as where this run began: ")
        (tmp_path / "environment.json").write_text("damaged")
        assert run.note_environment({"cpu": "b"}) is None
    assert json.loads((tmp_path / "environment.json").read_text()) == {"cpu": "b"}


def test_only_a_file_that_is_open_for_writing_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS takes an exclusive lock for one of fcntl, which needs that."""
    really = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        really(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with RunFolder(tmp_path) as run:
        run.begin({"seed": 1}, resume=False)
    check_begin(tmp_path, {"seed": 1}, resume=True)
