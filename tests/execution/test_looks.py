from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from ganetics._check import InputError
from ganetics.execution import looks
from ganetics.execution.looks import note_look


def test_looks_are_counted_from_the_first_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, days = tmp_path / "looks.json", iter((1, 2))
    monkeypatch.setattr(looks, "datetime", SimpleNamespace(now=lambda zone: datetime(2026, 1, next(days), tzinfo=zone)))
    first, count = note_look(path, "test images", images=7)
    assert (first, count) == ("2026-01-01T00:00:00+00:00", 1)
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
