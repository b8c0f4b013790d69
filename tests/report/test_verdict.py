from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ganetics.report.run import Contender, Final, SearchRun, read_search
from ganetics.report.verdict import Verdict, verdict

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
        search_index=None,
        search_fid=None,
        best_rate=1.0,
        finals=(*best, replace(best[0], rate=3.0, fid=1e6)),
    )


@pytest.fixture(scope="module")
def base(finished: Path) -> SearchRun:
    return read_search(finished)


def compare(base: SearchRun, found: Sequence[float | None], rival: Sequence[float | None]) -> Verdict:
    both = sorted([contender("trial 7", found), contender(RIVAL, rival)], key=lambda c: c.estimate.mean)  # type: ignore[union-attr]
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
    assert found.found.label == "trial 7"


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
    one = contender("trial 7", [10.0, 10.0])
    alone = verdict(replace(base, contenders=(one,)))
    assert alone.title == "The best evolved loss reaches FID 10.0; no rival was trained beside it"
    given = verdict(replace(base, contenders=(replace(one, badge="given"), contender(RIVAL, [None]))))
    assert given.title.startswith("The search's best loss, a guess it was given, reaches FID 10.0; its best rival")
    assert verdict(replace(base, contenders=(contender(RIVAL, [9.0]),))).title.startswith("No loss of the search")
