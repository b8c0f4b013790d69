"""The hall of fame of an archive made by hand, whose order is known."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from ganetics.records import SearchConfig, to_json
from ganetics.search.fame import hall_of_fame

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


def trial(index: int, expression: str, fid: float | None) -> Line:
    metrics = None if fid is None else {"fid": fid}
    origin = "guess" if expression == SQUARE else "random"
    line = {"kind": "trial", "index": index, "expression": expression, "origin": origin}
    return {**line, "outcome": {"metrics": metrics}}


@pytest.fixture
def lines() -> list[Line]:
    trials = [trial(0, SQUARE, 7.5), trial(1, "p*y", None), trial(2, LINEAR, 2.5)]
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
    assert [entry["search_index"] for entry in fame] == [2, 0, None, None]
    assert [entry["search_fid"] for entry in fame] == [2.5, 7.5, None, None]
    assert [entry["complexity"] for entry in fame] == [7, 4, 9, None]


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


def test_of_equals_the_text_decides(config: SearchConfig) -> None:
    equal = [final(text, None, number, 1.0) for text in (SQUARE, LINEAR) for number in range(4)]
    assert [entry["expression"] for entry in hall_of_fame(config, equal)] == [SQUARE, LINEAR]
    assert [entry["expression"] for entry in hall_of_fame(config, equal[::-1])] == [SQUARE, LINEAR]
    assert hall_of_fame(config, equal)[0]["best_rate"] == 0.5  # the lower one of equals


def test_before_the_last_round_it_is_empty(config: SearchConfig) -> None:
    assert hall_of_fame(config, []) == []
    assert hall_of_fame(config, [trial(0, SQUARE, 1.0)]) == []
