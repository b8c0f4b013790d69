"""What a report reads from a run's folder, held to the search itself and to the archive."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import pytest

from ganetics._check import InputError
from ganetics.report.search_run import SearchRun, read_search
from ganetics.search.replay import restored

from .conftest import CONFIG, TRIALS, Line, archive_of, change_archive, fail, score


@pytest.fixture(scope="module")
def read(finished: Path) -> SearchRun:
    return read_search(finished)


def trials(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line["kind"] == "trial"]


@pytest.mark.parametrize("count", [1, TRIALS // 4, TRIALS // 2, TRIALS])
def test_rungs_and_front_are_those_of_the_search(run: Path, count: int) -> None:
    """Two ways to one state: the search commits trial by trial, a report looks at all that there is."""
    change_archive(run, lambda lines: lines[:count], ended=False)
    found = read_search(run)
    search = restored(CONFIG, trials(archive_of(run)), where=run)
    search.settle()
    rungs = [-1 if one.rung is None else one.rung for one in found.candidates]
    assert [sum(rung >= level for rung in rungs) for level in range(len(CONFIG.rungs))] == search.finished()
    assert [one.number for one in found.front] == sorted(one.number for one in search.nondominated())
    assert [(one.text, one.parents, one.complexity, one.origin) for one in found.candidates] == [
        (one.text, one.parents, one.complexity, one.origin) for one in search.candidates[: len(found.candidates)]
    ]


def test_a_candidate_is_measured_by_its_seeds_at_the_recipes_rate(read: SearchRun, finished: Path) -> None:
    """Computed again from the archive: the last two rungs are scored alike, all others differently."""
    lines = trials(archive_of(finished))
    seen = set()
    for one in read.candidates:
        mine = [line for line in lines if line["candidate"] == one.number]
        assert [trial.index for trial in one.trials] == [line["index"] for line in mine]
        rungs = [[line for line in mine if line["rung"] == rung] for rung in range(3)]
        measured = rungs[2] if len(rungs[2]) == 2 else rungs[1] or rungs[0]
        fids = [line["outcome"]["metrics"]["fid"] for line in measured if line["outcome"]["metrics"]]
        mean = math.exp(statistics.fmean(map(math.log, fids))) if len(fids) == len(measured) else None
        assert one.fid == (None if mean is None else pytest.approx(mean))
        seen.add((measured[0]["rung"], one.fid is None))
    assert {(0, False), (1, False), (2, False), (0, True)} <= seen


def test_the_hall_of_fame_and_the_report_say_the_same_of_a_candidate(read: SearchRun) -> None:
    known = [one for one in read.contenders if one.candidate is not None]
    assert len(known) >= CONFIG.finalists
    for one in known:
        assert one.candidate is not None
        candidate = read.candidates[one.candidate]
        assert one.search_fid == pytest.approx(candidate.fid)
        assert (one.text, one.label, one.history) == (candidate.text, candidate.label, candidate.history)


def test_the_best_candidate_is_one_of_the_highest_rung(read: SearchRun, run: Path) -> None:
    assert read.best is not None
    assert read.best.rung == 3
    assert len(read.complete) > 1
    assert read.best.fid == min(one.fid for one in read.complete if one.fid is not None)
    number = read.best.number
    low = next(one.number for one in read.candidates if one.rung == 0)

    def change(line: Line) -> Line:
        mine = line.get("candidate")
        return fail(line) if mine == number else score(line, 1e-3) if mine == low else line

    change_archive(run, lambda lines: list(map(change, lines)))
    other = read_search(run)
    assert other.candidates[low].fid == pytest.approx(1e-3)
    assert other.best is not None
    assert other.best.rung == 3
    assert other.best.number not in (number, low)


def test_history_names_parents_and_trial(read: SearchRun) -> None:
    histories = [one.history for one in read.candidates]
    assert histories[0] == "given as a guess, in trial 0"
    children = [one for one in read.candidates if one.parents]
    assert {len(one.parents) for one in children} == {1, 2}
    for one in children:
        named = f"candidate {one.parents[0]}" if len(one.parents) == 1 else "candidates {} and {}".format(*one.parents)
        assert one.history.endswith(f" of {named}, in trial {one.trials[0].index}")


def test_a_candidate_without_a_birth_is_refused(run: Path) -> None:
    change_archive(run, lambda lines: [{k: v for k, v in line.items() if k != "born"} for line in lines])
    with pytest.raises(InputError, match=r"archive\.jsonl: must hold trials and finals, got a line that lacks 'born'"):
        read_search(run)


def test_time_is_that_of_the_last_result(run: Path) -> None:
    (run / "timings.jsonl").write_text(
        '{"kind":"trial","index":0,"elapsed_seconds":5.0}\n{"kind":"driver"}\n{"kind":"trial","elapsed_seconds":9.5}\n'
    )
    assert read_search(run).elapsed == 9.5
    (run / "timings.jsonl").unlink()
    assert read_search(run).elapsed is None
