from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ganetics._files import write_atomically


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
