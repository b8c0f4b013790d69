from __future__ import annotations

import json
from pathlib import Path

import pytest

from ganetics._check import InputError
from ganetics.execution.looks import note_look


def test_looks_are_counted_from_the_first_on(tmp_path: Path) -> None:
    path = tmp_path / "looks.json"
    first, count = note_look(path, "test images", images=7)
    assert count == 1
    assert note_look(path, "test images", images=8) == (first, 2)
    stored = json.loads(path.read_text())
    assert (stored["count"], stored["first"]) == (2, first)
    assert [look["images"] for look in stored["looks"]] == [7, 8]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"looks": 3}', '{"looks": [1]}', '{"looks": [{}]}', "\xff"])
def test_a_damaged_file_is_refused_and_stays(content: str, tmp_path: Path) -> None:
    path = tmp_path / "looks.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"looks\.json: must say when test images were looked at, it is damaged$"):
        note_look(path, "test images")
    assert path.read_bytes() == content.encode("latin-1")
