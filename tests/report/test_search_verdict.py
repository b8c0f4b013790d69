from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ganetics.report.charts import number
from ganetics.report.search_run import Contender, Final, SearchRun, read_search
from ganetics.report.search_verdict import Verdict, verdict

from .conftest import TRIALS

FOUND, RIVAL = "the best evolved loss", "least-squares"


def contender(label: str, fids: Sequence[float | None]) -> Contender:
    """Return a loss with these runs at its best rate and hopeless ones at another."""
    best = tuple(
        Final(rate=1.0, learning_rate=2e-3, seed=i, fid=f, failure=None if f else "diverged", preview=None)
        for i, f in enumerate(fids)
    )
    return Contender(
        label=label,
        badge="catalogue" if label == RIVAL else "evolved",
        text="p**3 + sqrt(3.985*y/p)",
        complexity=9,
        history=None,
        candidate=None,
        search_fid=None,
        front=True,
        best_rate=1.0,
        finals=(*best, replace(best[0], rate=3.0, fid=1e6)),
    )


@pytest.fixture(scope="module")
def base(finished: Path) -> SearchRun:
    return read_search(finished)


def compare(base: SearchRun, found: Sequence[float | None], rival: Sequence[float | None]) -> Verdict:
    both = sorted([contender("candidate 7", found), contender(RIVAL, rival)], key=lambda c: c.estimate.mean)  # type: ignore[union-attr]
    return verdict(replace(base, contenders=tuple(both)))


def test_better(base: SearchRun) -> None:
    found = compare(base, [10.0, 10.5, 9.8, 10.2], [20.0, 21.0, 19.0, 20.5])
    assert found.title == "The best evolved loss is better than least-squares: FID 10.1 against 20.1"
    assert "0.503 times the FID of least-squares (95 % 0.490 to 0.517)" in found.text[0]
    assert not any("weak" in sentence for sentence in found.text)


def test_a_rival_that_is_better_is_said_to_be(base: SearchRun) -> None:
    found = compare(base, [20.0, 21.0, 19.0, 20.5], [10.0, 10.5, 9.8, 10.2])
    assert found.title == "Least-squares is better than the best evolved loss: FID 10.1 against 20.1"
    assert found.found is not None
    assert found.found.label == "candidate 7"


def test_no_difference(base: SearchRun) -> None:
    found = compare(base, [10.0, 22.0, 13.0, 17.0], [18.0, 14.0, 21.0, 11.0])
    assert found.title.endswith("FID 14.8 against 15.5, no difference that 4 seeds could show")


def test_seeds_that_agree_under_intervals_that_overlap_are_weak_evidence(base: SearchRun) -> None:
    found = compare(base, [9.0, 19.0, 39.0, 79.0], [10.0, 21.0, 43.0, 90.0])
    assert "is better than" in found.title
    assert any("weak evidence" in sentence for sentence in found.text)


def test_choices_made_by_the_same_runs_are_told(base: SearchRun) -> None:
    found = compare(base, [10.0, 11.0], [20.0, 22.0])
    assert found.text[-1].startswith("The best of 1 finalist, of 1 rival and of 3 rates were chosen by these same runs")


def test_failed_runs_are_told_and_not_counted(base: SearchRun) -> None:
    found = compare(base, [10.0, None, 11.0, 10.0], [20.0, 21.0, 21.0, 20.0])
    assert "FID 10.3 against 20.5" in found.title
    assert "The best evolved loss: 1 of 4 runs failed and count in no mean." in found.text


def test_without_a_common_seed_nothing_is_claimed(base: SearchRun) -> None:
    found = compare(base, [10.0, None], [None, 20.0])
    assert "no difference that 1 seed could show" in found.title
    assert found.text[0].startswith("No seed ended well under both")


def test_one_side_alone(base: SearchRun) -> None:
    one = contender("candidate 7", [10.0, 10.0])
    alone = verdict(replace(base, contenders=(one,)))
    assert alone.title == "The best evolved loss reaches FID 10.0; no rival was trained beside it"
    given = verdict(replace(base, contenders=(replace(one, badge="given"), contender(RIVAL, [None]))))
    assert given.title.startswith("The search's best loss, a guess it was given, reaches FID 10.0; its best rival")
    assert verdict(replace(base, contenders=(contender(RIVAL, [9.0]),))).title.startswith("No loss of the search")


def test_before_the_last_round_the_best_is_said_to_be_lucky(base: SearchRun) -> None:
    best, others = base.best, len(base.complete)
    assert best is not None
    assert best.fid is not None
    found = verdict(replace(base, contenders=(), finished=False))
    assert found.title == f"Best so far: FID {number(best.fid)}, unconfirmed"
    luck = f"Candidate {best.number}, the best of {others} that finished rung 4: 300 of 300 steps, 2 seeds."
    assert found.text[0].startswith(luck)
    assert found.text[1].startswith("The search is still running, or was stopped")
    first = next(one for one in base.candidates if one.fid is not None and one.rung == 0)
    alone = verdict(replace(base, contenders=(), candidates=(first,)))
    assert alone.text[0].startswith(
        f"Candidate {first.number}, the only one that finished rung 1: 75 of 300 steps, 1 seed."
    )
    assert alone.text[1].startswith("This search had no last round")


def test_runs_that_are_no_measure_yet(base: SearchRun) -> None:
    open_ones = tuple(replace(one, rung=None, compared=()) for one in base.candidates)
    found = verdict(replace(base, contenders=(), candidates=open_ones))
    assert found.title == f"No loss has finished a rung without failing: {TRIALS} trials"
    lost = tuple(replace(trial, fid=None) for trial in base.trials)
    failed = verdict(replace(base, contenders=(), candidates=open_ones, trials=lost))
    assert failed.title == f"Every loss that was trained failed: {TRIALS} trials"
