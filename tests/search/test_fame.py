"""The hall of fame of an archive made by hand, whose order is known."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from ganetics.records import to_json
from ganetics.search.config import SearchConfig
from ganetics.search.fame import finished_rung, hall_of_fame
from ganetics.search.ladder import parse_rungs

Line = dict[str, Any]
BATCH_SUM = "ganetic-batch-sum"
SQUARE, LINEAR, GANETIC = "(y - p)**2", "p - 2*y*p", "p**3 + sqrt(3.985*y/p)"

# log Fréchet distance at rate 0.5 on both seeds, at rate 1 on both seeds; None: failed
RESULTS: dict[tuple[str, str | None], list[float | None]] = {
    (SQUARE, None): [1.0, 3.0, -4.0, None],  # better at rate 1, but for the failure there
    (GANETIC, "ganetic"): [None, None, None, -9.0],  # the best run of all
    (BATCH_SUM, BATCH_SUM): [None, None, None, None],
    (LINEAR, None): [3.0, 3.0, 1.0, 2.0],
}


def final(expression: str, name: str | None, number: int, value: float | None) -> Line:
    outcome: Line = {"metrics": None, "failure": {"kind": "diverged"}}
    if value is not None:
        outcome = {"metrics": {"fid": math.exp(value)}, "failure": None}
    rate, seed = (0.5, 0.5, 1.0, 1.0)[number], (70, 60, 70, 60)[number]
    preview = "a.png" if seed == 70 and value is not None else None
    return {"kind": "final", "expression": expression, "name": name, "rate": rate, "seed": seed,
            "outcome": outcome, "preview": preview}  # fmt: skip


def trial(candidate: int, fid: float | None, *, born: str | None = None, rung: int = 0, rate: float = 1.0) -> Line:
    line: Line = {"kind": "trial", "candidate": candidate, "rung": rung, "rate": rate}
    line["outcome"] = {"metrics": None if fid is None else {"fid": fid}}
    if born:
        line["born"] = {"expression": born, "origin": "guess" if born in (SQUARE, GANETIC) else "random"}
    return line


@pytest.fixture
def lines() -> list[Line]:
    """Return an archive: rungs of one run, of two, of two longer ones, and of these and four more."""
    trials = [
        trial(0, 7.5, born=SQUARE),
        trial(1, None, born="p*y"),
        trial(2, 2.5, born=LINEAR),
        trial(2, 6.0, rung=1),
        trial(2, 1.5, rung=1),
        trial(2, 9.0, rung=2),  # the rung is not finished
        trial(3, 5.0, born=GANETIC),
        trial(3, 4.0, rung=1),
        trial(3, None, rung=1),
    ]
    finals = [final(*loss, number, values[number]) for number in (0, 2, 1, 3) for loss, values in RESULTS.items()]
    return trials + finals


def test_the_order_is_by_failures_and_mean_at_the_own_best_rate(config: SearchConfig, lines: list[Line]) -> None:
    fame = hall_of_fame(config, lines)
    assert [entry["expression"] for entry in fame] == [LINEAR, SQUARE, GANETIC, BATCH_SUM]
    assert [entry["name"] for entry in fame] == [None, None, "ganetic", BATCH_SUM]
    assert [entry["origin"] for entry in fame] == ["evolved", "given", "catalogue", "catalogue"]
    assert [entry["best_rate"] for entry in fame] == [1.0, 0.5, 1.0, 0.5]
    assert [entry["failures"] for entry in fame] == [0, 1, 3, 4]
    assert [entry["objectives"]["log_fid"] for entry in fame] == [
        pytest.approx(1.5), pytest.approx(2.0), pytest.approx(-9.0), None,
    ]  # fmt: skip
    assert [entry["objectives"]["worst_log_fid"] for entry in fame] == [pytest.approx(3.0), None, None, None]
    assert [entry["complexity"] for entry in fame] == [7, 4, 9, None]


def test_what_the_search_saw_is_of_the_highest_rung_that_was_finished(config: SearchConfig, lines: list[Line]) -> None:
    fame = hall_of_fame(config, lines)
    assert [entry["candidate"] for entry in fame] == [2, 0, 3, None]
    fids = [entry["search_fid"] for entry in fame]
    assert fids == [pytest.approx(3.0), pytest.approx(7.5), None, None]  # √(6·1.5); one failed


def test_the_front_is_of_what_did_not_fail_altogether(config: SearchConfig, lines: list[Line]) -> None:
    front = {entry["expression"]: entry["front"] for entry in hall_of_fame(config, lines)}
    # the square is simpler than the better linear one; GANetic's best run is one of two at its rate
    assert front == {LINEAR: True, SQUARE: True, GANETIC: False, BATCH_SUM: False}
    simple = [final("p - y", None, number, None) for number in range(4)]
    assert {e["expression"]: e["front"] for e in hall_of_fame(config, lines + simple)} == {**front, "p - y": False}
    better = [final("y - p", None, number, 0.5) for number in range(4)]
    only = {e["expression"]: e["front"] for e in hall_of_fame(config, lines + better)}
    assert [text for text, kept in only.items() if kept] == ["y - p"]


def test_runs_that_were_scored_otherwise_do_not_count(config: SearchConfig) -> None:
    """Equal steps, but of fewer images in the first rung; the last rung has the second's runs, too."""
    config = config.model_copy(update={"rungs": parse_rungs("40x2:20,40x2,40x2@0.5/1")})
    at_first, at_second = [trial(0, 2.0), trial(0, 2.0)], [trial(0, 3.0, rung=1), trial(0, 3.0, rung=1)]
    at_last = [trial(0, 4.0, rung=2, rate=0.5), trial(0, 4.0, rung=2, rate=0.5)]
    reached = [finished_rung(config, lines) for lines in ([], at_first[:1], at_first, at_first + at_second[:1])]
    assert reached == [None, None, 0, 0]
    assert finished_rung(config, at_first + at_second) == 1
    assert finished_rung(config, at_first + at_second + at_last[:1]) == 1
    assert finished_rung(config, at_first + at_second + at_last) == 2
    birth = trial(0, 2.0, born=LINEAR)
    fame = hall_of_fame(config, [birth, *at_first[1:], *at_second, *at_last, final(LINEAR, None, 0, 1.0)])
    assert fame[0]["search_fid"] == pytest.approx(3.0)


def test_entries_hold_every_run(config: SearchConfig, lines: list[Line]) -> None:
    square = hall_of_fame(config, lines)[1]
    assert square["seeds"] == [60, 70]
    assert [(run["rate"], run["seed"], run["failure"], run["preview"]) for run in square["finals"]] == [
        (0.5, 70, None, "a.png"),
        (1.0, 70, None, "a.png"),
        (0.5, 60, None, None),
        (1.0, 60, "diverged", None),
    ]
    assert [run["fid"] for run in square["finals"]] == [pytest.approx(math.exp(v)) for v in (1, -4, 3)] + [None]
    assert [run["learning_rate"] for run in square["finals"]] == [5e-4, 1e-3, 5e-4, 1e-3]


def test_formulas_are_there_unless_there_is_none(config: SearchConfig, lines: list[Line]) -> None:
    linear, _, _, batch_sum = hall_of_fame(config, lines)
    assert linear["latex"] == r"L(y, p) = p - 2 \, y \, p"
    assert linear["mathml"].startswith("<math")
    assert (batch_sum["latex"], batch_sum["mathml"]) == (None, None)
    to_json([linear, batch_sum])


def test_the_order_of_losses_in_the_archive_does_not_matter(config: SearchConfig, lines: list[Line]) -> None:
    expected = hall_of_fame(config, lines)
    for seed in range(5):
        turned = list(lines)
        random.Random(seed).shuffle(turned)
        by_place = hall_of_fame(
            config, sorted(turned, key=lambda line: (line.get("seed", 0), line.get("rate", 0)))[::-1]
        )
        assert [entry["expression"] for entry in by_place] == [entry["expression"] for entry in expected]
        assert [entry["front"] for entry in by_place] == [entry["front"] for entry in expected]


def test_of_equals_the_text_decides(config: SearchConfig) -> None:
    equal = [final(text, None, number, 1.0) for text in (SQUARE, LINEAR) for number in range(4)]
    assert [entry["expression"] for entry in hall_of_fame(config, equal)] == [SQUARE, LINEAR]
    assert [entry["expression"] for entry in hall_of_fame(config, equal[::-1])] == [SQUARE, LINEAR]
    assert hall_of_fame(config, equal)[0]["best_rate"] == 0.5  # the lower one of equals


def test_before_the_last_round_it_is_empty(config: SearchConfig) -> None:
    assert hall_of_fame(config, []) == []
    assert hall_of_fame(config, [trial(0, 1.0, born=SQUARE)]) == []
