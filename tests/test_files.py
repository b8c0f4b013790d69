from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganetics._files import HERE, write_atomically


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_file_is_the_old_or_the_new_one(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync") if where == "fsync" else (Path, "replace")), no_space)
        with pytest.raises(OSError, match="No space left") as caught:
            write_atomically(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_what_a_killed_process_has_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    assert killed.wait() == 0
    path = tmp_path / "a[1].json"
    write_atomically(path, b"old")
    left = tmp_path / f".{path.name}.{HERE}-{killed.pid}.part"
    kept = {
        tmp_path / name
        for name in (
            f".a1.json.{HERE}-{killed.pid}.part",  # of another file
            f".{path.name}.{HERE}-{os.getppid()}.part",  # of a process at work
            f".{path.name}.elsewhere-{killed.pid}.part",  # of another machine
            f".{path.name}.word.part",
            f".{path.name}.{HERE}-{10**30}.part",
        )
    }
    for file in (left, *kept):
        file.write_bytes(b"half")
    write_atomically(path, b"new")
    assert set(tmp_path.iterdir()) == {path, *kept}
    assert path.read_bytes() == b"new"
