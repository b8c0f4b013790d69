"""How often a run's page is written while the run is made."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ganetics._check import InputError
from ganetics.cli import pages


@pytest.mark.parametrize(("takes", "apart"), [(0.1, 30.0), (2.0, 100.0)])
def test_it_is_written_at_most_every_half_minute_and_for_a_small_share_of_the_time(
    takes: float, apart: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, written = 0.0, []

    def write() -> None:
        nonlocal now
        written.append(now)
        now += takes

    monkeypatch.setattr(pages.time, "monotonic", lambda: now)
    perhaps = pages.now_and_then(write)
    while now < 1000.0:
        perhaps()
        now += 0.25
    gaps = [later - earlier for earlier, later in pairwise(written)]
    assert written[0] == pytest.approx(30.0)
    assert gaps == pytest.approx([apart] * len(gaps), abs=0.5)
    assert len(gaps) > 5


def test_a_page_that_cannot_be_made_does_not_end_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now, error = 0.0, ValueError("no root")

    def write() -> None:
        raise error

    monkeypatch.setattr(pages.time, "monotonic", lambda: now)
    perhaps = pages.now_and_then(write)
    now = 31.0
    perhaps()
    assert "page: not written, the run goes on: ValueError: no root" in capsys.readouterr().err
    now, error = 100.0, OSError("disk full")  # type: ignore[assignment]
    with pytest.raises(OSError, match="disk full"):
        perhaps()


@pytest.mark.parametrize("error", [TypeError("missing 'mode'"), InputError("archive.jsonl: line 3 is damaged")])
def test_a_fault_of_the_page_is_told_and_the_run_is_not_lost(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def write() -> None:
        raise error

    pages.page_at_end(write, again="ganetics report my-gan")
    told = " ".join(capsys.readouterr().err.split())
    assert "page: not written, but the run has ended and all of it is kept" in told
    assert str(error) in told
    assert told.endswith("ganetics report my-gan writes it")


def test_a_full_disk_ends_it_and_a_page_that_can_be_written_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        pages.page_at_end(full, again="ganetics report my-gan")
    written: list[int] = []
    pages.page_at_end(lambda: written.append(1), again="ganetics report my-gan")
    assert written == [1]
    assert capsys.readouterr().err == ""
